//! The floor: the maximum of this stack. A bare hyper 1 server with doorward's runtime and
//! connection settings, which reads any body and answers with a constant one.

use std::convert::Infallible;
use std::net::Ipv4Addr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::header::{CONTENT_TYPE, HeaderValue};
use hyper::server::conn::http1::Builder;
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};

use crate::outcome::Outcome;
use crate::subject::{self, Killed};

/// The first argument that makes this executable the floor server.
pub(crate) const WORD: &str = "floor";

/// The same values as in `server::connection` and in the default configuration.
const HEAD_BYTES: usize = 32 * 1024;
const HEADER_TIMEOUT: Duration = Duration::from_secs(10);

/// Starts this executable again as a floor server whose answers have `body_bytes`.
pub(crate) fn start(body_bytes: usize) -> Outcome<Killed> {
    let port = subject::free_port()?;
    let child: Child = Command::new(std::env::current_exe()?)
        .args([WORD, &port.to_string(), &body_bytes.to_string()])
        .stdin(Stdio::null())
        .spawn()?;
    let floor = Killed { child, port };
    floor.wait_until_it_answers("/")?;
    Ok(floor)
}

/// Serves until the process is killed.
pub(crate) fn serve(port: u16, body_bytes: usize) -> Outcome<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, port)).await?;
        let body = Bytes::from(json_of(body_bytes));
        let mut http = Builder::new();
        http.timer(TokioTimer::new())
            .header_read_timeout(HEADER_TIMEOUT)
            .max_header_size(HEAD_BYTES)
            .max_buf_size(HEAD_BYTES);
        loop {
            let (stream, _) = listener.accept().await?;
            stream.set_nodelay(true)?;
            tokio::spawn(converse(http.clone(), stream, body.clone()));
        }
    })
}

async fn converse(http: Builder, stream: TcpStream, body: Bytes) {
    let service = service_fn(|request: Request<Incoming>| {
        let body = body.clone();
        async move {
            // A truncated body ends its connection; wrk reports that.
            let _ = request.into_body().collect().await;
            let mut response = Response::new(Full::new(body));
            let json = HeaderValue::from_static("application/json");
            response.headers_mut().insert(CONTENT_TYPE, json);
            Ok::<_, Infallible>(response)
        }
    });
    // A client may close its connection at any time; that is no error.
    let _ = http.serve_connection(TokioIo::new(stream), service).await;
}

/// A JSON string of exactly this length in bytes, at least two.
fn json_of(bytes: usize) -> String {
    format!("\"{}\"", "x".repeat(bytes.saturating_sub(2)))
}
