//! `GET /api/admin/events/export`: streams all matching events. A blocking thread produces the
//! answer; it waits for the client and is at most a few chunks ahead of it.

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
/// The content types of an export.
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

/// Produces the whole answer. It blocks: call it on a thread that may wait.
fn run(format: Format, mut export: Export, sender: BodySender) {
    let mut writer = RowWriter::default();
    let mut chunk = format.head().to_vec();
    // The first chunk is sent as soon as it has any bytes, the others when they are full.
    let mut enough = 1;
    let mut more = true;
    while more {
        if chunk.len() >= enough {
            // `is_gone` below notices a client that has disconnected.
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
                // The events read before the error are valid, and a client can resume after the
                // last one.
                let _ = sender.give_blocking(chunk);
                return sender.fail(&error);
            }
        }
    }
    if chunk.is_empty() || sender.give_blocking(chunk).is_ok() {
        sender.finish();
    }
}

/// Returns the chunk and leaves an empty one, with capacity for the last event to exceed the chunk
/// size.
fn take(chunk: &mut Vec<u8>) -> Vec<u8> {
    std::mem::replace(chunk, Vec::with_capacity(EXPORT_CHUNK_BYTES * 3 / 2))
}
