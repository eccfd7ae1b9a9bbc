//! All events that are asked for, as one long answer. It is made on a thread of its own, which waits for the client and never runs ahead
//! of it by more than a few chunks.

use hyper::header::{CONTENT_DISPOSITION, HeaderValue};

use super::Asked;
use super::row::{CSV_HEAD, RowWriter};
use crate::http::{Call, Failure, Feed, Reply};
use crate::model::limits::EXPORT_CHUNK_BYTES;
use crate::model::{EventRow, Invalid};
use crate::service::Export;

const NDJSON: &str = "application/x-ndjson";
const CSV: &str = "text/csv; charset=utf-8";
/// What an export may come as.
pub(super) const CONTENT_TYPES: &[&str] = &[NDJSON, CSV];

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
}

pub(super) async fn export(call: Call) -> Result<Reply, Failure> {
    let format = Format::parse(call.query("format").as_deref())?;
    let asked = Asked::of(&call);
    let export = call.services.export_events(asked.question()).await?;
    let start = move |feed| {
        tokio::task::spawn_blocking(move || run(format, export, feed));
    };
    let reply = Reply::stream(200, format.content_type(), start).no_store();
    Ok(reply.header(CONTENT_DISPOSITION, format.disposition()))
}

/// Makes the whole answer, on a thread that may wait.
fn run(format: Format, mut export: Export, feed: Feed) {
    let mut writer = RowWriter::default();
    let mut chunk = format.head().to_vec();
    // The first chunk leaves as soon as there is something, the others when they are full.
    let mut enough = 1;
    let mut outcome = Ok(true);
    while let Ok(true) = outcome {
        if chunk.len() >= enough {
            // Who has gone is noticed below.
            let _ = feed.give_blocking(take(&mut chunk));
            enough = EXPORT_CHUNK_BYTES;
        }
        if feed.is_gone() {
            return;
        }
        outcome = export.advance(|row| format.write(&mut writer, row, &mut chunk));
    }
    // What was read before it went wrong is good, and can be gone on behind.
    if !chunk.is_empty() && feed.give_blocking(chunk).is_err() {
        return;
    }
    match outcome {
        Ok(_) => feed.finish(),
        Err(error) => feed.fail(&error),
    }
}

/// The chunk, and an empty one in its place with room for what comes over the edge.
fn take(chunk: &mut Vec<u8>) -> Vec<u8> {
    std::mem::replace(chunk, Vec::with_capacity(EXPORT_CHUNK_BYTES * 3 / 2))
}
