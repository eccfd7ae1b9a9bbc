//! What can go wrong, in HTTP's terms. A refusal of the service and a fault of the wire meet in one
//! `Error`; the status comes from one table; each API words it in its own shape.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use hyper::StatusCode;
use hyper::body::Bytes;
use serde::Serialize;

use crate::model::Invalid;
use crate::service;

/// When to come back if nobody can say better.
const RETRY_SOON: Duration = Duration::from_secs(1);

/// What went wrong.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// The request is malformed, or a field of it is.
    Invalid,
    /// A token is needed and none came.
    NoToken,
    /// The token is unknown or was ended.
    BadToken,
    /// The token was good once.
    TokenExpired,
    /// The account is unknown or the password wrong: alike, on purpose.
    BadCredentials,
    /// The reset code is unknown, used or expired: alike, on purpose.
    BadResetCode,
    /// The token is good, but not for this.
    NotPermitted,
    /// Signups are closed.
    SignupClosed,
    /// Nothing is served there.
    PathNotFound,
    /// No such session.
    SessionNotFound,
    /// No such invite, or it is used up.
    InviteNotFound,
    /// The path has no such method.
    MethodNotAllowed,
    /// The body did not come in time.
    RequestTimeout,
    /// The address has an account already.
    EmailTaken,
    /// The body is longer than the route takes.
    BodyTooLarge,
    /// The body is not JSON by its own account.
    UnsupportedMediaType,
    /// The request is well formed and asks for what cannot be; `errors` says why.
    Unprocessable,
    /// The `Idempotency-Key` was used for another request.
    IdempotencyKeyReused,
    /// Too often.
    TooManyRequests,
    /// Our fault.
    Internal,
    /// Not part of this version.
    NotImplemented,
    /// Too much at once; it passes.
    Busy,
    /// The store does not take changes just now.
    Unavailable,
}

impl ErrorCode {
    /// The status it is answered with.
    pub const fn status(self) -> StatusCode {
        match self {
            ErrorCode::Invalid => StatusCode::BAD_REQUEST,
            ErrorCode::NoToken
            | ErrorCode::BadToken
            | ErrorCode::TokenExpired
            | ErrorCode::BadCredentials
            | ErrorCode::BadResetCode => StatusCode::UNAUTHORIZED,
            ErrorCode::NotPermitted | ErrorCode::SignupClosed => StatusCode::FORBIDDEN,
            ErrorCode::PathNotFound | ErrorCode::SessionNotFound | ErrorCode::InviteNotFound => {
                StatusCode::NOT_FOUND
            }
            ErrorCode::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            ErrorCode::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
            ErrorCode::EmailTaken => StatusCode::CONFLICT,
            ErrorCode::BodyTooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            ErrorCode::UnsupportedMediaType => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            ErrorCode::Unprocessable | ErrorCode::IdempotencyKeyReused => {
                StatusCode::UNPROCESSABLE_ENTITY
            }
            ErrorCode::TooManyRequests => StatusCode::TOO_MANY_REQUESTS,
            ErrorCode::Internal => StatusCode::INTERNAL_SERVER_ERROR,
            ErrorCode::NotImplemented => StatusCode::NOT_IMPLEMENTED,
            ErrorCode::Busy | ErrorCode::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// What is said when nothing more exact is known.
    pub const fn message(self) -> &'static str {
        match self {
            ErrorCode::Invalid => "Bad request",
            ErrorCode::NoToken => "A token is needed",
            ErrorCode::BadToken => "The token is not valid",
            ErrorCode::TokenExpired => "The token has expired",
            ErrorCode::BadCredentials => "Unknown account or wrong password",
            ErrorCode::BadResetCode => "The reset code is not valid",
            ErrorCode::NotPermitted => "The token does not permit this",
            ErrorCode::SignupClosed => "Signup is closed",
            ErrorCode::PathNotFound => "Not found",
            ErrorCode::SessionNotFound => "Session not found",
            ErrorCode::InviteNotFound => "Invite not found",
            ErrorCode::MethodNotAllowed => "Method not allowed",
            ErrorCode::RequestTimeout => "The request took too long to arrive",
            ErrorCode::EmailTaken => "Email already in use",
            ErrorCode::BodyTooLarge => "The body is too large",
            ErrorCode::UnsupportedMediaType => "The body must be JSON",
            ErrorCode::Unprocessable => "The request cannot be carried out",
            ErrorCode::IdempotencyKeyReused => "Idempotency-Key: was used for another request",
            ErrorCode::TooManyRequests => "Too many requests",
            ErrorCode::Internal => "Internal error",
            ErrorCode::NotImplemented => "Not implemented",
            ErrorCode::Busy => "Too busy, try again",
            ErrorCode::Unavailable => "Unavailable, try again",
        }
    }
}

/// A request that fails. Its texts are public; its cause is not.
#[derive(Debug)]
pub struct Error {
    code: ErrorCode,
    /// A text of its own, in the place of the code's.
    message: Option<Cow<'static, str>>,
    /// What exactly is wrong, where an API says it beside a set phrase.
    detail: Option<Box<str>>,
    errors: Vec<String>,
    retry_after: Option<Duration>,
    allow: Option<Arc<str>>,
    cause: Option<Box<dyn std::error::Error + Send + Sync>>,
}

impl Error {
    /// An error with the text of its code.
    pub fn new(code: ErrorCode) -> Error {
        let passes = matches!(
            code.status(),
            StatusCode::SERVICE_UNAVAILABLE | StatusCode::TOO_MANY_REQUESTS
        );
        Error {
            code,
            message: None,
            detail: None,
            errors: Vec::new(),
            retry_after: passes.then_some(RETRY_SOON),
            allow: None,
            cause: None,
        }
    }

    /// An error with a text of its own, which the client gets to see.
    pub fn with_message(code: ErrorCode, message: impl Into<Cow<'static, str>>) -> Error {
        Error {
            message: Some(message.into()),
            ..Error::new(code)
        }
    }

    /// A malformed request.
    pub fn invalid(why: impl Into<Cow<'static, str>>) -> Error {
        Error::with_message(ErrorCode::Invalid, why)
    }

    /// A well-formed request for what cannot be: each reason as a sentence.
    pub fn unprocessable(errors: Vec<String>) -> Error {
        Error {
            errors,
            ..Error::new(ErrorCode::Unprocessable)
        }
    }

    /// Our fault, with what is behind it: that is logged and never shown.
    pub fn internal(cause: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> Error {
        Error::new(ErrorCode::Internal).caused_by(cause)
    }

    /// The same failure, and what is behind it: that is logged and never shown.
    #[must_use]
    pub fn caused_by(
        mut self,
        cause: impl Into<Box<dyn std::error::Error + Send + Sync>>,
    ) -> Error {
        self.cause = Some(cause.into());
        self
    }

    /// The same error in an API's set phrase; what it said before becomes its detail.
    #[must_use]
    pub fn in_phrase(mut self, phrase: &'static str) -> Error {
        self.detail = Some(self.message().into());
        self.message = Some(Cow::Borrowed(phrase));
        self
    }

    /// The same failure, to be tried again after `wait`.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Error {
        self.retry_after = Some(wait);
        self
    }

    /// A method that the path does not have; `allow` lists those it has.
    pub(super) fn wrong_method(allow: Arc<str>) -> Error {
        Error {
            allow: Some(allow),
            ..Error::new(ErrorCode::MethodNotAllowed)
        }
    }

    /// What went wrong.
    pub fn code(&self) -> ErrorCode {
        self.code
    }

    /// The status of its code; a dialect may answer with another.
    pub fn status(&self) -> StatusCode {
        self.code.status()
    }

    /// What went wrong, for the client.
    pub fn message(&self) -> &str {
        self.message.as_deref().unwrap_or(self.code.message())
    }

    /// The text that it has instead of its code's, if it has one.
    pub fn own_message(&self) -> Option<&str> {
        self.message.as_deref()
    }

    /// What exactly is wrong, beside a set phrase.
    pub fn detail(&self) -> Option<&str> {
        self.detail.as_deref()
    }

    /// For `Unprocessable`: each thing that is wrong, as a sentence.
    pub fn errors(&self) -> &[String] {
        &self.errors
    }

    /// What is behind it: for the log only.
    pub(super) fn cause(&self) -> Option<&(dyn std::error::Error + Send + Sync)> {
        self.cause.as_deref()
    }

    /// The methods that the path has.
    pub(super) fn allow(&self) -> Option<&str> {
        self.allow.as_deref()
    }

    /// When to come back, in whole seconds, at least one.
    pub(super) fn retry_after_seconds(&self) -> Option<u64> {
        self.retry_after
            .map(|wait| wait.as_millis().div_ceil(1000).max(1))
            .map(|seconds| u64::try_from(seconds).unwrap_or(u64::MAX))
    }
}

impl From<Invalid> for Error {
    fn from(invalid: Invalid) -> Error {
        Error::invalid(invalid.to_string())
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
            service::Error::TokenExpired => Error::new(ErrorCode::TokenExpired),
            service::Error::NotPermitted => Error::new(ErrorCode::NotPermitted),
            service::Error::BadCredentials => Error::new(ErrorCode::BadCredentials),
            service::Error::EmailTaken => Error::new(ErrorCode::EmailTaken),
            service::Error::InviteNotFound => Error::new(ErrorCode::InviteNotFound),
            service::Error::SessionNotFound => Error::new(ErrorCode::SessionNotFound),
            service::Error::BadResetCode => Error::new(ErrorCode::BadResetCode),
            service::Error::SignupClosed => Error::new(ErrorCode::SignupClosed),
            service::Error::IdempotencyKeyReused => Error::new(ErrorCode::IdempotencyKeyReused),
            service::Error::Unprocessable(errors) => Error::unprocessable(errors),
            service::Error::TooManyRequests { retry_after } => {
                Error::new(ErrorCode::TooManyRequests).retry_after(retry_after)
            }
            service::Error::Busy { retry_after } => {
                Error::new(ErrorCode::Busy).retry_after(retry_after)
            }
            service::Error::Unavailable(cause) => {
                Error::new(ErrorCode::Unavailable).caused_by(cause)
            }
            service::Error::Internal(cause) => Error::internal(cause),
        }
    }
}

/// A failure in the words of an API.
pub struct RenderedError {
    /// The status.
    pub status: StatusCode,
    /// The content type of the body.
    pub content_type: &'static str,
    /// The body.
    pub body: Bytes,
}

impl RenderedError {
    /// A failure that is said in JSON.
    pub fn json(status: StatusCode, body: &impl Serialize) -> RenderedError {
        let body = serde_json::to_vec(body).unwrap_or_default().into();
        RenderedError {
            status,
            content_type: "application/json",
            body,
        }
    }

    /// A failure that is said in plain text.
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
    fn a_wait_is_told_in_whole_seconds_that_are_never_too_few() {
        let told = |millis| {
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
            assert_eq!(told(millis), Some(seconds), "{millis} ms");
        }
        assert_eq!(Error::new(ErrorCode::BadToken).retry_after_seconds(), None);
    }
}
