//! Runs the examples of the manual, one after the other, as a shell does.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::process::SETTINGS;
use super::streams::{first_line, log_in, report};
use super::{json, started};

/// The examples of the section of docs/operations.md about the commands.
fn examples() -> Vec<String> {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operations.md");
    let text = fs::read_to_string(file).unwrap();
    let (_, section) = text.split_once("\n## Commands\n").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let blocks = section.split("```sh\n").skip(1);
    let lines = blocks.flat_map(|block| block.split("```").next().unwrap().lines());
    lines.map(str::to_owned).collect()
}

/// A shell for a line of the manual, in a directory whose server it commands.
pub(super) fn shell(home: &Path, line: &str) -> Command {
    let config = home.join("manual.toml");
    fs::write(&config, SETTINGS).unwrap();
    let program = Path::new(env!("CARGO_BIN_EXE_doorward")).parent().unwrap();
    let others = env::var_os("PATH").unwrap();
    let paths = env::split_paths(&others).collect::<Vec<PathBuf>>();
    let paths = [vec![program.to_owned()], paths].concat();
    let mut shell = Command::new("sh");
    shell
        .args(["-ec", line])
        .current_dir(home)
        .env("PATH", env::join_paths(paths).unwrap())
        .env("DOORWARD_CONFIG", config);
    shell
}

#[test]
fn the_examples_of_the_manual_work_one_after_the_other() {
    let process = started();
    let examples = examples();
    assert!(examples.len() > 10, "{examples:?}");
    let token = log_in(&process);
    for line in examples {
        if line.contains(" live") {
            let user = json(process.home(), "user show ana@example.org")["id"].clone();
            let line = first_line(shell(process.home(), &format!("exec {line}")), || {
                report(&process, &token, user.as_str().unwrap(), 1);
                log_in(&process);
            });
            assert!(
                line.contains("started") || line.contains("log_in"),
                "{line}"
            );
            continue;
        }
        let ran = shell(process.home(), &line).output().unwrap();
        let said = String::from_utf8([ran.stdout, ran.stderr].concat()).unwrap();
        assert!(ran.status.success(), "{line}: {said}");
    }
}
