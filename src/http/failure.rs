//! What can go wrong, in HTTP's terms. A refusal of the service and a fault of the wire meet in one `Failure`; the status
//! comes from one table; each API words it in its own shape.

use std::borrow::Cow;
use std::error::Error;
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
pub enum Code {
    /// The request is malformed, or a field of it is.
    BadRequest,
    /// A token is needed and none came.
    NoToken,
    /// The token is unknown or was ended.
    BadToken,
    /// The token was good once.
    ExpiredToken,
    /// The account is unknown or the password wrong: alike, on purpose.
    BadCredentials,
    /// The reset code is unknown, used or expired: alike, on purpose.
    BadResetCode,
    /// The token is good, but not for this.
    NotPermitted,
    /// Nothing is served there.
    UnknownPath,
    /// No such session.
    UnknownSession,
    /// No such invite, or it is used up.
    InviteNotFound,
    /// The path has no such method.
    WrongMethod,
    /// The body did not come in time.
    TimedOut,
    /// The address has an account already.
    EmailTaken,
    /// The body is longer than the route takes.
    TooLarge,
    /// The body is not JSON by its own account.
    UnsupportedMedia,
    /// The request is well formed and asks for what cannot be; `errors` says why.
    Unprocessable,
    /// Too often.
    TooMany,
    /// Our fault.
    Fault,
    /// Not part of this version.
    NotBuilt,
    /// Too much at once; it passes.
    Busy,
    /// The store does not take changes just now.
    Unavailable,
}

impl Code {
    /// The status it is answered with.
    pub const fn status(self) -> StatusCode {
        match self {
            Code::BadRequest => StatusCode::BAD_REQUEST,
            Code::NoToken
            | Code::BadToken
            | Code::ExpiredToken
            | Code::BadCredentials
            | Code::BadResetCode => StatusCode::UNAUTHORIZED,
            Code::NotPermitted => StatusCode::FORBIDDEN,
            Code::UnknownPath | Code::UnknownSession | Code::InviteNotFound => {
                StatusCode::NOT_FOUND
            }
            Code::WrongMethod => StatusCode::METHOD_NOT_ALLOWED,
            Code::TimedOut => StatusCode::REQUEST_TIMEOUT,
            Code::EmailTaken => StatusCode::CONFLICT,
            Code::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
            Code::UnsupportedMedia => StatusCode::UNSUPPORTED_MEDIA_TYPE,
            Code::Unprocessable => StatusCode::UNPROCESSABLE_ENTITY,
            Code::TooMany => StatusCode::TOO_MANY_REQUESTS,
            Code::Fault => StatusCode::INTERNAL_SERVER_ERROR,
            Code::NotBuilt => StatusCode::NOT_IMPLEMENTED,
            Code::Busy | Code::Unavailable => StatusCode::SERVICE_UNAVAILABLE,
        }
    }

    /// What is said when nothing more exact is known.
    pub const fn why(self) -> &'static str {
        match self {
            Code::BadRequest => "Bad request",
            Code::NoToken => "A token is needed",
            Code::BadToken => "The token is not valid",
            Code::ExpiredToken => "The token has expired",
            Code::BadCredentials => "Unknown account or wrong password",
            Code::BadResetCode => "The reset code is not valid",
            Code::NotPermitted => "The token does not permit this",
            Code::UnknownPath => "Not found",
            Code::UnknownSession => "Session not found",
            Code::InviteNotFound => "Invite not found",
            Code::WrongMethod => "Method not allowed",
            Code::TimedOut => "The request took too long to arrive",
            Code::EmailTaken => "Email already in use",
            Code::TooLarge => "The body is too large",
            Code::UnsupportedMedia => "The body must be JSON",
            Code::Unprocessable => "The request cannot be carried out",
            Code::TooMany => "Too many requests",
            Code::Fault => "Internal error",
            Code::NotBuilt => "Not implemented",
            Code::Busy => "Too busy, try again",
            Code::Unavailable => "Unavailable, try again",
        }
    }
}

/// A request that is not answered as it hoped. Its text is public; its cause is not.
#[derive(Debug)]
pub struct Failure {
    code: Code,
    why: Cow<'static, str>,
    errors: Vec<String>,
    retry_after: Option<Duration>,
    allow: Option<Arc<str>>,
    cause: Option<Box<dyn Error + Send + Sync>>,
}

impl Failure {
    /// A failure that says what its code says.
    pub fn new(code: Code) -> Failure {
        Failure::because(code, code.why())
    }

    /// A failure with a text of its own, which the client gets to see.
    pub fn because(code: Code, why: impl Into<Cow<'static, str>>) -> Failure {
        let retry = code.status() == StatusCode::SERVICE_UNAVAILABLE || code == Code::TooMany;
        Failure {
            code,
            why: why.into(),
            errors: Vec::new(),
            retry_after: retry.then_some(RETRY_SOON),
            allow: None,
            cause: None,
        }
    }

    /// A malformed request.
    pub fn bad_request(why: impl Into<Cow<'static, str>>) -> Failure {
        Failure::because(Code::BadRequest, why)
    }

    /// A well-formed request for what cannot be: each reason as a sentence.
    pub fn unprocessable(errors: Vec<String>) -> Failure {
        Failure {
            errors,
            ..Failure::new(Code::Unprocessable)
        }
    }

    /// Our fault, with what is behind it: that is logged and never shown.
    pub fn fault(cause: impl Into<Box<dyn Error + Send + Sync>>) -> Failure {
        Failure::new(Code::Fault).caused_by(cause)
    }

    /// The same failure, and what is behind it: that is logged and never shown.
    #[must_use]
    pub fn caused_by(mut self, cause: impl Into<Box<dyn Error + Send + Sync>>) -> Failure {
        self.cause = Some(cause.into());
        self
    }

    /// The same failure in an API's set phrase; what it said before becomes the first of `errors`.
    #[must_use]
    pub fn reworded(mut self, why: &'static str) -> Failure {
        let exact = std::mem::replace(&mut self.why, Cow::Borrowed(why));
        self.errors.insert(0, exact.into_owned());
        self
    }

    /// The same failure, to be tried again after `wait`.
    #[must_use]
    pub fn retry_after(mut self, wait: Duration) -> Failure {
        self.retry_after = Some(wait);
        self
    }

    /// A method that the path does not have; `allow` lists those it has.
    pub(super) fn wrong_method(allow: Arc<str>) -> Failure {
        Failure {
            allow: Some(allow),
            ..Failure::new(Code::WrongMethod)
        }
    }

    /// What went wrong.
    pub fn code(&self) -> Code {
        self.code
    }

    /// The status of its code; a dialect may answer with another.
    pub fn status(&self) -> StatusCode {
        self.code.status()
    }

    /// What went wrong, for the client.
    pub fn why(&self) -> &str {
        &self.why
    }

    /// For `Unprocessable`: each thing that is wrong, as a sentence.
    pub fn errors(&self) -> &[String] {
        &self.errors
    }

    /// What is behind it: for the log only.
    pub(super) fn cause(&self) -> Option<&(dyn Error + Send + Sync)> {
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

impl From<Invalid> for Failure {
    fn from(invalid: Invalid) -> Failure {
        Failure::bad_request(invalid.to_string())
    }
}

impl From<service::Error> for Failure {
    fn from(refusal: service::Error) -> Failure {
        match refusal {
            service::Error::Invalid(invalid) => invalid.into(),
            service::Error::NoToken => Failure::new(Code::NoToken),
            service::Error::BadToken => Failure::new(Code::BadToken),
            service::Error::TokenExpired => Failure::new(Code::ExpiredToken),
            service::Error::NotPermitted => Failure::new(Code::NotPermitted),
            service::Error::BadCredentials => Failure::new(Code::BadCredentials),
            service::Error::EmailTaken => Failure::new(Code::EmailTaken),
            service::Error::InviteNotFound => Failure::new(Code::InviteNotFound),
            service::Error::SessionNotFound => Failure::new(Code::UnknownSession),
            service::Error::BadResetCode => Failure::new(Code::BadResetCode),
            service::Error::SignupClosed => {
                Failure::because(Code::NotPermitted, "Signup is closed")
            }
            service::Error::Unprocessable(errors) => Failure::unprocessable(errors),
            service::Error::TooMany { retry_after } => {
                Failure::new(Code::TooMany).retry_after(retry_after)
            }
            service::Error::Busy { retry_after } => {
                Failure::new(Code::Busy).retry_after(retry_after)
            }
            service::Error::Unavailable(cause) => Failure::new(Code::Unavailable).caused_by(cause),
            service::Error::Fault(cause) => Failure::fault(cause),
        }
    }
}

/// A failure in the words of an API.
pub struct Worded {
    /// The status.
    pub status: StatusCode,
    /// The content type of the body.
    pub content_type: &'static str,
    /// The body.
    pub body: Bytes,
}

impl Worded {
    /// A failure that is said in JSON.
    pub fn json(status: StatusCode, body: &impl Serialize) -> Worded {
        let body = serde_json::to_vec(body).unwrap_or_default().into();
        Worded {
            status,
            content_type: "application/json",
            body,
        }
    }

    /// A failure that is said in plain text.
    pub fn text(status: StatusCode, text: impl Into<Bytes>) -> Worded {
        Worded {
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
            Failure::new(Code::TooMany)
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
        assert_eq!(Failure::new(Code::BadToken).retry_after_seconds(), None);
    }
}
