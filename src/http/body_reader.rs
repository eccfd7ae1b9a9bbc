//! Decides which bodies a route accepts, and reads them.

use std::net::IpAddr;
use std::sync::Arc;

use hyper::body::{Body, Bytes};
use hyper::header::HeaderMap;
use tokio::time::timeout;

use super::body_budget::{BodyBudget, BudgetBounds};
use super::content_coding::{self, BodyDecoder, ContentCoding};
use super::content_type;
use super::incoming_body::{BodyLimits, IncomingBody};
use super::{Error, ErrorCode, RequestBody};
use crate::config::{Config, Limits};
use crate::metrics::Limit;

/// Reads the bodies of all requests.
pub(super) struct BodyReader {
    budget: Arc<BodyBudget>,
    decoder: BodyDecoder,
}

/// A body that a route accepts, as far as the head of the request tells.
pub(super) struct Accepted {
    /// Its greatest length, before and after it is decoded.
    limit: usize,
    coding: Option<ContentCoding>,
    /// A body that cannot be read counts as empty.
    optional: bool,
}

impl Accepted {
    /// Whether it is decoded, which may have to wait for its turn.
    pub(super) fn is_coded(&self) -> bool {
        self.coding.is_some()
    }
}

impl BodyReader {
    pub(super) fn new() -> BodyReader {
        BodyReader {
            budget: Arc::default(),
            decoder: BodyDecoder::new(),
        }
    }

    /// Checks coding, type and announced length of a body. `None` if there is no body to read.
    /// Errors: `UnsupportedMediaType`, `BodyTooLarge`.
    pub(super) fn accept<B: Body<Data = Bytes> + Unpin>(
        limits: &Limits,
        expected: &RequestBody,
        headers: &HeaderMap,
        body: &IncomingBody<B>,
    ) -> Result<Option<Accepted>, Error> {
        if body.is_empty() {
            return Ok(None);
        }
        let coding = content_coding::find(headers, expected)?;
        let (limit, optional) = match expected {
            RequestBody::Nothing => return Ok(None),
            RequestBody::Anything => (limits.body, true),
            RequestBody::Json(_) | RequestBody::Form(_) => (limits.body, false),
            RequestBody::Events(_) => (limits.event_body, false),
        };
        let is_form = matches!(expected, RequestBody::Form(_)) && content_type::says_form(headers);
        if !optional && !is_form && !content_type::says_json(headers) {
            return Err(Error::new(ErrorCode::UnsupportedMediaType));
        }
        if !optional && body.is_announced_above(limit) {
            return Err(Error::new(ErrorCode::BodyTooLarge));
        }
        Ok(Some(Accepted {
            limit,
            coding,
            optional,
        }))
    }

    /// Reads a body from `client`, and decodes it. Errors as for `IncomingBody::read` and
    /// `BodyDecoder::decode`; for an optional body only `Busy`.
    pub(super) async fn read<B: Body<Data = Bytes> + Unpin>(
        &self,
        config: &Config,
        accepted: Accepted,
        body: &mut IncomingBody<B>,
        client: IpAddr,
    ) -> Result<Bytes, Error> {
        let limits = &config.limits;
        let mut share = self.budget.share(BudgetBounds::of(config), client);
        let body_limits = BodyLimits::new(accepted.limit, limits);
        let whole = match body.read(&body_limits, &mut share).await {
            Err(error) if accepted.optional && error.code() != ErrorCode::Busy => Bytes::new(),
            read => read?,
        };
        let Some(coding) = accepted.coding else {
            return Ok(share.attach(whole));
        };
        let decoded = self.decoder.decode(coding, whole, accepted.limit, share);
        let decoded = timeout(limits.request_timeout, decoded).await;
        decoded
            .unwrap_or_else(|_| Err(Error::new(ErrorCode::Busy).refused_by(Limit::RequestTimeout)))
    }
}
