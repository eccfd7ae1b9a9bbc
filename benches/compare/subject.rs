//! What is measured: the release binary as a process of its own, and the little HTTP that it takes
//! to furnish it.

use std::fs;
use std::io::{BufRead, BufReader, Read, Write};
use std::net::{Ipv4Addr, TcpListener, TcpStream};
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::outcome::Outcome;

/// The binary, which cargo has built with the profile of this bench.
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_doorward");
pub(crate) const PASSWORD: &str = "the password of a bench";
const PATIENCE: Duration = Duration::from_mins(2);
/// The file that says what was filled in.
const NOTE: &str = "filled.json";
/// An administrator's password, for a token of theirs.
pub(crate) const ADMIN: &str = "[admin]\npassword = \"the password of a bench\"\n";
/// The same, and cheap hashes while many accounts are made. Logins are measured with the default.
pub(crate) const CHEAP: &str = "[admin]\npassword = \"the password of a bench\"\n\
    [accounts]\nhash_memory = \"1MiB\"\nhash_passes = 1\n";

/// A child process that serves on a port of the loopback, and dies with its owner.
pub(crate) struct Killed {
    pub(crate) child: Child,
    pub(crate) port: u16,
}

impl Drop for Killed {
    fn drop(&mut self) {
        // It may be dead already, which is what was wanted.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Killed {
    /// Asks without a pause, so that the time it takes is the server's.
    pub(crate) fn wait_until_it_answers(&self, path: &str) -> Outcome<()> {
        let started = Instant::now();
        while started.elapsed() < PATIENCE {
            if let Ok(mut client) = Client::connect(self.port)
                && client.call("GET", path, None, "").is_ok()
            {
                return Ok(());
            }
        }
        Err(format!("nothing answers on port {}", self.port).into())
    }
}

/// A directory with a configuration and data.
pub(crate) struct Home {
    directory: PathBuf,
}

/// A port that was free a moment ago.
pub(crate) fn free_port() -> Outcome<u16> {
    Ok(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))?
        .local_addr()?
        .port())
}

impl Home {
    /// An empty one, in the place of an earlier one of that name.
    pub(crate) fn new(name: &str) -> Outcome<Home> {
        let directory = crate::outcome::bench_directory()?.join(name);
        if directory.exists() {
            fs::remove_dir_all(&directory)?;
        }
        Home::at(directory)
    }

    /// The one in this directory.
    pub(crate) fn at(directory: PathBuf) -> Outcome<Home> {
        fs::create_dir_all(&directory)?;
        Ok(Home { directory })
    }

    /// Where the database is.
    pub(crate) fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    /// Keeps a note beside the data.
    pub(crate) fn note(&self, text: &str) -> Outcome<()> {
        Ok(fs::write(self.directory.join(NOTE), text)?)
    }

    /// The note that was kept.
    pub(crate) fn noted(&self) -> Outcome<String> {
        let path = self.directory.join(NOTE);
        let text = fs::read_to_string(&path);
        text.map_err(|error| format!("{}: {error}: nothing was filled in", path.display()).into())
    }

    /// Starts the server with these further lines of configuration.
    pub(crate) fn start(&self, more: &str) -> Outcome<Killed> {
        let port = free_port()?;
        let config = self.directory.join("config.toml");
        let text = format!(
            "[server]\nlisten = \"127.0.0.1:{port}\"\n[storage]\npath = \"data\"\n\
             [limits]\nrates = false\nconnections_per_address = 4000\n[log]\nlevel = \"warn\"\n{more}"
        );
        fs::write(&config, text)?;
        // It may hold a password, and the server warns of those that others can read.
        fs::set_permissions(&config, fs::Permissions::from_mode(0o600))?;
        let child = Command::new(BINARY)
            .args(["serve", "--config"])
            .arg(config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()?;
        let server = Killed { child, port };
        server.wait_until_it_answers("/healthz")?;
        Ok(server)
    }

    /// What the data take on the disk, in bytes.
    pub(crate) fn disk_bytes(&self) -> Outcome<u64> {
        fn below(directory: &Path) -> std::io::Result<u64> {
            fs::read_dir(directory)?.try_fold(0, |sum, entry| {
                let entry = entry?;
                let about = entry.metadata()?;
                let inside = if about.is_dir() {
                    below(&entry.path())?
                } else {
                    0
                };
                Ok(sum + about.blocks() * 512 + inside)
            })
        }
        Ok(below(&self.data())?)
    }
}

/// Asks a server to stop, and waits until it has.
pub(crate) fn stop(mut server: Killed) -> Outcome<()> {
    let pid = rustix::process::Pid::from_child(&server.child);
    rustix::process::kill_process(pid, rustix::process::Signal::TERM)?;
    server.child.wait()?;
    Ok(())
}

/// Resident memory, in bytes.
pub(crate) fn resident_bytes(server: &Killed) -> Outcome<u64> {
    let status = fs::read_to_string(format!("/proc/{}/status", server.child.id()))?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let kib = line.and_then(|line| line.trim().trim_end_matches(" kB").parse::<u64>().ok());
    Ok(kib.ok_or("no VmRSS in /proc")? * 1024)
}

/// The most resident memory while `act` runs, in bytes, looked at every few milliseconds.
pub(crate) fn peak_bytes<T>(server: &Killed, act: impl FnOnce() -> T) -> Outcome<(T, u64)> {
    let (over, most) = (AtomicBool::new(false), AtomicU64::new(0));
    let done = thread::scope(|scope| {
        scope.spawn(|| {
            while !over.load(Ordering::Relaxed) {
                let now = resident_bytes(server).unwrap_or(0);
                most.fetch_max(now, Ordering::Relaxed);
                thread::sleep(Duration::from_millis(5));
            }
        });
        let done = act();
        over.store(true, Ordering::Relaxed);
        done
    });
    Ok((done, most.into_inner().max(resident_bytes(server)?)))
}

/// One kept-alive connection.
pub(crate) struct Client {
    stream: BufReader<TcpStream>,
}

impl Client {
    pub(crate) fn connect(port: u16) -> Outcome<Client> {
        let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port))?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        Ok(Client {
            stream: BufReader::new(stream),
        })
    }

    /// Sends one request; the body of its answer, which must be a good one.
    pub(crate) fn call(
        &mut self,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: &str,
    ) -> Outcome<String> {
        let (status, length) = self.send(method, path, token, body)?;
        let mut answer = vec![0; length.unwrap_or(0)];
        self.stream.read_exact(&mut answer)?;
        let answer = String::from_utf8(answer)?;
        if !(200..300).contains(&status) {
            return Err(format!("{method} {path}: {status} {answer}").into());
        }
        Ok(answer)
    }

    /// Asks for something that may not be there, which is none.
    pub(crate) fn get(&mut self, path: &str, token: &str) -> Outcome<Option<String>> {
        match self.call("GET", path, Some(token), "") {
            Err(error) if error.to_string().contains(&format!("{path}: 404 ")) => Ok(None),
            answer => answer.map(Some),
        }
    }

    /// Asks for a stream: how many lines came, and how many bytes.
    pub(crate) fn drain(&mut self, path: &str, token: &str) -> Outcome<Option<(u64, u64)>> {
        let (status, length) = self.send("GET", path, Some(token), "")?;
        let (mut lines, mut bytes) = (0, 0);
        let mut take = |stream: &mut BufReader<TcpStream>, mut left: usize| -> Outcome<()> {
            while left > 0 {
                let piece = stream.fill_buf()?;
                let piece = piece.get(..left.min(piece.len())).unwrap_or_default();
                let got = piece.len();
                if got == 0 {
                    return Err("the stream has broken off".into());
                }
                lines += piece.split(|byte| *byte == b'\n').count() as u64 - 1;
                bytes += got as u64;
                stream.consume(got);
                left -= got;
            }
            Ok(())
        };
        if let Some(length) = length {
            take(&mut self.stream, length)?;
        } else {
            // Chunks (RFC 9112, 7.1), the last of which is empty.
            loop {
                let mut line = String::new();
                self.stream.read_line(&mut line)?;
                let chunk = usize::from_str_radix(line.trim(), 16)?;
                take(&mut self.stream, chunk)?;
                self.stream.read_line(&mut line)?;
                if chunk == 0 {
                    break;
                }
            }
        }
        match status {
            200 => Ok(Some((lines, bytes))),
            404 => Ok(None),
            _ => Err(format!("GET {path}: {status}").into()),
        }
    }

    /// Sends one request and reads the head of its answer: its status, and the length of the body
    /// unless that comes in chunks.
    fn send(
        &mut self,
        method: &str,
        path: &str,
        token: Option<&str>,
        body: &str,
    ) -> Outcome<(u16, Option<usize>)> {
        let token = token.map_or(String::new(), |it| {
            format!("Authorization: Bearer {it}\r\n")
        });
        let length = body.len();
        let request = format!(
            "{method} {path} HTTP/1.1\r\nHost: bench\r\n{token}Content-Type: application/json\r\n\
             Content-Length: {length}\r\n\r\n{body}"
        );
        self.stream.get_mut().write_all(request.as_bytes())?;
        let mut line = String::new();
        self.stream.read_line(&mut line)?;
        let status = line.split(' ').nth(1).and_then(|code| code.parse().ok());
        let status = status.ok_or_else(|| format!("{method} {path}: no answer: {line:?}"))?;
        let (mut length, mut chunked) = (0, false);
        loop {
            let mut line = String::new();
            self.stream.read_line(&mut line)?;
            let line = line.trim().to_ascii_lowercase();
            match line.split_once(':') {
                Some(("content-length", value)) => length = value.trim().parse()?,
                Some(("transfer-encoding", value)) => chunked = value.trim() == "chunked",
                Some(_) => {}
                None => return Ok((status, Some(length).filter(|_| !chunked))),
            }
        }
    }

    /// Sends JSON; the text under `field` of the answer.
    pub(crate) fn ask(&mut self, path: &str, body: &Value, field: &str) -> Outcome<String> {
        let answer: Value =
            serde_json::from_str(&self.call("POST", path, None, &body.to_string())?)?;
        let text = answer.get(field).and_then(Value::as_str);
        Ok(text
            .ok_or_else(|| format!("{path}: no {field} in {answer}"))?
            .to_owned())
    }

    /// Makes an account: its id and the token of its first session.
    pub(crate) fn sign_up(&mut self, email: &str) -> Outcome<(String, String)> {
        let body = json!({"name": "Bench", "email": email, "password": PASSWORD}).to_string();
        let answer: Value = serde_json::from_str(&self.call("POST", "/v1/user", None, &body)?)?;
        let text = |field: &str| answer.get(field).and_then(Value::as_str).map(str::to_owned);
        text("user_id")
            .zip(text("id"))
            .ok_or_else(|| "a session without an id".into())
    }
}
