//! Asks the running server over its control socket.

use std::error::Error;
use std::fmt;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::UnixStream;
use tokio::time::timeout;

use super::error::CliError;
use crate::server::ControlPath;

/// How long an answer may take. The server itself gives up earlier.
const PATIENCE: Duration = Duration::from_secs(30);

/// A client of the server whose data is in a directory.
pub(super) struct ControlClient {
    data: PathBuf,
}

/// An answer of the admin API.
pub(super) struct Answer {
    pub(super) status: StatusCode,
    pub(super) body: Bytes,
}

/// Why the server gave no answer, or refused.
#[derive(Debug)]
pub(super) enum ControlError {
    /// No server runs: there is no socket, or nothing listens on it.
    NotRunning,
    /// The server answered with an error: its status, and its sentence.
    Refused(StatusCode, String),
    /// The socket cannot be used.
    Failed(String),
}

impl ControlClient {
    /// A client of the server whose `storage.path` is `data`.
    pub(super) fn new(data: &Path) -> ControlClient {
        ControlClient {
            data: data.to_owned(),
        }
    }

    /// Sends a GET request, and returns the JSON of the answer.
    pub(super) fn get(&self, path: &str) -> Result<Value, ControlError> {
        self.send(Method::GET, path, Bytes::new())?.value()
    }

    /// Sends a POST request with a JSON body, and returns the JSON of the answer.
    pub(super) fn post(&self, path: &str, body: &Value) -> Result<Value, ControlError> {
        self.send(Method::POST, path, body.to_string().into())?
            .value()
    }

    /// Sends a request, and returns the answer.
    pub(super) fn send(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<Answer, ControlError> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build();
        let runtime = runtime.map_err(failed)?;
        let exchange = self.exchange(method, path, body);
        let answer = runtime.block_on(async { timeout(PATIENCE, exchange).await });
        answer.unwrap_or_else(|_| {
            let seconds = PATIENCE.as_secs();
            let why = format!("it gave no answer within {seconds} s; its log may say why");
            Err(ControlError::Failed(why))
        })
    }

    async fn exchange(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
    ) -> Result<Answer, ControlError> {
        let socket = ControlPath::of(&self.data).map_err(no_socket)?;
        let stream = UnixStream::connect(socket.path()).await;
        let stream = TokioIo::new(stream.map_err(no_socket)?);
        let (mut sender, connection) = http1::handshake(stream).await.map_err(failed)?;
        let request = Request::builder()
            .method(method)
            .uri(path)
            .header(HOST, "control")
            .header(CONTENT_TYPE, "application/json")
            .body(Full::new(body))
            .map_err(failed)?;
        // Dropping the sender after the answer ends the connection.
        let answer = async move {
            let (head, body) = sender.send_request(request).await?.into_parts();
            Ok::<_, hyper::Error>((head.status, body.collect().await?.to_bytes()))
        };
        let (_, answer) = tokio::join!(connection, answer);
        let (status, body) = answer.map_err(failed)?;
        Ok(Answer { status, body })
    }
}

impl Answer {
    /// The JSON of a success. An error is what the server says of it.
    pub(super) fn value(&self) -> Result<Value, ControlError> {
        let body = if self.body.is_empty() {
            b"null"
        } else {
            &*self.body
        };
        let value: Value = serde_json::from_slice(body).map_err(failed)?;
        if self.status.is_success() {
            return Ok(value);
        }
        let said = value.pointer("/error/message").and_then(Value::as_str);
        let said = said.map_or_else(|| format!("status {}", self.status), str::to_owned);
        Err(ControlError::Refused(self.status, said))
    }
}

fn failed(error: impl fmt::Display) -> ControlError {
    ControlError::Failed(error.to_string())
}

fn no_socket(error: io::Error) -> ControlError {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::ConnectionRefused => ControlError::NotRunning,
        ErrorKind::PermissionDenied => ControlError::Failed(
            "this user may not open its control socket; run this as root, or as the user that \
             serves"
                .to_owned(),
        ),
        _ => failed(error),
    }
}

impl fmt::Display for ControlError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            ControlError::NotRunning => f.write_str("the server does not run"),
            ControlError::Refused(_, said) => write!(f, "the server says: {said}"),
            ControlError::Failed(why) => write!(f, "cannot ask the server: {why}"),
        }
    }
}

impl Error for ControlError {}

impl From<ControlError> for CliError {
    fn from(error: ControlError) -> CliError {
        match &error {
            ControlError::Refused(StatusCode::NOT_FOUND, _) => {
                CliError::not_found(error.to_string())
            }
            ControlError::Refused(status, _) if status.is_client_error() => {
                CliError::refused(error.to_string())
            }
            _ => CliError::new(error.to_string()),
        }
    }
}
