//! A conversation with a mail server (RFC 5321), one step at a time. Each step has a deadline, and
//! each reply a largest size, so a slow or hostile server costs neither time nor memory without
//! bound.

use std::fmt::Display;
use std::sync::Arc;
use std::time::Duration;

use lettre::Address;
use lettre::transport::smtp::authentication::{Credentials, Mechanism};
use lettre::transport::smtp::commands::{Auth, Data, Ehlo, Mail as MailFrom, Quit, Rcpt, Starttls};
use lettre::transport::smtp::extension::{ClientId, MailBodyParameter, MailParameter};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::ClientConfig;
use tokio_rustls::rustls::pki_types::ServerName;

use super::refusal::{Refusal, Scope};
use super::reply::Reply;
use crate::service::message::Mail;

/// The largest reply to a command, in bytes. RFC 5321 (4.5.3.1.5) has lines of 512 bytes; the
/// longest reply is that to `EHLO`, a line for each extension.
const REPLY_BYTES: u64 = 16 * 1024;

/// How long to wait for the answer to QUIT: nothing depends on it.
const LEAVE: Duration = Duration::from_secs(5);

trait Stream: AsyncRead + AsyncWrite + Send + Unpin {}
impl<S: AsyncRead + AsyncWrite + Send + Unpin> Stream for S {}

/// Is told the name of each step and what came of it, for `doorward mail test`.
pub(super) type Report<'a> = &'a mut (dyn FnMut(&str, &str) + Send);

/// An open conversation.
pub(super) struct Connection {
    stream: BufReader<Box<dyn Stream>>,
    timeout: Duration,
    extensions: Vec<String>,
}

impl Connection {
    /// Connects in clear and reads no byte yet.
    pub(super) async fn open(
        address: (&str, u16),
        timeout: Duration,
        report: Report<'_>,
    ) -> Result<Connection, Refusal> {
        let (host, port) = address;
        let connecting = tokio::time::timeout(timeout, TcpStream::connect(address)).await;
        let stream = connecting
            .map_err(|_| Refusal::silent("connect", timeout))?
            .map_err(|error| Refusal::broken("connect", &error))?;
        report("connect", &format!("connected to {host} port {port}"));
        Ok(Connection {
            stream: BufReader::new(Box::new(stream)),
            timeout,
            extensions: Vec::new(),
        })
    }

    /// Encrypts what follows. Bytes that the server sent in clear before are an error: an attacker
    /// could have put them there (CVE-2011-0411).
    pub(super) async fn encrypt(
        self,
        config: Arc<ClientConfig>,
        name: ServerName<'static>,
        report: Report<'_>,
    ) -> Result<Connection, Refusal> {
        let Connection {
            stream, timeout, ..
        } = self;
        if !stream.buffer().is_empty() {
            return Err(Refusal::broken("TLS", &"the server sent bytes before it"));
        }
        let handshake = TlsConnector::from(config).connect(name, stream.into_inner());
        let stream = tokio::time::timeout(timeout, handshake)
            .await
            .map_err(|_| Refusal::silent("TLS", timeout))?
            .map_err(|error| Refusal::broken("TLS", &error))?;
        let version = stream.get_ref().1.protocol_version();
        report(
            "TLS",
            &version.map_or(String::new(), |it| format!("{it:?}")),
        );
        Ok(Connection {
            stream: BufReader::new(Box::new(stream)),
            timeout,
            extensions: Vec::new(),
        })
    }

    /// Reads the server's greeting.
    pub(super) async fn greeting(&mut self, report: Report<'_>) -> Result<(), Refusal> {
        let read = self.exchange("greeting", "", Scope::Server, report);
        read.await.map(drop)
    }

    /// Says this machine's name and learns the server's extensions.
    pub(super) async fn ehlo(
        &mut self,
        name: &ClientId,
        report: Report<'_>,
    ) -> Result<(), Refusal> {
        let reply = self
            .exchange("EHLO", Ehlo::new(name.clone()), Scope::Server, report)
            .await?;
        let lines = reply.lines().skip(1);
        self.extensions = lines.map(str::to_ascii_uppercase).collect();
        Ok(())
    }

    /// Asks to encrypt what follows.
    pub(super) async fn starttls(&mut self, report: Report<'_>) -> Result<(), Refusal> {
        if !self.offers("STARTTLS") {
            return Err(Refusal::missing(
                "STARTTLS",
                "does not offer STARTTLS, so nothing was sent",
            ));
        }
        self.exchange("STARTTLS", Starttls, Scope::Server, report)
            .await
            .map(drop)
    }

    /// Logs in, by `PLAIN` (RFC 4616) or else by `LOGIN`.
    pub(super) async fn log_in(
        &mut self,
        credentials: Credentials,
        report: Report<'_>,
    ) -> Result<(), Refusal> {
        let auth = self.extension("AUTH").unwrap_or_default();
        let offered = |name: &str| auth.split_ascii_whitespace().any(|it| it == name);
        let mechanism = if offered("PLAIN") {
            Mechanism::Plain
        } else if offered("LOGIN") {
            Mechanism::Login
        } else {
            return Err(Refusal::missing("AUTH", "offers neither PLAIN nor LOGIN"));
        };
        let mut command = Auth::new(mechanism, credentials.clone(), None);
        // `LOGIN` asks twice.
        for _ in 0..3 {
            let line = command.map_err(|error| Refusal::broken("AUTH", &error))?;
            let reply = self.exchange("AUTH", line, Scope::Server, report).await?;
            if reply.code != 334 {
                return Ok(());
            }
            let challenge = reply.response().ok_or_else(|| Refusal::rubbish("AUTH"))?;
            command = Auth::new_from_response(mechanism, credentials.clone(), &challenge);
        }
        Err(Refusal::missing("AUTH", "asks for ever more"))
    }

    /// Hands over one message. `Ok` is the server's promise that it has the message.
    pub(super) async fn send(&mut self, mail: &Mail, report: Report<'_>) -> Result<(), Refusal> {
        let sender = MailFrom::new(mail.envelope.from().cloned(), self.parameters(mail)?);
        self.exchange("MAIL FROM", sender, Scope::Server, report)
            .await?;
        for to in mail.envelope.to() {
            let recipient = Rcpt::new(to.clone(), Vec::new());
            self.exchange("RCPT TO", recipient, Scope::Mail, report)
                .await?;
        }
        let go_on = self.exchange("DATA", Data, Scope::Mail, report).await?;
        if go_on.code != 354 {
            return Err(Refusal::rubbish("DATA"));
        }
        let text = dot_stuffed(&mail.bytes);
        let sent = self.exchange("message", text, Scope::Mail, report).await;
        sent.map(drop)
    }

    /// What a mail with characters beyond ASCII needs (RFC 6152, RFC 6531).
    fn parameters(&self, mail: &Mail) -> Result<Vec<MailParameter>, Refusal> {
        let mut parameters = Vec::new();
        let envelope = &mail.envelope;
        let mut addresses = envelope.from().into_iter().chain(envelope.to());
        if !addresses.all(|it| <Address as AsRef<str>>::as_ref(it).is_ascii()) {
            if !self.offers("SMTPUTF8") {
                let lacks = "does not take addresses that are not ASCII (SMTPUTF8)";
                return Err(Refusal::unfit("RCPT TO", lacks));
            }
            parameters.push(MailParameter::SmtpUtfEight);
        }
        if !mail.bytes.is_ascii() && self.offers("8BITMIME") {
            parameters.push(MailParameter::Body(MailBodyParameter::EightBitMime));
        }
        Ok(parameters)
    }

    /// Ends the conversation; the server's answer does not matter any more.
    pub(super) async fn quit(mut self) {
        self.timeout = self.timeout.min(LEAVE);
        let _ = self
            .exchange("QUIT", Quit, Scope::Server, &mut |_, _| ())
            .await;
    }

    fn extension(&self, name: &str) -> Option<&str> {
        self.extensions.iter().find_map(|line| {
            let (keyword, rest) = line.split_once([' ', '=']).unwrap_or((line, ""));
            (keyword == name).then_some(rest)
        })
    }

    fn offers(&self, name: &str) -> bool {
        self.extension(name).is_some()
    }

    /// Sends a command and reads the reply, both before the deadline. `scope` says whom a reply of
    /// 4xx or 5xx concerns.
    async fn exchange(
        &mut self,
        step: &'static str,
        command: impl Display,
        scope: Scope,
        report: Report<'_>,
    ) -> Result<Reply, Refusal> {
        let command = command.to_string();
        let stream = &mut self.stream;
        let talk = async {
            stream.get_mut().write_all(command.as_bytes()).await?;
            stream.get_mut().flush().await?;
            Reply::read(&mut (&mut *stream).take(REPLY_BYTES)).await
        };
        let reply = tokio::time::timeout(self.timeout, talk)
            .await
            .map_err(|_| Refusal::silent(step, self.timeout))?
            .map_err(|error| Refusal::broken(step, &error))?;
        report(step, &reply.shown());
        if reply.is_positive() {
            Ok(reply)
        } else {
            Err(Refusal::answered(step, &reply, scope))
        }
    }
}

/// The message as it follows `DATA`: a line that begins with a dot gets another one, and a lone dot
/// ends it (RFC 5321, section 4.5.2).
fn dot_stuffed(message: &[u8]) -> String {
    let text = String::from_utf8_lossy(message);
    let mut stuffed = String::with_capacity(text.len() + 8);
    for line in text.lines() {
        if line.starts_with('.') {
            stuffed.push('.');
        }
        stuffed.push_str(line);
        stuffed.push_str("\r\n");
    }
    stuffed.push_str(".\r\n");
    stuffed
}
