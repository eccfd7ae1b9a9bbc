//! A mail server of a test: it follows the protocol but for one step, at which it misbehaves.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::pem::PemObject;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer};
use tokio_rustls::rustls::{ServerConfig, ServerConnection, StreamOwned};

/// What the server does at a step.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Trick {
    /// It answers this, line breaks included.
    Says(&'static str),
    /// It never answers.
    Hangs,
    /// It ends the connection.
    Leaves,
    /// It sends a line that never ends.
    Floods,
    /// It refuses, and repeats all that it was sent since the last answer.
    Echoes,
}

/// How the server encrypts.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Encryption {
    None,
    Tls,
    StartTls,
}

/// A server that runs until the test's process ends.
pub(crate) struct SmtpServer {
    pub(crate) port: u16,
    state: Arc<State>,
}

struct State {
    trick: Option<(&'static str, Trick)>,
    encryption: Encryption,
    connections: AtomicUsize,
    /// Every line that was received, messages included.
    heard: Mutex<String>,
}

impl SmtpServer {
    /// A server without faults.
    pub(crate) fn start() -> SmtpServer {
        SmtpServer::with(None, Encryption::None)
    }

    /// A server that does this at this step: "greeting", the name of a command, or "text".
    pub(crate) fn tricky(step: &'static str, trick: Trick) -> SmtpServer {
        SmtpServer::with(Some((step, trick)), Encryption::None)
    }

    pub(crate) fn with(trick: Option<(&'static str, Trick)>, encryption: Encryption) -> SmtpServer {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let state = Arc::new(State {
            trick,
            encryption,
            connections: AtomicUsize::new(0),
            heard: Mutex::default(),
        });
        let shared = Arc::clone(&state);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let state = Arc::clone(&shared);
                state.connections.fetch_add(1, Ordering::SeqCst);
                // An error is the client's leaving.
                std::thread::spawn(move || state.serve(stream.unwrap()));
            }
        });
        SmtpServer { port, state }
    }

    /// The settings with which doorward uses this server, one step at most a second.
    pub(crate) fn settings(&self) -> String {
        let security = match self.state.encryption {
            Encryption::None => "none",
            Encryption::Tls => "tls",
            Encryption::StartTls => "starttls",
        };
        format!(
            "mail.transport = \"smtp\"\nmail.host = \"localhost\"\nmail.port = {}\n\
             mail.security = \"{security}\"\nmail.timeout = \"1s\"\n",
            self.port
        )
    }

    /// All that the server has received.
    pub(crate) fn heard(&self) -> String {
        self.state.heard.lock().unwrap().clone()
    }

    pub(crate) fn connections(&self) -> usize {
        self.state.connections.load(Ordering::SeqCst)
    }
}

impl State {
    fn serve(&self, stream: TcpStream) -> Option<()> {
        match self.encryption {
            Encryption::None => Talk::new(self, stream).go_on(true, ""),
            Encryption::Tls => Talk::new(self, encrypted(stream)).go_on(true, ""),
            Encryption::StartTls => {
                Talk::new(self, stream.try_clone().unwrap()).go_on(true, "250-STARTTLS\r\n")?;
                Talk::new(self, encrypted(stream)).go_on(false, "")
            }
        }
    }
}

fn encrypted(stream: TcpStream) -> StreamOwned<ServerConnection, TcpStream> {
    let fixture = |name| format!("{}/tests/it/fixtures/{name}", env!("CARGO_MANIFEST_DIR"));
    let certificate = CertificateDer::from_pem_file(fixture("cert.pem")).unwrap();
    let key = PrivateKeyDer::from_pem_file(fixture("key.pem")).unwrap();
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate], key)
        .unwrap();
    StreamOwned::new(ServerConnection::new(Arc::new(config)).unwrap(), stream)
}

/// One connection.
struct Talk<'a, S> {
    state: &'a State,
    stream: BufReader<S>,
    /// What was received since the last answer.
    latest: String,
}

impl<'a, S: Read + Write> Talk<'a, S> {
    fn new(state: &'a State, stream: S) -> Talk<'a, S> {
        let stream = BufReader::new(stream);
        let latest = String::new();
        Talk {
            state,
            stream,
            latest,
        }
    }

    /// Answers until the client leaves (none), or until the encryption begins.
    fn go_on(mut self, greets: bool, offers: &str) -> Option<()> {
        if greets {
            self.answer("greeting", "220 mail.example.org ready\r\n")?;
        }
        loop {
            let line = self.line()?;
            let command = line.split([' ', '\r']).next()?.to_ascii_uppercase();
            match command.as_str() {
                "EHLO" => {
                    let offers = format!("{offers}250-AUTH PLAIN LOGIN\r\n250 8BITMIME\r\n");
                    self.answer("EHLO", &format!("250-mail.example.org\r\n{offers}"))?;
                }
                "STARTTLS" => return self.answer("STARTTLS", "220 go on\r\n"),
                "AUTH" => self.answer("AUTH", "235 welcome\r\n")?,
                "DATA" => {
                    self.answer("DATA", "354 go on\r\n")?;
                    if self.state.trick.is_some_and(|(step, _)| step == "DATA") {
                        continue;
                    }
                    while self.line()? != ".\r\n" {}
                    self.answer("text", "250 taken as 4711\r\n")?;
                }
                "QUIT" => return self.answer("QUIT", "221 bye\r\n").and(None),
                "MAIL" => self.answer("MAIL", "250 fine\r\n")?,
                "RCPT" => self.answer("RCPT", "250 fine\r\n")?,
                _ => self.answer("other", "500 what?\r\n")?,
            }
        }
    }

    fn line(&mut self) -> Option<String> {
        let mut line = String::new();
        self.stream
            .read_line(&mut line)
            .ok()
            .filter(|bytes| *bytes > 0)?;
        self.latest += &line;
        *self.state.heard.lock().unwrap() += &line;
        Some(line)
    }

    fn answer(&mut self, step: &str, usual: &str) -> Option<()> {
        let trick = self.state.trick.filter(|(at, _)| *at == step);
        let latest = std::mem::take(&mut self.latest);
        let stream = self.stream.get_mut();
        let mut say = |text: &str| {
            stream.write_all(text.as_bytes()).ok()?;
            stream.flush().ok()
        };
        match trick.map(|(_, trick)| trick) {
            None => say(usual),
            Some(Trick::Says(text)) => say(text),
            Some(Trick::Leaves) => None,
            Some(Trick::Hangs) => {
                // Until the client gives up.
                let _ = std::io::copy(&mut self.stream, &mut std::io::sink());
                None
            }
            Some(Trick::Floods) => loop {
                say(&"x".repeat(64 << 10))?;
            },
            Some(Trick::Echoes) => say(&format!("550 spam: {}\r\n", latest.replace("\r\n", " "))),
        }
    }
}
