//! Defines the errors of HTTP requests. Errors of the service and of the HTTP layer become one
//! `Error`; each API renders it in its own shape.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use hyper::StatusCode;
use hyper::body::Bytes;
use serde::Serialize;

use super::ErrorCode;
use crate::metrics::Limit;
use crate::model::Invalid;
use crate::service;
use crate::store;

/// Default `Retry-After` of 429 and 503 answers.
const RETRY_SOON: Duration = Duration::from_secs(1);

/// A failed request. Clients see its texts; its cause goes only to the log.
#[derive(Debug)]
pub struct Error {
    code: ErrorCode,
    /// Replaces the code's default message.
    message: Option<Cow<'static, str>>,
    /// The field or parameter at fault, for an API that names it by itself.
    field: Option<Box<Cow<'static, str>>>,
    /// The specific reason, for an API that shows it next to a fixed phrase.
    detail: Option<Box<str>>,
    errors: Box<[String]>,
    retry_after: Option<Duration>,
    /// The limit that refused the request, for the metrics.
    limit: Option<Limit>,
    /// What the server accepts instead: methods for `MethodNotAllowed`, codings for
    /// `UnsupportedMediaType`.
    accepted: Option<Arc<str>>,
    cause: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error with the default message of its code. 429 and 503 get a `Retry-After` of one
    /// second.
    pub fn new(code: ErrorCode) -> Error {
        let passes = matches!(
            code.status(),
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS
        );
        Error {
            code,
            message: None,
            field: None,
            detail: None,
            errors: Box::default(),
            retry_after: passes.then_some(RETRY_SOON),
            limit: passes.then_some(Limit::Other),
            accepted: None,
            cause: None,
        }
    }

    /// An error with its own message, which clients see.
    pub fn with_message(code: ErrorCode, message: impl Into<Cow<'static, str>>) -> Error {
        Error {
            message: Some(message.into()),
            ..Error::new(code)
        }
    }

    /// A malformed request (`Invalid`), with the reason as message.
    pub fn invalid(why: impl Into<Cow<'static, str>>) -> Error {
        Error::with_message(ErrorCode::Invalid, why)
    }

    /// A well-formed request that cannot be carried out (`Unprocessable`); each reason is a
    /// sentence.
    pub fn unprocessable(errors: Vec<String>) -> Error {
        Error {
            errors: errors.into(),
            ..Error::new(ErrorCode::Unprocessable)
        }
    }

    /// An internal error with its cause, which is logged and never sent to clients.
    pub fn internal(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        Error::new(ErrorCode::Internal).caused_by(cause)
    }

    /// Adds the cause of this error, which is logged and never sent to clients.
    #[must_use]
    pub fn caused_by(
        mut self,
        cause: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Error {
        self.cause = Some(cause.into());
        self
    }

    /// Replaces the message with an API's fixed phrase; the previous message becomes the detail.
    #[must_use]
    pub fn in_phrase(mut self, phrase: &'static str) -> Error {
        self.detail = Some(self.message().into());
        self.message = Some(Cow::Borrowed(phrase));
        self
    }

    /// Sets `Retry-After` to `wait`, rounded up to seconds.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Error {
        self.retry_after = Some(wait);
        self
    }

    /// Names the limit that refused the request.
    #[must_use]
    pub(super) fn refused_by(mut self, limit: Limit) -> Error {
        self.limit = Some(limit);
        self
    }

    /// The limit that refused the request with 429 or 503.
    pub(super) fn limit(&self) -> Option<Limit> {
        self.limit
    }

    /// `MethodNotAllowed`; `allow` lists the methods that the path supports.
    pub(super) fn wrong_method(allow: Arc<str>) -> Error {
        Error {
            accepted: Some(allow),
            ..Error::new(ErrorCode::MethodNotAllowed)
        }
    }

    /// `UnsupportedMediaType` for a body with a coding other than these.
    pub(super) fn wrong_coding(accepted: &'static str) -> Error {
        let why = format!("Content-Encoding must be {accepted} or absent");
        Error {
            accepted: Some(accepted.into()),
            ..Error::with_message(ErrorCode::UnsupportedMediaType, why)
        }
    }

    /// The kind of the error.
    pub fn code(&self) -> ErrorCode {
        self.code
    }

    /// The default status of its code; an API's error renderer may choose another.
    pub fn status(&self) -> StatusCode {
        self.code.status()
    }

    /// The message for clients: its own, or the default of its code.
    pub fn message(&self) -> &str {
        self.message.as_deref().unwrap_or(self.code.message())
    }

    /// Its own message, if it has one instead of the default.
    pub fn own_message(&self) -> Option<&str> {
        self.message.as_deref()
    }

    /// The field or parameter at fault, if it is one.
    pub fn field(&self) -> Option<&str> {
        self.field.as_ref().map(|field| &***field)
    }

    /// The specific reason, next to a fixed phrase.
    pub fn detail(&self) -> Option<&str> {
        self.detail.as_deref()
    }

    /// For `Unprocessable`: each reason as a sentence.
    pub fn errors(&self) -> &[String] {
        &self.errors
    }

    /// The cause, for the log only.
    pub(super) fn cause(&self) -> Option<&(dyn std::error::Error + Send + Sync)> {
        self.cause.as_deref()
    }

    /// For `MethodNotAllowed`: the methods that the path supports.
    pub(super) fn allow(&self) -> Option<&str> {
        let is_method = self.code == ErrorCode::MethodNotAllowed;
        self.accepted.as_deref().filter(|_| is_method)
    }

    /// For a body with a wrong coding: the codings that the route accepts.
    pub(super) fn accept_encoding(&self) -> Option<&str> {
        let is_coding = self.code == ErrorCode::UnsupportedMediaType;
        self.accepted.as_deref().filter(|_| is_coding)
    }

    /// The `Retry-After` value: whole seconds, rounded up, at least one.
    pub(super) fn retry_after_seconds(&self) -> Option<u64> {
        self.retry_after
            .map(|wait| wait.as_millis().div_ceil(1000).max(1))
            .map(|seconds| u64::try_from(seconds).unwrap_or(u64::MAX))
    }
}

impl From<Invalid> for Error {
    fn from(invalid: Invalid) -> Error {
        Error {
            field: Some(Box::new(invalid.field.clone())),
            ..Error::invalid(invalid.to_string())
        }
    }
}

impl From<service::Error> for Error {
    fn from(error: service::Error) -> Error {
        match error {
            service::Error::Invalid(invalid) => invalid.into(),
            service::Error::InvalidEvent { index, invalid } => {
                Error::invalid(format!("events[{index}].{invalid}"))
            }
            service::Error::NoToken => Error::new(ErrorCode::NoToken),
            service::Error::BadToken => Error::new(ErrorCode::BadToken),
            service::Error::AccessTokenExpired => Error::new(ErrorCode::AccessTokenExpired),
            service::Error::TokenExpired => Error::new(ErrorCode::TokenExpired),
            service::Error::NotPermitted => Error::new(ErrorCode::NotPermitted),
            service::Error::NotGranted(refusal) => {
                Error::with_message(ErrorCode::NotPermitted, refusal.to_string())
            }
            service::Error::BadCredentials => Error::new(ErrorCode::BadCredentials),
            service::Error::EmailTaken => Error {
                field: Some(Box::new(Cow::Borrowed("email"))),
                ..Error::new(ErrorCode::EmailTaken)
            },
            service::Error::InviteNotFound => Error::new(ErrorCode::InviteNotFound),
            service::Error::SessionNotFound => Error::new(ErrorCode::SessionNotFound),
            service::Error::UnknownId => Error::new(ErrorCode::UnknownId),
            service::Error::Outdated => Error::new(ErrorCode::Outdated),
            service::Error::Conflict(why) => Error::with_message(ErrorCode::Conflict, why),
            service::Error::BadResetCode => Error::new(ErrorCode::BadResetCode),
            service::Error::SignupClosed => Error::new(ErrorCode::SignupClosed),
            service::Error::IdempotencyKeyReused => Error::new(ErrorCode::IdempotencyKeyReused),
            service::Error::Unprocessable(errors) => Error::unprocessable(errors),
            service::Error::TooManyRequests { retry_after, limit } => {
                Error::new(ErrorCode::TooManyRequests)
                    .retry_after(retry_after)
                    .refused_by(limit)
            }
            service::Error::Busy { retry_after, limit } => Error::new(ErrorCode::Busy)
                .retry_after(retry_after)
                .refused_by(limit),
            service::Error::OutOfMemory { retry_after } => Error::new(ErrorCode::Busy)
                .retry_after(retry_after)
                .refused_by(Limit::HashMemory)
                .caused_by("there is no memory for it"),
            service::Error::Unavailable(cause) => {
                let limit = match cause {
                    store::Error::Full => Limit::DiskFull,
                    _ => Limit::StoreStopped,
                };
                Error::new(ErrorCode::Unavailable)
                    .refused_by(limit)
                    .caused_by(cause)
            }
            service::Error::Internal(cause) => Error::internal(cause),
        }
    }
}

/// An error rendered in the shape of one API.
pub struct RenderedError {
    /// The status.
    pub status: StatusCode,
    /// The content type of the body.
    pub content_type: &'static str,
    /// The body.
    pub body: Bytes,
}

impl RenderedError {
    /// An error with a JSON body.
    pub fn json(status: StatusCode, body: &impl Serialize) -> RenderedError {
        let body = serde_json::to_vec(body).unwrap_or_default().into();
        RenderedError {
            status,
            content_type: "application/json",
            body,
        }
    }

    /// An error with a plain text body.
    pub fn text(status: StatusCode, text: impl Into<Bytes>) -> RenderedError {
        RenderedError {
            status,
            content_type: "text/plain; charset=utf-8",
            body: text.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn retry_after_is_rounded_up_to_whole_seconds_and_is_at_least_one() {
        let received = |millis| {
            Error::new(ErrorCode::TooManyRequests)
                .retry_after(Duration::from_millis(millis))
                .retry_after_seconds()
        };
        for (millis, seconds) in [
            (0, 1),
            (1, 1),
            (1_000, 1),
            (1_001, 2),
            (1_200, 2),
            (2_000, 2),
        ] {
            assert_eq!(received(millis), Some(seconds), "{millis} ms");
        }
        assert_eq!(Error::new(ErrorCode::BadToken).retry_after_seconds(), None);
    }
}
