//! `GET /api/admin/events/export`: streams all matching events. A blocking thread produces chunks;
//! a task passes them on to the client and ends the export when its token or its permit ends. The
//! thread waits for the client and is at most a few chunks ahead of it.

use std::io::Write;
use std::sync::Arc;

use hyper::body::Bytes;
use hyper::header::{CONTENT_DISPOSITION, HeaderValue};
use tokio::sync::mpsc;

use super::query;
use super::row::{CSV_HEAD, RowWriter};
use crate::http::{
    BodySender, Error, ErrorCode, Handler, Method, Reply, RequestBody, RequestContext,
    RequestQuery, ResponseSpec, Route,
};
use crate::model::limits::EXPORT_CHUNK_BYTES;
use crate::model::{EventRow, Invalid, Order, Scope};
use crate::service::{Administrator, Permit};
use crate::store::{self, EventScan};

const NDJSON: &str = "application/x-ndjson";
const CSV: &str = "text/csv; charset=utf-8";
/// The content types of an export.
const CONTENT_TYPES: &[&str] = &[NDJSON, CSV];

pub(crate) const ROUTE: Route = Route {
    name: "export_events",
    method: Method::Get,
    path: "/events/export",
    query: RequestQuery::Closed(query::EXPORTED),
    body: RequestBody::Nothing,
    responses: &[ResponseSpec::stream(
        200,
        CONTENT_TYPES,
        "Events, one after the other.",
    )],
    errors: &[ErrorCode::Busy],
    run: Handler::AdminOr(Scope::EventsRead, |request, admin| {
        Box::pin(export(request, admin))
    }),
    about: "Exports all matching events, the oldest first, as NDJSON or CSV.",
};

/// The format of the exported events.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Format {
    Ndjson,
    Csv,
}

impl Format {
    fn parse(text: Option<&str>) -> Result<Format, Invalid> {
        match text.unwrap_or_default() {
            "" | "ndjson" => Ok(Format::Ndjson),
            "csv" => Ok(Format::Csv),
            _ => Err(Invalid::new("format", "must be ndjson or csv")),
        }
    }

    fn content_type(self) -> &'static str {
        match self {
            Format::Ndjson => NDJSON,
            Format::Csv => CSV,
        }
    }

    fn disposition(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Format::Ndjson => "attachment; filename=\"events.ndjson\"",
            Format::Csv => "attachment; filename=\"events.csv\"",
        })
    }

    /// The bytes before the first event.
    fn head(self) -> &'static [u8] {
        match self {
            Format::Ndjson => b"",
            Format::Csv => CSV_HEAD,
        }
    }

    fn write(self, writer: &mut RowWriter, row: &EventRow<'_>, to: &mut Vec<u8>) {
        match self {
            Format::Ndjson => {
                writer.json(row, to);
                to.push(b'\n');
            }
            Format::Csv => writer.csv(row, to),
        }
    }

    /// Writes that the events of `blocks` damaged blocks are missing. The line has no id, so a
    /// reader cannot mistake it for an event.
    fn write_gap(self, blocks: usize, to: &mut Vec<u8>) {
        // Writing to a buffer in memory cannot fail.
        let _ = match self {
            Format::Ndjson => writeln!(to, r#"{{"damaged_blocks":{blocks}}}"#),
            Format::Csv => write!(to, ",,,,,\"{{\"\"damaged_blocks\"\":{blocks}}}\"\r\n"),
        };
    }
}

/// A chunk of the answer; none: the answer is complete.
type Produced = store::Result<Option<Vec<u8>>>;

async fn export(request: RequestContext, admin: Administrator) -> Result<Reply, Error> {
    let asked = &request.query;
    let format = Format::parse(asked.get("format"))?;
    let query = query::events(asked, Order::Ascending)?;
    let services = Arc::clone(&request.services);
    let (scan, permit) = services.export_events(query, &admin).await?;
    let start = move |sender| {
        let (chunks, produced) = mpsc::channel(1);
        tokio::task::spawn_blocking(move || produce(format, scan, &chunks));
        tokio::spawn(async move {
            let ending = tokio::select! {
                biased;
                () = services.end_of_access(&admin) => Ending::Cut("its token has ended"),
                () = permit.displaced() => Ending::Cut("another export waits, and it was the slowest"),
                ending = pass_on(produced, &sender, &permit) => ending,
            };
            ending.apply(sender);
        });
    };
    let reply = Reply::stream(200, format.content_type(), start).no_store();
    Ok(reply.header(CONTENT_DISPOSITION, format.disposition()))
}

/// How an export ends.
enum Ending {
    /// All chunks were passed on.
    Complete,
    /// The store failed.
    Failed(store::Error),
    /// The client disconnected, or the producer panicked.
    Gone,
    /// The server ends it early, for this reason.
    Cut(&'static str),
}

impl Ending {
    fn apply(self, sender: BodySender) {
        match self {
            Ending::Complete => sender.finish(),
            Ending::Failed(error) => sender.fail(&error),
            // Dropping the sender aborts the connection.
            Ending::Gone => drop(sender),
            Ending::Cut(reason) => sender.cut(reason),
        }
    }
}

/// Passes chunks on to the client as fast as it takes them.
async fn pass_on(
    mut produced: mpsc::Receiver<Produced>,
    sender: &BodySender,
    permit: &Permit,
) -> Ending {
    loop {
        let next = tokio::select! {
            next = produced.recv() => next,
            () = sender.gone() => return Ending::Gone,
        };
        let chunk = match next {
            Some(Ok(Some(chunk))) => chunk,
            Some(Ok(None)) => return Ending::Complete,
            Some(Err(error)) => return Ending::Failed(error),
            None => return Ending::Gone,
        };
        // A chunk of long events is much longer than others: in pieces, slow clients show progress.
        let mut rest = Bytes::from(chunk);
        while !rest.is_empty() {
            let bytes = rest.len().min(EXPORT_CHUNK_BYTES);
            if sender.give(rest.split_to(bytes)).await.is_err() {
                return Ending::Gone;
            }
            permit.count(bytes);
        }
    }
}

/// Produces the whole answer, until nobody receives it. It blocks: call it on a thread that may
/// wait.
fn produce(format: Format, mut scan: Box<dyn EventScan>, chunks: &mpsc::Sender<Produced>) {
    let mut writer = RowWriter::default();
    let mut chunk = format.head().to_vec();
    // The first chunk is sent as soon as it has any bytes, the others when they are full.
    let mut enough = 1;
    let mut end = None;
    while end.is_none() && !chunks.is_closed() {
        if chunk.len() >= enough {
            // The loop's condition notices that nobody receives it.
            let _ = chunks.blocking_send(Ok(Some(take(&mut chunk))));
            enough = EXPORT_CHUNK_BYTES;
        }
        match scan.advance(&mut |row| format.write(&mut writer, row, &mut chunk)) {
            Ok(advanced) => {
                if advanced.damaged_blocks > 0 {
                    format.write_gap(advanced.damaged_blocks, &mut chunk);
                }
                end = (!advanced.more).then_some(Ok(None));
            }
            Err(error) => end = Some(Err(error)),
        }
    }
    // The events read before an error are valid, and a client can resume after the last one.
    let rest = (!chunk.is_empty()).then_some(Ok(Some(chunk)));
    for last in rest.into_iter().chain(end) {
        // An error means that nobody receives it.
        let _ = chunks.blocking_send(last);
    }
}

/// Returns the chunk and leaves an empty one, with capacity for the last event to exceed the chunk
/// size.
fn take(chunk: &mut Vec<u8>) -> Vec<u8> {
    std::mem::replace(chunk, Vec::with_capacity(EXPORT_CHUNK_BYTES * 3 / 2))
}
