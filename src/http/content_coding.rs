//! Decodes request bodies that arrive compressed (`Content-Encoding`; RFC 9110, 8.4).

use std::io::{BufRead, ErrorKind, Read};
use std::sync::Arc;

use flate2::bufread::MultiGzDecoder;
use hyper::body::Bytes;
use hyper::header::{CONTENT_ENCODING, HeaderMap};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;

use super::body_budget::{BodyShare, FREE_BYTES};
use super::{Error, ErrorCode, RequestBody};

/// A coded body of at most this many bytes is decoded where its request runs. A longer one takes so
/// long that other requests would wait for it, and goes to a thread of its own.
const SHORT_BYTES: usize = 8 * 1024;
/// How many times as long as the coded body the decoded one may be. Reports of real events reach
/// 30; only bodies that are made to cost much memory and time exceed this.
const MOST_EXPANSION: usize = 100;
/// A decoded body of at most this many bytes may expand more: a report that repeats one event may
/// be a thousand times as long as its coded form.
const FREE_EXPANSION_BYTES: usize = 1024 * 1024;
/// The largest window of a zstd frame, as a power of two: 8 MiB, the largest that RFC 9659 permits
/// in HTTP.
const ZSTD_WINDOW_LOG: u32 = 23;

/// A content coding that bodies of events may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum ContentCoding {
    Gzip,
    Zstd,
}

/// The coding of a body, if it has one. `identity` and an empty header are none. Error (415): this
/// kind of body may not have it, or there is more than one.
pub(super) fn find(
    headers: &HeaderMap,
    body: &RequestBody,
) -> Result<Option<ContentCoding>, Error> {
    let lines = headers.get_all(CONTENT_ENCODING).iter();
    let names = lines.flat_map(|line| line.as_bytes().split(|&byte| byte == b','));
    let mut names = names
        .map(<[u8]>::trim_ascii)
        .filter(|name| !name.is_empty() && !name.eq_ignore_ascii_case(b"identity"));
    let Some(name) = names.next() else {
        return Ok(None);
    };
    let is_only = names.next().is_none();
    let known = ContentCoding::parse(name).filter(|_| is_only && body.may_be_coded());
    known.map_or_else(
        || Err(Error::wrong_coding(body.accept_encoding())),
        |it| Ok(Some(it)),
    )
}

impl ContentCoding {
    /// The coding of this name, in any case; `x-gzip` is gzip (RFC 9110, 8.4.1.3).
    fn parse(name: &[u8]) -> Option<ContentCoding> {
        let is = |known: &str| name.eq_ignore_ascii_case(known.as_bytes());
        if is("gzip") || is("x-gzip") {
            Some(ContentCoding::Gzip)
        } else if is("zstd") {
            Some(ContentCoding::Zstd)
        } else {
            None
        }
    }

    /// Decodes a whole body, all members or frames of it. Errors: `BodyTooLarge`, `Busy`, and
    /// `Invalid` if it is damaged, cut off, or followed by other bytes.
    fn decode(self, coded: &[u8], limit: usize, share: &mut BodyShare) -> Result<Bytes, Error> {
        match self {
            ContentCoding::Gzip => read_all(MultiGzDecoder::new(coded), coded, limit, share),
            ContentCoding::Zstd => {
                let decoder = zstd_decoder(coded).map_err(Error::internal)?;
                read_all(decoder, coded, limit, share)
            }
        }
    }
}

fn zstd_decoder<R: BufRead>(coded: R) -> std::io::Result<zstd::stream::read::Decoder<'static, R>> {
    let mut decoder = zstd::stream::read::Decoder::with_buffer(coded)?;
    decoder.window_log_max(ZSTD_WINDOW_LOG)?;
    Ok(decoder)
}

/// Reads a decoder to its end. The buffer grows as bytes come, so that a short body takes little.
fn read_all(
    mut decoder: impl Read,
    coded: &[u8],
    limit: usize,
    share: &mut BodyShare,
) -> Result<Bytes, Error> {
    let expanded = coded.len().saturating_mul(MOST_EXPANSION);
    let most = limit.min(expanded.max(FREE_EXPANSION_BYTES));
    let (mut whole, mut length) = (Vec::new(), 0);
    loop {
        if length > most {
            return Err(too_large(limit, most));
        }
        if length == whole.len() {
            // One byte more than permitted shows that the body is too long.
            let capacity = (2 * length).max(FREE_BYTES).min(most + 1);
            share.cover(capacity.min(most))?;
            whole.reserve_exact(capacity - length);
            whole.resize(capacity, 0);
        }
        match decoder.read(whole.get_mut(length..).unwrap_or_default()) {
            Ok(0) => break,
            Ok(bytes) => length += bytes,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => return Err(Error::invalid("The body does not fit its Content-Encoding")),
        }
    }
    whole.truncate(length);
    Ok(whole.into())
}

fn too_large(limit: usize, most: usize) -> Error {
    if most == limit {
        return Error::new(ErrorCode::BodyTooLarge);
    }
    let why = format!("The body is more than {MOST_EXPANSION} times as long when it is decoded");
    Error::with_message(ErrorCode::BodyTooLarge, why)
}

/// Decodes bodies, one long body at a time.
///
/// While a body is decoded, both of its forms are in memory, but its share of the budget covers
/// only the longer one: otherwise a network's part of the budget could be too small for a body that
/// the limit permits. Because of the turns, this exceeds the budget by no more than one body and
/// the window of one decoder.
pub(super) struct BodyDecoder {
    turns: Arc<Semaphore>,
}

impl BodyDecoder {
    pub(super) fn new() -> BodyDecoder {
        BodyDecoder {
            turns: Arc::new(Semaphore::new(1)),
        }
    }

    /// The decoded form of a body of at most `limit` bytes. `share` covers the coded one, and then
    /// the decoded one. Errors as for `ContentCoding::decode`.
    pub(super) async fn decode(
        &self,
        coding: ContentCoding,
        coded: Bytes,
        limit: usize,
        mut share: BodyShare,
    ) -> Result<Bytes, Error> {
        if coded.len() <= SHORT_BYTES {
            let decoded = coding.decode(&coded, limit, &mut share)?;
            return Ok(share.attach(decoded));
        }
        let turns = Arc::clone(&self.turns);
        let turn = turns.acquire_owned().await.map_err(Error::internal)?;
        let decode = move || {
            let decoded = coding.decode(&coded, limit, &mut share)?;
            drop((coded, turn));
            Ok(share.attach(decoded))
        };
        spawn_blocking(decode).await.map_err(Error::internal)?
    }
}
