//! The name of one request: it stands in the answer's `X-Request-Id` and in the log.

use std::sync::atomic::{AtomicU32, Ordering};

use hyper::header::HeaderValue;

/// The name of one request: eight hexadecimal digits of this process and eight that count.
#[derive(Clone, Copy, PartialEq, Eq)]
pub struct RequestId([u8; 16]);

/// Where the names come from.
pub(super) struct RequestIds {
    process: u32,
    next: AtomicU32,
}

impl RequestIds {
    /// Names that begin with `process`, drawn at random at the start so that two runs can be told
    /// apart.
    pub(super) fn of_process(process: [u8; 4]) -> RequestIds {
        RequestIds {
            process: u32::from_be_bytes(process),
            next: AtomicU32::new(0),
        }
    }

    /// A name nobody else has.
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
    /// The name.
    pub fn as_str(&self) -> &str {
        str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The name as a header.
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
