//! Asks the running server over its control socket: for an answer as a whole, or for a stream.

use std::convert::Infallible;
use std::error::Error;
use std::fmt;
use std::future::pending;
use std::io::{self, ErrorKind, Write};
use std::path::{Path, PathBuf};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Body, Bytes, Incoming};
use hyper::client::conn::http1;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Method, Request, StatusCode};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::UnixStream;
use tokio::runtime::{Builder, Runtime};
use tokio::time::error::Elapsed;
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
    /// What came cannot be written where it was to go.
    Unwritten(io::Error),
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
        let exchange = self.exchange(method, path, body, async |status, body| {
            let body = body.collect().await.map_err(failed)?.to_bytes();
            Ok(Answer { status, body })
        });
        let in_time = async { timeout(PATIENCE, exchange).await.unwrap_or_else(too_slow) };
        runtime()?.block_on(in_time)
    }

    /// Sends a GET request whose answer is a stream, and writes the stream as it comes. The server
    /// waits while it is written.
    pub(super) fn stream(&self, path: &str, to: &mut dyn Write) -> Result<(), ControlError> {
        let exchange = self.exchange(Method::GET, path, Bytes::new(), async |status, body| {
            pass_on(status, body, to).await
        });
        runtime()?.block_on(exchange)
    }

    /// Sends a request, and lets `read` read the answer.
    async fn exchange<T>(
        &self,
        method: Method,
        path: &str,
        body: Bytes,
        read: impl AsyncFnOnce(StatusCode, Incoming) -> Result<T, ControlError>,
    ) -> Result<T, ControlError> {
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
        let answer = async move {
            let sent = timeout(PATIENCE, sender.send_request(request)).await;
            let (head, body) = sent.or_else(too_slow)?.map_err(failed)?.into_parts();
            read(head.status, body).await
        };
        // The answer may still be read when the connection has ended, and not the other way round.
        let connection = async {
            let _ = connection.await;
            pending::<Infallible>().await
        };
        tokio::select! {
            answer = answer => answer,
            never = connection => match never {},
        }
    }
}

/// Writes the body of a success as it comes. An error is what the server says of it.
pub(super) async fn pass_on<B>(
    status: StatusCode,
    mut body: B,
    to: &mut dyn Write,
) -> Result<(), ControlError>
where
    B: Body<Data = Bytes> + Unpin,
    B::Error: fmt::Display,
{
    if !status.is_success() {
        let body = body.collect().await.map_err(failed)?.to_bytes();
        return Answer { status, body }.value().map(drop);
    }
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(broken_off)?;
        if let Some(bytes) = frame.data_ref() {
            to.write_all(bytes).map_err(ControlError::Unwritten)?;
        }
    }
    to.flush().map_err(ControlError::Unwritten)
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

fn broken_off(error: impl fmt::Display) -> ControlError {
    ControlError::Failed(format!(
        "the answer was broken off, and the log may say why ({error})"
    ))
}

/// There was no answer within `PATIENCE`.
fn too_slow<T>(_: Elapsed) -> Result<T, ControlError> {
    let seconds = PATIENCE.as_secs();
    let why = format!("it gave no answer within {seconds} s; its log may say why");
    Err(ControlError::Failed(why))
}

fn runtime() -> Result<Runtime, ControlError> {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.map_err(failed)
}

fn no_socket(error: io::Error) -> ControlError {
    match error.kind() {
        ErrorKind::NotFound | ErrorKind::ConnectionRefused => ControlError::NotRunning,
        ErrorKind::PermissionDenied => ControlError::Failed(
            "this user may not open its control socket; run this as root or as the user that \
             serves, or ask /api/admin with the administrator's token"
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
            ControlError::Unwritten(cause) => write!(f, "cannot write the output: {cause}"),
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_user_without_the_right_to_the_socket_hears_of_both_roads() {
        let denied = no_socket(ErrorKind::PermissionDenied.into()).to_string();
        for road in [
            "as root",
            "the user that serves",
            "the administrator's token",
        ] {
            assert!(denied.contains(road), "{denied}");
        }
    }
}
