//! The kinds of errors, with their statuses, their names and their texts.

use hyper::StatusCode;

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
