//! Tests what the commands do on a terminal, with one of their own.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::process::Stdio;
use std::sync::{Arc, Mutex};

use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{LocalModes, Winsize, tcgetattr, tcsetwinsize};

use super::manual::shell;
use super::process::{Killed, terminate};
use super::{fails, poll, run, started};

/// A command on a terminal of 80 columns and 24 lines.
struct Terminal {
    child: Killed,
    /// The end of the terminal where its user sits.
    user: File,
    /// What the command has written.
    screen: Arc<Mutex<Vec<u8>>>,
}

impl Terminal {
    fn run(home: &Path, line: &str) -> Terminal {
        let user = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
        grantpt(&user).unwrap();
        unlockpt(&user).unwrap();
        let size = Winsize {
            ws_row: 24,
            ws_col: 80,
            ws_xpixel: 0,
            ws_ypixel: 0,
        };
        tcsetwinsize(&user, size).unwrap();
        let name = ptsname(&user, Vec::new()).unwrap();
        let name = OsStr::from_bytes(name.as_bytes()).to_owned();
        let open = || File::options().read(true).write(true).open(&name).unwrap();
        let mut command = shell(home, &format!("exec {line}"));
        command.stdin(open()).stdout(open()).stderr(Stdio::null());
        let child = Killed(command.spawn().unwrap());
        let user = File::from(user);
        let screen = Arc::new(Mutex::new(Vec::new()));
        let (mut from, written) = (user.try_clone().unwrap(), Arc::clone(&screen));
        std::thread::spawn(move || {
            let mut bytes = [0; 4096];
            // An error means that the command, and with it the terminal, is gone.
            while let Ok(count) = from.read(&mut bytes) {
                written.lock().unwrap().extend(&bytes[..count]);
            }
        });
        Terminal {
            child,
            user,
            screen,
        }
    }

    fn screen(&self) -> String {
        String::from_utf8_lossy(&self.screen.lock().unwrap()).into_owned()
    }

    #[track_caller]
    fn shows(&self, text: &str) {
        poll(|| self.screen().contains(text).then_some(()));
    }

    /// Whether the terminal shows what is typed.
    fn echoes(&self) -> bool {
        let modes = tcgetattr(&self.user).unwrap().local_modes;
        modes.contains(LocalModes::ECHO | LocalModes::ICANON | LocalModes::ISIG)
    }

    #[track_caller]
    fn ends(&mut self) {
        let status = poll(|| self.child.0.try_wait().unwrap());
        assert_eq!(status.code(), Some(0), "{}", self.screen());
    }
}

#[test]
fn a_list_on_a_terminal_has_a_bold_heading_and_fits() {
    let process = started();
    let home = process.home();
    run(
        home,
        "user add ana.with.a.long.address@mail.example.org --name Ana",
    );
    let mut list = Terminal::run(home, "doorward user list");
    list.ends();
    list.shows("\x1b[1mID ");
    list.shows("…");
    let mut plain = Terminal::run(home, "env NO_COLOR=1 doorward user list");
    plain.ends();
    plain.shows("…");
    assert!(!plain.screen().contains('\x1b'), "{}", plain.screen());
}

#[test]
fn what_removes_for_good_is_asked_on_a_terminal() {
    let process = started();
    let home = process.home();
    run(home, "user add ana@example.org --name Ana");
    for (answer, code, left) in [("no\n", 1, true), ("yes\n", 0, false)] {
        let mut delete = Terminal::run(home, "doorward user delete ana@example.org");
        delete.user.write_all(answer.as_bytes()).unwrap();
        let status = poll(|| delete.child.0.try_wait().unwrap());
        assert_eq!(status.code(), Some(code), "{answer}");
        assert_eq!(run(home, "user list").contains("ana@"), left);
    }
}

#[test]
fn top_is_drawn_until_a_key_or_a_signal_and_leaves_the_terminal_as_it_was() {
    let process = started();
    for end in ["q", "\x03", ""] {
        let mut top = Terminal::run(process.home(), "doorward top");
        top.shows("requests");
        poll(|| (top.screen().matches("requests").count() > 1).then_some(()));
        assert!(!top.echoes());
        if end.is_empty() {
            terminate(&top.child.0);
        }
        top.user.write_all(end.as_bytes()).unwrap();
        top.ends();
        assert!(top.echoes());
        top.shows("\x1b[?1049l");
    }
}

#[test]
fn top_prints_a_frame_without_a_terminal_and_needs_a_server() {
    let mut process = started();
    let home = process.home().to_owned();
    run(&home, "user add ana@example.org --name Ana");
    let frame = run(&home, "top");
    assert!(frame.starts_with("doorward 0."), "{frame}");
    assert!(frame.contains("stored     1 accounts, "), "{frame}");
    assert!(frame.contains("add_user (admin)"), "{frame}");
    assert!(
        !frame.contains('\x1b') && !frame.contains("metrics ("),
        "{frame}"
    );
    process.terminate();
    process.ends();
    fails(&home, "top", 1, "only a running server can be watched");
}
