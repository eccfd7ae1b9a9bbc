//! One request to the admin API, and the ways to it.

use std::io::{self, ErrorKind, Write};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Once};

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::header::{CONTENT_TYPE, HOST};
use hyper::{Method, Request, Response};
use serde_json::Value;

use super::output::{Output, Progress};
use crate::api;
use crate::cli::control_client::{Answer, ControlClient, ControlError, pass_on};
use crate::cli::error::CliError;
use crate::cli::stopped_server::{self, Work};
use crate::cli::{opening, stderr};
use crate::config::Config;
use crate::http::{Dispatcher, PeerUid, ResponseBody};
use crate::model::Secret;
use crate::service::{self, Services};
use crate::world::{Clock, SystemClock};

const NO_SERVER: &str =
    "doorward: no server runs; this command opens the store itself and locks it meanwhile\n";

/// The admin API of the server of a configuration.
pub(super) struct Admin {
    config: Config,
    /// Whether the user knows that no server runs: a command may ask several times.
    says_no_server: Once,
}

impl Admin {
    pub(super) fn of(config: Config) -> Admin {
        Admin {
            config,
            says_no_server: Once::new(),
        }
    }

    pub(super) fn get(&self, path: &str) -> Result<Value, CliError> {
        self.send(Method::GET, path, None)
    }

    pub(super) fn post(&self, path: &str, body: &Value) -> Result<Value, CliError> {
        self.send(Method::POST, path, Some(body))
    }

    pub(super) fn patch(&self, path: &str, body: &Value) -> Result<Value, CliError> {
        self.send(Method::PATCH, path, Some(body))
    }

    pub(super) fn delete(&self, path: &str) -> Result<Value, CliError> {
        self.send(Method::DELETE, path, None)
    }

    /// Up to `limit` rows of a list, which may take several pages.
    pub(super) fn list(
        &self,
        path: &str,
        filters: &Filters,
        key: &str,
        limit: usize,
    ) -> Result<Vec<Value>, CliError> {
        const PAGE: usize = 1_000;
        let (mut rows, mut cursor) = (Vec::new(), None::<String>);
        let (clock, mut progress) = (SystemClock::start(), Progress::of_rows());
        while rows.len() < limit {
            let size = (limit - rows.len()).min(PAGE).to_string();
            let page = filters
                .clone()
                .with("limit", Some(&size))
                .with("cursor", cursor.as_deref());
            let mut page = self.get(&page.after(path))?;
            if let Some(Value::Array(some)) = page.get_mut(key).map(Value::take) {
                progress.add(some.len(), clock.monotonic());
                rows.extend(some);
            }
            cursor = page.get("next").and_then(Value::as_str).map(str::to_owned);
            if cursor.is_none() {
                break;
            }
        }
        Ok(rows)
    }

    fn send(&self, method: Method, path: &str, body: Option<&Value>) -> Result<Value, CliError> {
        let path = format!("/api/admin{path}");
        let body = body.map_or_else(Bytes::new, |body| body.to_string().into());
        let client = ControlClient::new(&self.config.storage.path);
        let answer = match client.send(method.clone(), &path, body.clone()) {
            Ok(answer) => answer,
            Err(ControlError::NotRunning) => self.without_server(method, &path, body)?,
            Err(error) => return Err(error.into()),
        };
        answer.value().map_err(CliError::from)
    }

    /// Writes a whole stream to an output. A reader that has enough ends it.
    pub(super) fn export(&self, path: &str, mut output: Output) -> Result<(), CliError> {
        let path = format!("/api/admin{path}");
        let client = ControlClient::new(&self.config.storage.path);
        let (output, written) = match client.stream(&path, &mut output) {
            Err(ControlError::NotRunning) => self.export_without_server(path, output)?,
            written => (output, written),
        };
        if reader_has_gone(&written) {
            return Ok(());
        }
        written?;
        output.finish()
    }

    /// Writes a live stream to an output until the reader has enough; only a server has one.
    pub(super) fn listen(&self, path: &str, mut to: impl Write) -> Result<(), CliError> {
        let path = format!("/api/admin{path}");
        let client = ControlClient::new(&self.config.storage.path);
        match client.stream(&path, &mut to) {
            Err(ControlError::NotRunning) => Err(CliError::new(
                "no server runs, and only a running server has live streams",
            )),
            Ok(()) => Err(CliError::new("the server has ended the stream")),
            written if reader_has_gone(&written) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// What the running server has counted, in the text format of Prometheus.
    pub(super) fn metrics(&self) -> Result<String, CliError> {
        let client = ControlClient::new(&self.config.storage.path);
        match client.send(Method::GET, "/metrics", Bytes::new()) {
            Err(ControlError::NotRunning) => Err(CliError::new(
                "no server runs, and only a running server can be watched",
            )),
            Err(error) => Err(error.into()),
            Ok(answer) if answer.status.is_success() => {
                Ok(String::from_utf8_lossy(&answer.body).into_owned())
            }
            Ok(answer) => Ok(answer.value()?.to_string()),
        }
    }

    /// Opens the store, and answers as the server would.
    fn without_server(&self, method: Method, path: &str, body: Bytes) -> Result<Answer, CliError> {
        let path = path.to_owned();
        self.open_store(|services| Box::pin(ask(services, method, path, body)))
    }

    /// Opens the store, and writes the stream that the server would send.
    fn export_without_server(
        &self,
        path: String,
        mut output: Output,
    ) -> Result<(Output, Result<(), ControlError>), CliError> {
        self.open_store(|services| {
            Box::pin(async move {
                let (head, body) = answer(services, Method::GET, path, Bytes::new())
                    .await?
                    .into_parts();
                let written = pass_on(head.status, body, &mut output).await;
                Ok((output, written))
            })
        })
    }

    fn open_store<T>(
        &self,
        work: impl for<'a> FnOnce(&'a Arc<Services>) -> Work<'a, T>,
    ) -> Result<T, CliError> {
        self.says_no_server.call_once(|| stderr::write(NO_SERVER));
        let announce = |password: &Secret| {
            // If it is not shown, `doorward admin reset-password` makes another.
            let _ = opening::show_generated_password(&self.config, password);
        };
        stopped_server::run(&self.config, announce, "cannot ask the store", work)
    }
}

/// Whether the reader of standard output took all that it wanted, as `head` does.
fn reader_has_gone(written: &Result<(), ControlError>) -> bool {
    let is_closed = |cause: &io::Error| cause.kind() == ErrorKind::BrokenPipe;
    matches!(written, Err(ControlError::Unwritten(cause)) if is_closed(cause))
}

/// Lets the admin API answer a request in this process.
async fn ask(
    services: &Arc<Services>,
    method: Method,
    path: String,
    body: Bytes,
) -> Result<Answer, service::Error> {
    let answer = answer(services, method, path, body).await?;
    let (head, body) = answer.into_parts();
    let body = body.collect().await;
    let body = body.map_err(|error| service::Error::Internal(error.into()))?;
    services.write_failures().await;
    Ok(Answer {
        status: head.status,
        body: body.to_bytes(),
    })
}

/// The answer of the admin API in this process, with its body still to be read.
async fn answer(
    services: &Arc<Services>,
    method: Method,
    path: String,
    body: Bytes,
) -> Result<Response<ResponseBody>, service::Error> {
    let apis = api::control::served();
    let dispatcher = Dispatcher::for_control(&apis, Arc::clone(services));
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header(HOST, "control")
        .header(CONTENT_TYPE, "application/json")
        .body(Full::new(body))
        .map_err(|error| service::Error::Internal(error.into()))?;
    let uid = rustix::process::geteuid().as_raw();
    request.extensions_mut().insert(PeerUid(uid));
    let here = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    Ok(dispatcher.handle(request, here).await)
}

/// Query parameters.
#[derive(Clone, Default)]
pub(super) struct Filters(Vec<(&'static str, String)>);

impl Filters {
    /// With one more parameter, if it has a value.
    pub(super) fn with(mut self, name: &'static str, value: Option<&str>) -> Filters {
        self.0.extend(value.map(|value| (name, encoded(value))));
        self
    }

    /// The path with the parameters.
    pub(super) fn after(&self, path: &str) -> String {
        let pairs: Vec<String> = self
            .0
            .iter()
            .map(|(name, value)| format!("{name}={value}"))
            .collect();
        if pairs.is_empty() {
            path.to_owned()
        } else {
            format!("{path}?{}", pairs.join("&"))
        }
    }
}

/// A text as part of a URL (RFC 3986, 2.1).
pub(super) fn encoded(text: &str) -> String {
    let encode = |byte: u8| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            char::from(byte).to_string()
        } else {
            format!("%{byte:02X}")
        }
    };
    text.bytes().map(encode).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parameters_are_encoded_and_those_without_a_value_are_left_out() {
        let filters = Filters::default()
            .with("q", Some("a&b ü"))
            .with("disabled", None)
            .with("limit", Some("5"));
        assert_eq!(filters.after("/users"), "/users?q=a%26b%20%C3%BC&limit=5");
        assert_eq!(Filters::default().after("/users"), "/users");
    }
}
