//! The id of a request: it appears in the `X-Request-Id` header of the answer and in the log.

use std::sync::atomic::{AtomicU32, Ordering};

use hyper::header::HeaderValue;

/// The id of a request: 16 hexadecimal digits, eight for this process and eight that count
/// requests.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RequestId([u8; 16]);

/// Generates request ids.
pub(super) struct RequestIds {
    process: u32,
    next: AtomicU32,
}

impl RequestIds {
    /// Ids that start with `process`. The caller draws it at random at startup so that the ids of
    /// two runs differ.
    pub(super) fn of_process(process: [u8; 4]) -> RequestIds {
        RequestIds {
            process: u32::from_be_bytes(process),
            next: AtomicU32::new(0),
        }
    }

    /// The next id; ids repeat after 2^32 requests of one process.
    pub(super) fn next(&self) -> RequestId {
        let count = self.next.fetch_add(1, Ordering::Relaxed);
        let mut rest = u64::from(self.process) << 32 | u64::from(count);
        let mut text = [0; 16];
        for digit in &mut text {
            rest = rest.rotate_left(4);
            let value = u8::try_from(rest & 0xf).unwrap_or(0);
            *digit = if value < 10 {
                b'0' + value
            } else {
                b'a' + value - 10
            };
        }
        RequestId(text)
    }
}

impl RequestId {
    /// The id as text.
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The id as a header value.
    pub(super) fn header(self) -> Option<HeaderValue> {
        HeaderValue::from_bytes(&self.0).ok()
    }
}

impl std::fmt::Display for RequestId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

impl std::fmt::Debug for RequestId {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_count_up_behind_the_name_of_the_process() {
        let ids = RequestIds::of_process([0x3f, 0x9a, 0xc2, 0x1b]);
        assert_eq!(ids.next().as_str(), "3f9ac21b00000000");
        assert_eq!(ids.next().to_string(), "3f9ac21b00000001");
    }
}
