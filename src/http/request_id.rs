//! Gives every request its id.

use std::sync::atomic::{AtomicU32, Ordering};

use hyper::header::{HeaderMap, HeaderName};

use crate::model::RequestId;

/// The header that brings and returns the id of a request.
pub(super) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");

/// Generates request ids: eight digits for this process and eight that count requests.
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
        RequestId::of_number(u64::from(self.process) << 32 | u64::from(count))
    }

    /// The id that a trusted proxy gave, if it gave exactly one that is usable; otherwise the next.
    pub(super) fn given_or_next(&self, headers: &HeaderMap) -> RequestId {
        let mut values = headers.get_all(REQUEST_ID).iter();
        let given = match (values.next(), values.next()) {
            (Some(value), None) => value.to_str().ok().and_then(RequestId::given),
            _ => None,
        };
        given.unwrap_or_else(|| self.next())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ids_count_up_behind_the_digits_of_the_process() {
        let ids = RequestIds::of_process([0x3f, 0x9a, 0xc2, 0x1b]);
        assert_eq!(ids.next().as_str(), "3f9ac21b00000000");
        assert_eq!(ids.next().to_string(), "3f9ac21b00000001");
    }

    #[test]
    fn two_ids_of_a_proxy_are_none() {
        let ids = RequestIds::of_process([0; 4]);
        let mut headers = HeaderMap::new();
        headers.append(REQUEST_ID, "abc".parse().unwrap());
        assert_eq!(ids.given_or_next(&headers).as_str(), "abc");
        headers.append(REQUEST_ID, "def".parse().unwrap());
        assert_eq!(ids.given_or_next(&headers).as_str(), "0000000000000000");
    }
}
