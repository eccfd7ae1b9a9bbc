//! The load: `wrk` with one thread. A Lua script chooses the requests and prints a line with the
//! results at the end.

use std::fmt::Write;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};

use crate::outcome::Outcome;

/// The requests that wrk sends over and over.
pub(crate) struct Load {
    pub(crate) method: &'static str,
    pub(crate) path: String,
    pub(crate) token: Option<String>,
    /// The bodies are sent in turn; empty for requests without a body.
    pub(crate) bodies: Vec<String>,
}

/// The results of a run.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Run {
    pub(crate) per_second: f64,
    pub(crate) p99_ms: f64,
    /// Requests without an answer, or with a status of 400 or above.
    pub(crate) failed: u64,
}

/// A run that is under way.
pub(crate) struct Running {
    child: Child,
}

/// Lua renders all requests before the first is sent, so that during the run it only chooses the
/// next one.
const SCRIPT: &str = r#"
local requests, turn = {}, 0
function init(args)
  wrk.headers["Content-Type"] = body_file and "application/json" or nil
  if body_file then
    for body in io.lines(body_file) do
      requests[#requests + 1] = wrk.format(nil, nil, nil, body)
    end
  end
end
function done(summary, latency, _)
  local e = summary.errors
  io.write(string.format("RESULT %d %d %d %f\n", summary.requests, summary.duration,
    e.connect + e.read + e.write + e.timeout + e.status, latency:percentile(99.0)))
end
"#;

/// Only used with bodies: without this function wrk repeats one request and does not call Lua.
const ROTATE: &str = r"
function request()
  turn = turn % #requests + 1
  return requests[turn]
end
";

/// Whether wrk is installed.
pub(crate) fn is_there() -> bool {
    Command::new("wrk")
        .arg("-v")
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok()
}

/// Sends `load` to a port and waits until the run ends.
pub(crate) fn run(load: &Load, port: u16, connections: u32, seconds: u32) -> Outcome<Run> {
    start(load, port, connections, seconds)?.finish()
}

/// Starts to send `load` and returns at once.
pub(crate) fn start(load: &Load, port: u16, connections: u32, seconds: u32) -> Outcome<Running> {
    let script = write_script(load)?;
    let child = Command::new("wrk")
        .args([
            "-t1",
            &format!("-c{connections}"),
            &format!("-d{seconds}s"),
            "--timeout",
            "30s",
            "-s",
        ])
        .arg(script)
        .arg(format!("http://127.0.0.1:{port}{}", load.path))
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()?;
    Ok(Running { child })
}

impl Running {
    pub(crate) fn finish(self) -> Outcome<Run> {
        let output = self.child.wait_with_output()?;
        let text = String::from_utf8_lossy(&output.stdout);
        read(&text).ok_or_else(|| format!("wrk said nothing that can be read:\n{text}").into())
    }
}

fn read(text: &str) -> Option<Run> {
    let line = text.lines().find_map(|line| line.strip_prefix("RESULT "))?;
    let mut numbers = line.split(' ').map(str::parse::<f64>);
    let mut next = || numbers.next()?.ok();
    let (requests, micros, failed, p99_micros) = (next()?, next()?, next()?, next()?);
    let run = Run {
        per_second: requests / micros * 1e6,
        p99_ms: p99_micros / 1e3,
        failed: failed as u64,
    };
    Some(run)
}

fn write_script(load: &Load) -> Outcome<PathBuf> {
    let directory = crate::outcome::bench_directory()?;
    let mut script = format!("wrk.method = \"{}\"\n", load.method);
    if let Some(token) = &load.token {
        writeln!(
            script,
            "wrk.headers[\"Authorization\"] = \"Bearer {token}\""
        )?;
    }
    if load.bodies.is_empty() {
        script += "local body_file = nil\n";
    } else {
        let bodies = unique(&directory, "bodies");
        fs::write(&bodies, load.bodies.join("\n"))?;
        writeln!(
            script,
            "local body_file = {:?}",
            bodies.display().to_string()
        )?;
    }
    script += SCRIPT;
    if !load.bodies.is_empty() {
        script += ROTATE;
    }
    let path = unique(&directory, "lua");
    fs::write(&path, script)?;
    Ok(path)
}

/// A new file name for each call, because two loads may run at once.
fn unique(directory: &Path, ending: &str) -> PathBuf {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    directory.join(format!(
        "load-{}.{ending}",
        NEXT.fetch_add(1, Ordering::Relaxed)
    ))
}
