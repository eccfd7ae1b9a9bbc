//! All events that are asked for, as one long answer. It is made on a thread of its own, which
//! waits for the client and never runs ahead of it by more than a few chunks.

use std::io::Write;

use hyper::header::{CONTENT_DISPOSITION, HeaderValue};

use super::query;
use super::row::{CSV_HEAD, RowWriter};
use crate::http::{
    BodySender, Error, ErrorCode, Handler, Method, Reply, RequestBody, RequestContext,
    ResponseSpec, Route,
};
use crate::model::limits::EXPORT_CHUNK_BYTES;
use crate::model::{EventRow, Invalid, Order};
use crate::service::Export;

const NDJSON: &str = "application/x-ndjson";
const CSV: &str = "text/csv; charset=utf-8";
/// What an export may come as.
const CONTENT_TYPES: &[&str] = &[NDJSON, CSV];

pub(super) const ROUTE: Route = Route {
    name: "export_events",
    method: Method::Get,
    path: "/events/export",
    body: RequestBody::Nothing,
    responses: &[ResponseSpec::stream(
        200,
        CONTENT_TYPES,
        "Events, one after the other.",
    )],
    errors: &[ErrorCode::Busy],
    run: Handler::Admin(|request, _| Box::pin(export(request))),
    about: "Hands out all events that are asked for, the oldest first, as NDJSON or CSV.",
};

/// How events are written.
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

    /// What stands before the first event.
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

    /// Says that events are missing: a line without an id, so that nobody takes it for one.
    fn write_gap(self, blocks: usize, to: &mut Vec<u8>) {
        // A buffer in memory takes everything.
        let _ = match self {
            Format::Ndjson => writeln!(to, r#"{{"damaged_blocks":{blocks}}}"#),
            Format::Csv => write!(to, ",,,,,\"{{\"\"damaged_blocks\"\":{blocks}}}\"\r\n"),
        };
    }
}

async fn export(request: RequestContext) -> Result<Reply, Error> {
    let asked = request.query();
    let format = Format::parse(asked.get("format").as_deref())?;
    let query = query::events(&asked, Order::Ascending)?;
    let export = request.services.export_events(query).await?;
    let start = move |sender| {
        tokio::task::spawn_blocking(move || run(format, export, sender));
    };
    let reply = Reply::stream(200, format.content_type(), start).no_store();
    Ok(reply.header(CONTENT_DISPOSITION, format.disposition()))
}

/// Makes the whole answer, on a thread that may wait.
fn run(format: Format, mut export: Export, sender: BodySender) {
    let mut writer = RowWriter::default();
    let mut chunk = format.head().to_vec();
    // The first chunk leaves as soon as there is something, the others when they are full.
    let mut enough = 1;
    let mut more = true;
    while more {
        if chunk.len() >= enough {
            // Who has gone is noticed below.
            let _ = sender.give_blocking(take(&mut chunk));
            enough = EXPORT_CHUNK_BYTES;
        }
        if sender.is_gone() {
            return;
        }
        match export.advance(|row| format.write(&mut writer, row, &mut chunk)) {
            Ok(advanced) => {
                more = advanced.more;
                if advanced.damaged_blocks > 0 {
                    format.write_gap(advanced.damaged_blocks, &mut chunk);
                }
            }
            Err(error) => {
                // What was read before it went wrong is good, and can be gone on behind.
                let _ = sender.give_blocking(chunk);
                return sender.fail(&error);
            }
        }
    }
    if chunk.is_empty() || sender.give_blocking(chunk).is_ok() {
        sender.finish();
    }
}

/// The chunk, and an empty one in its place with room for what comes over the edge.
fn take(chunk: &mut Vec<u8>) -> Vec<u8> {
    std::mem::replace(chunk, Vec::with_capacity(EXPORT_CHUNK_BYTES * 3 / 2))
}
