//! Defines the errors of HTTP requests. Errors of the service and of the HTTP layer become one
//! `Error`; the status comes from one table; each API renders the error in its own shape.

use std::borrow::Cow;
use std::sync::Arc;
use std::time::Duration;

use hyper::StatusCode;
use hyper::body::Bytes;
use serde::Serialize;

use crate::model::Invalid;
use crate::service;

/// Default `Retry-After` of 429 and 503 answers.
const RETRY_SOON: Duration = Duration::from_secs(1);

/// The kind of an error; it determines the default status and message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ErrorCode {
    /// The request or one of its fields is malformed.
    Invalid,
    /// The request needs a token and has none.
    NoToken,
    /// The token is unknown or was revoked.
    BadToken,
    /// The access token has expired. Every API says so in the same words, because clients refresh
    /// the token when they read them.
    AccessTokenExpired,
    /// A token of another kind has expired.
    TokenExpired,
    /// The account is unknown or the password is wrong. Deliberately one code for both.
    BadCredentials,
    /// The reset code is unknown, used or expired. Deliberately one code for all.
    BadResetCode,
    /// The token is valid but does not permit this request.
    NotPermitted,
    /// Signups are closed.
    SignupClosed,
    /// No route has this path.
    PathNotFound,
    /// The session does not exist.
    SessionNotFound,
    /// The invite does not exist or is used up.
    InviteNotFound,
    /// Nothing has the id in the path.
    UnknownId,
    /// The path does not support this method.
    MethodNotAllowed,
    /// The body did not arrive in time.
    RequestTimeout,
    /// An account with this email address already exists.
    EmailTaken,
    /// The request contradicts the state of what it is about.
    Conflict,
    /// The resource is not the version that `If-Match` names.
    Outdated,
    /// The body is longer than the route accepts.
    BodyTooLarge,
    /// The `Content-Type` of the body is not JSON, or the route does not accept its
    /// `Content-Encoding`.
    UnsupportedMediaType,
    /// The request is well formed but cannot be carried out; `errors` lists the reasons.
    Unprocessable,
    /// The `Idempotency-Key` was used for another request.
    IdempotencyKeyReused,
    /// The client sends requests too often.
    TooManyRequests,
    /// An internal error of the server.
    Internal,
    /// This version does not implement the operation.
    NotImplemented,
    /// The server is temporarily overloaded.
    Busy,
    /// The store does not accept changes at the moment.
    Unavailable,
}

impl ErrorCode {
    /// The default HTTP status of this code.
    pub const fn status(self) -> StatusCode {
        match self {
            ErrorCode::Invalid => StatusCode::BAD_REQUEST,
            ErrorCode::NoToken
            | ErrorCode::BadToken
            | ErrorCode::AccessTokenExpired
            | ErrorCode::TokenExpired
            | ErrorCode::BadCredentials
            | ErrorCode::BadResetCode => StatusCode::UNAUTHORIZED,
            ErrorCode::NotPermitted | ErrorCode::SignupClosed => StatusCode::FORBIDDEN,
            ErrorCode::PathNotFound
            | ErrorCode::SessionNotFound
            | ErrorCode::InviteNotFound
            | ErrorCode::UnknownId => StatusCode::NOT_FOUND,
            ErrorCode::MethodNotAllowed => StatusCode::METHOD_NOT_ALLOWED,
            ErrorCode::RequestTimeout => StatusCode::REQUEST_TIMEOUT,
            ErrorCode::EmailTaken | ErrorCode::Conflict => StatusCode::CONFLICT,
            ErrorCode::Outdated => StatusCode::PRECONDITION_FAILED,
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

    /// The code as text, for an API that shows it.
    pub const fn as_str(self) -> &'static str {
        match self {
            ErrorCode::Invalid => "invalid",
            ErrorCode::NoToken => "no_token",
            ErrorCode::BadToken => "bad_token",
            ErrorCode::AccessTokenExpired | ErrorCode::TokenExpired => "token_expired",
            ErrorCode::BadCredentials => "bad_credentials",
            ErrorCode::BadResetCode => "bad_reset_code",
            ErrorCode::NotPermitted => "not_permitted",
            ErrorCode::SignupClosed => "signup_closed",
            ErrorCode::PathNotFound => "path_not_found",
            ErrorCode::SessionNotFound => "session_not_found",
            ErrorCode::InviteNotFound => "invite_not_found",
            ErrorCode::UnknownId => "unknown_id",
            ErrorCode::MethodNotAllowed => "method_not_allowed",
            ErrorCode::RequestTimeout => "request_timeout",
            ErrorCode::EmailTaken => "email_taken",
            ErrorCode::Conflict => "conflict",
            ErrorCode::Outdated => "outdated",
            ErrorCode::BodyTooLarge => "body_too_large",
            ErrorCode::UnsupportedMediaType => "unsupported_media_type",
            ErrorCode::Unprocessable => "unprocessable",
            ErrorCode::IdempotencyKeyReused => "idempotency_key_reused",
            ErrorCode::TooManyRequests => "too_many_requests",
            ErrorCode::Internal => "internal",
            ErrorCode::NotImplemented => "not_implemented",
            ErrorCode::Busy => "busy",
            ErrorCode::Unavailable => "unavailable",
        }
    }

    /// The default message of this code, for clients.
    pub const fn message(self) -> &'static str {
        match self {
            ErrorCode::Invalid => "Bad request",
            ErrorCode::NoToken => "A token is needed",
            ErrorCode::BadToken => "The token is not valid",
            ErrorCode::AccessTokenExpired => "Token has expired",
            ErrorCode::TokenExpired => "The token has expired",
            ErrorCode::BadCredentials => "Unknown account or wrong password",
            ErrorCode::BadResetCode => "The reset code is not valid",
            ErrorCode::NotPermitted => "The token does not permit this",
            ErrorCode::SignupClosed => "Signup is closed",
            ErrorCode::PathNotFound => "Not found",
            ErrorCode::SessionNotFound => "Session not found",
            ErrorCode::InviteNotFound => "Invite not found",
            ErrorCode::UnknownId => "Nothing has this id",
            ErrorCode::MethodNotAllowed => "Method not allowed",
            ErrorCode::RequestTimeout => "The request took too long to arrive",
            ErrorCode::EmailTaken => "Email already in use",
            ErrorCode::Conflict => "The request contradicts the present state",
            ErrorCode::Outdated => "It was changed in the meantime: read it again",
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
            service::Error::OutOfMemory { retry_after } => Error::new(ErrorCode::Busy)
                .retry_after(retry_after)
                .caused_by("there is no memory for it"),
            service::Error::Unavailable(cause) => {
                Error::new(ErrorCode::Unavailable).caused_by(cause)
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
