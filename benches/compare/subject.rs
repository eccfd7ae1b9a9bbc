//! The measured program: the release binary as a separate process, and a small HTTP client to put
//! data into it.

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

/// The binary, which cargo builds with the profile of the bench.
pub(crate) const BINARY: &str = env!("CARGO_BIN_EXE_doorward");
pub(crate) const PASSWORD: &str = "the password of a bench";
const PATIENCE: Duration = Duration::from_mins(2);
/// The file in which `fill` records its result.
const NOTE: &str = "filled.json";
/// Configuration with an administrator's password, to get an administrator's token.
pub(crate) const ADMIN: &str = "[admin]\npassword = \"the password of a bench\"\n";
/// The same with cheap hashes, to make many accounts. Logins are measured with the default hashes.
pub(crate) const CHEAP: &str = "[admin]\npassword = \"the password of a bench\"\n\
    [accounts]\nhash_memory = \"1MiB\"\nhash_passes = 1\n";

/// A child process that serves on a loopback port. It is killed when this value is dropped.
pub(crate) struct Killed {
    pub(crate) child: Child,
    pub(crate) port: u16,
}

impl Drop for Killed {
    fn drop(&mut self) {
        // An error means that the process has already ended.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

impl Killed {
    /// Polls without a pause, so that it adds no time to the server's. Fails after two minutes.
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
    /// Makes an empty directory, and removes an earlier one of that name.
    pub(crate) fn new(name: &str) -> Outcome<Home> {
        let directory = crate::outcome::bench_directory()?.join(name);
        if directory.exists() {
            fs::remove_dir_all(&directory)?;
        }
        Home::at(directory)
    }

    /// Uses this directory with its contents, or makes it.
    pub(crate) fn at(directory: PathBuf) -> Outcome<Home> {
        fs::create_dir_all(&directory)?;
        Ok(Home { directory })
    }

    /// The directory of the database.
    pub(crate) fn data(&self) -> PathBuf {
        self.directory.join("data")
    }

    /// Writes the result of `fill` beside the data.
    pub(crate) fn note(&self, text: &str) -> Outcome<()> {
        Ok(fs::write(self.directory.join(NOTE), text)?)
    }

    /// Reads the result of `fill`. Fails if the directory was not filled.
    pub(crate) fn noted(&self) -> Outcome<String> {
        let path = self.directory.join(NOTE);
        let text = fs::read_to_string(&path);
        text.map_err(|error| format!("{}: {error}: nothing was filled in", path.display()).into())
    }

    /// Starts the server with these additional lines of configuration, and waits until it serves.
    pub(crate) fn start(&self, more: &str) -> Outcome<Killed> {
        let port = free_port()?;
        let config = self.directory.join("config.toml");
        let text = format!(
            "[server]\nlisten = \"127.0.0.1:{port}\"\n[storage]\npath = \"data\"\n\
             [limits]\nrates = false\nconnections_per_address = 4000\n[log]\nlevel = \"warn\"\n{more}"
        );
        fs::write(&config, text)?;
        // The file may hold a password, and the server warns if other users can read it.
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

    /// The disk space of the data, in bytes.
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

/// Sends SIGTERM to a server and waits until it has ended.
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

/// The peak of the resident memory while `act` runs, in bytes, sampled every 5 ms.
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

    /// Sends one request and returns the body of the answer. A status other than 2xx is an error.
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

    /// Sends a GET request and returns the body; `None` for a 404.
    pub(crate) fn get(&mut self, path: &str, token: &str) -> Outcome<Option<String>> {
        match self.call("GET", path, Some(token), "") {
            Err(error) if error.to_string().contains(&format!("{path}: 404 ")) => Ok(None),
            answer => answer.map(Some),
        }
    }

    /// Reads a stream to its end and returns the numbers of lines and bytes; `None` for a 404.
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
            // Chunks (RFC 9112, 7.1). The last one is empty.
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

    /// Sends one request and reads the head of the answer. Returns the status, and the length of
    /// the body unless it comes in chunks.
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

    /// Sends JSON with POST and returns the text in this field of the answer.
    pub(crate) fn ask(&mut self, path: &str, body: &Value, field: &str) -> Outcome<String> {
        let answer: Value =
            serde_json::from_str(&self.call("POST", path, None, &body.to_string())?)?;
        let text = answer.get(field).and_then(Value::as_str);
        Ok(text
            .ok_or_else(|| format!("{path}: no {field} in {answer}"))?
            .to_owned())
    }

    /// Signs up an account. Returns its id and the token of its first session.
    pub(crate) fn sign_up(&mut self, email: &str) -> Outcome<(String, String)> {
        let body = json!({"name": "Bench", "email": email, "password": PASSWORD}).to_string();
        let answer: Value = serde_json::from_str(&self.call("POST", "/v1/user", None, &body)?)?;
        let text = |field: &str| answer.get(field).and_then(Value::as_str).map(str::to_owned);
        text("user_id")
            .zip(text("id"))
            .ok_or_else(|| "a session without an id".into())
    }
}
