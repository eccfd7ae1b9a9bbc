//! The Ephemeride API: accounts and sessions. Timestamps are milliseconds since the epoch. The `id`
//! of a new session is its secret; the `id` in the list of sessions is public.

use std::future::ready;
use std::net::IpAddr;

use hyper::StatusCode;
use serde::Serialize;

use crate::http::{
    Api, BodySchema, Error, ErrorCode, Handler, Method, RenderedError, Reply, RequestBody,
    RequestContext, RequestQuery, ResponseSpec, Route, UserBearer, json_request, json_response,
};
use crate::model::{Email, Name, Secret, Timestamp, Token, TokenId, TokenKind, UserId};
use crate::service::{Issued, Login, Signup};

/// The API; clients use both prefixes.
pub static API: Api = Api {
    name: "ephemeride",
    mounts: &["", "/api"],
    routes: ROUTES,
    render_error: render,
};

/// The route at `/api` itself.
pub static ROOT: Api = Api {
    name: "ephemeride",
    mounts: &[""],
    routes: ROOT_ROUTES,
    render_error: render,
};

const ROOT_ROUTES: &[Route] = &[Route {
    name: "about",
    method: Method::Get,
    path: "/api",
    query: RequestQuery::NONE,
    body: RequestBody::Nothing,
    responses: &[ResponseSpec::json(
        200,
        About::FIELDS,
        "The server's name, description and version.",
    )],
    errors: &[],
    run: Handler::Open(|_| Box::pin(ready(Ok(about())))),
    about: "Says name and version.",
}];

const ROUTES: &[Route] = &[
    Route {
        name: "sign_up",
        method: Method::Post,
        path: "/v1/user",
        query: RequestQuery::NONE,
        body: RequestBody::Json(NewAccount::FIELDS),
        responses: &[
            ResponseSpec::json(201, Session::FIELDS, "The account's first session.").secret(),
        ],
        errors: &[
            ErrorCode::EmailTaken,
            ErrorCode::InviteNotFound,
            ErrorCode::SignupClosed,
        ],
        run: Handler::Open(|request| Box::pin(sign_up(request))),
        about: "Makes an account.",
    },
    Route {
        name: "read_user",
        method: Method::Get,
        path: "/v1/user",
        query: RequestQuery::NONE,
        body: RequestBody::Nothing,
        responses: &[ResponseSpec::json(200, Account::FIELDS, "The account.")],
        errors: &[],
        run: Handler::User(|_, bearer| Box::pin(ready(Ok(read_user(&bearer))))),
        about: "Reads one's own account.",
    },
    Route {
        name: "update_user",
        method: Method::Patch,
        path: "/v1/user",
        query: RequestQuery::NONE,
        body: RequestBody::Json(Profile::FIELDS),
        responses: &[ResponseSpec::empty(204, "The account is changed.")],
        errors: &[ErrorCode::EmailTaken],
        run: Handler::User(|request, bearer| Box::pin(update_user(request, bearer))),
        about: "Changes name and address; both are needed.",
    },
    Route {
        name: "delete_user",
        method: Method::Delete,
        path: "/v1/user",
        query: RequestQuery::NONE,
        body: RequestBody::Nothing,
        responses: &[ResponseSpec::empty(
            204,
            "The account and its tokens are gone, its address is free.",
        )],
        errors: &[],
        run: Handler::User(|request, bearer| Box::pin(delete_user(request, bearer))),
        about: "Removes one's own account.",
    },
    Route {
        name: "change_password",
        method: Method::Patch,
        path: "/v1/user/password",
        query: RequestQuery::NONE,
        body: RequestBody::Json(NewPassword::FIELDS),
        responses: &[ResponseSpec::empty(
            204,
            "The password is changed; every other token is dead.",
        )],
        errors: &[ErrorCode::BadCredentials],
        run: Handler::User(|request, bearer| Box::pin(change_password(request, bearer))),
        about: "Changes one's own password.",
    },
    Route {
        name: "log_in",
        method: Method::Post,
        path: "/v1/auth",
        query: RequestQuery::NONE,
        body: RequestBody::Json(Credentials::FIELDS),
        responses: &[ResponseSpec::json(201, Session::FIELDS, "A session.").secret()],
        errors: &[ErrorCode::BadCredentials],
        run: Handler::Open(|request| Box::pin(log_in(request))),
        about: "Logs in with address and password.",
    },
    Route {
        name: "auth_config",
        method: Method::Get,
        path: "/v1/auth/config",
        query: RequestQuery::NONE,
        body: RequestBody::Nothing,
        responses: &[ResponseSpec::json(
            200,
            AuthConfig::FIELDS,
            "What a signup form needs to know.",
        )],
        errors: &[],
        run: Handler::Open(|request| Box::pin(ready(Ok(auth_config(&request))))),
        about: "Says whether a signup needs an invite.",
    },
    Route {
        name: "list_sessions",
        method: Method::Get,
        path: "/v1/sessions",
        query: RequestQuery::NONE,
        body: RequestBody::Nothing,
        responses: &[ResponseSpec::new(
            200,
            BodySchema::List(Listed::FIELDS),
            "The sessions, latest used first.",
        )],
        errors: &[],
        run: Handler::User(|request, bearer| Box::pin(list_sessions(request, bearer))),
        about: "Lists one's own live tokens of every kind, without their secrets.",
    },
    Route {
        name: "end_session",
        method: Method::Delete,
        path: "/v1/session/{id}",
        query: RequestQuery::NONE,
        body: RequestBody::Nothing,
        responses: &[ResponseSpec::empty(204, "The session is over.")],
        errors: &[ErrorCode::SessionNotFound],
        run: Handler::User(|request, bearer| Box::pin(end_session(request, bearer))),
        about: "Ends one of one's own sessions, by its id in the list.",
    },
];

json_response! {
    /// `GET /api`
    struct About<'a> {
        name: &'a str,
        version: &'a str,
    }
}

json_request! {
    /// `POST /v1/user`
    struct NewAccount {
        name: String,
        email: String,
        password: Secret,
        #[serde(alias = "invite_code")]
        invite: Option<String>,
    }
}

json_request! {
    /// `PATCH /v1/user`
    struct Profile {
        name: String,
        email: String,
    }
}

json_request! {
    /// `PATCH /v1/user/password`
    struct NewPassword {
        current_password: Secret,
        password: Secret,
    }
}

json_request! {
    /// `POST /v1/auth`
    struct Credentials {
        email: String,
        password: Secret,
    }
}

json_response! {
    /// A new session. Its `id` is the secret of its token.
    struct Session<'a> {
        id: &'a str,
        user_id: String,
        created_at: Timestamp,
        accessed_at: Timestamp,
        ip_address: IpAddr,
        user_agent: &'a str,
    }
}

json_response! {
    /// An account.
    struct Account<'a> {
        id: UserId,
        created_at: Timestamp,
        name: &'a str,
        email: &'a str,
        invite: Option<&'a str>,
    }
}

json_response! {
    /// `GET /v1/auth/config`
    struct AuthConfig {
        invite_required: bool,
    }
}

json_response! {
    /// A session in the list. Its id is public and grants no access.
    struct Listed<'a> {
        id: TokenId,
        user_id: String,
        kind: &'a str,
        created_at: Timestamp,
        accessed_at: Timestamp,
        expires_at: Option<Timestamp>,
        ip_address: IpAddr,
        user_agent: &'a str,
        current: bool,
    }
}

#[derive(Serialize)]
struct Complaint<'a> {
    code: &'a str,
    message: &'a str,
}

/// The error with the API's own code for it, and with its own status where it has one.
fn render(error: &Error) -> RenderedError {
    let mut status = error.status();
    let mut message = error.message();
    let code = match error.code() {
        ErrorCode::Invalid => "BadRequest",
        ErrorCode::NoToken | ErrorCode::AccessTokenExpired => "Unauthorized",
        // For this API, a token that is not valid is a session that does not exist.
        ErrorCode::BadToken | ErrorCode::TokenExpired | ErrorCode::SessionNotFound => {
            (status, message) = (StatusCode::NOT_FOUND, ErrorCode::SessionNotFound.message());
            "SessionNotFound"
        }
        ErrorCode::BadCredentials => {
            message = "Invalid password";
            "InvalidPassword"
        }
        ErrorCode::BadResetCode => "InvalidResetCode",
        ErrorCode::NotPermitted | ErrorCode::SignupClosed => "Forbidden",
        ErrorCode::PathNotFound | ErrorCode::UnknownId => "NotFound",
        ErrorCode::InviteNotFound => "InviteNotFound",
        ErrorCode::MethodNotAllowed => "MethodNotAllowed",
        ErrorCode::RequestTimeout => "RequestTimeout",
        ErrorCode::EmailTaken => "EmailAlreadyInUse",
        ErrorCode::Conflict | ErrorCode::Outdated => "Conflict",
        ErrorCode::BodyTooLarge => "PayloadTooLarge",
        ErrorCode::UnsupportedMediaType => "UnsupportedMediaType",
        ErrorCode::Unprocessable | ErrorCode::IdempotencyKeyReused => "UnprocessableEntity",
        ErrorCode::TooManyRequests => "TooManyRequests",
        ErrorCode::Internal => "InternalServerError",
        ErrorCode::NotImplemented => "NotImplemented",
        ErrorCode::Busy | ErrorCode::Unavailable => "ServiceUnavailable",
    };
    RenderedError::json(status, &Complaint { code, message })
}

fn about() -> Reply {
    let about = About {
        name: env!("CARGO_PKG_NAME"),
        version: env!("CARGO_PKG_VERSION"),
    };
    Reply::json(200, &about)
}

async fn sign_up(request: RequestContext) -> Result<Reply, Error> {
    let NewAccount {
        name,
        email,
        password,
        invite,
    } = request.json()?;
    let signup = Signup {
        name,
        email,
        password,
        invite,
    };
    let session = request.services.sign_up(signup, &request.caller()).await?;
    Ok(begun(&session))
}

async fn log_in(request: RequestContext) -> Result<Reply, Error> {
    let Credentials { email, password } = request.json()?;
    let login = Login::Email(Email::parse(&email)?);
    let session = request
        .services
        .log_in_user(TokenKind::Session, login, &password, &request.caller())
        .await?;
    Ok(begun(&session))
}

fn begun(session: &Issued) -> Reply {
    let Issued { secret, token, .. } = session;
    Reply::json(
        201,
        &Session {
            id: secret.reveal(),
            user_id: token.holder.to_string(),
            created_at: token.issued_at,
            accessed_at: token.last_used_at,
            ip_address: token.client.address,
            user_agent: &token.client.user_agent,
        },
    )
}

fn read_user(bearer: &UserBearer) -> Reply {
    let user = &bearer.user;
    Reply::json(
        200,
        &Account {
            id: user.id,
            created_at: user.created_at,
            name: user.name.as_str(),
            email: user.email.shown(),
            invite: user.invite.as_deref(),
        },
    )
}

async fn update_user(request: RequestContext, bearer: UserBearer) -> Result<Reply, Error> {
    let Profile { name, email } = request.json()?;
    let (name, email) = (Name::parse(&name)?, Email::parse(&email)?);
    let by = request.caller().acting(bearer.bearer.actor());
    request
        .services
        .update_user(&bearer.user, name, email, by)
        .await?;
    Ok(Reply::empty(204))
}

async fn delete_user(request: RequestContext, bearer: UserBearer) -> Result<Reply, Error> {
    let by = request.caller().acting(bearer.bearer.actor());
    request.services.delete_user(&bearer.user, by).await?;
    Ok(Reply::empty(204))
}

async fn change_password(request: RequestContext, own: UserBearer) -> Result<Reply, Error> {
    let NewPassword {
        current_password,
        password,
    } = request.json()?;
    let caller = request.caller();
    request
        .services
        .change_password(
            &own.bearer,
            &own.user,
            &current_password,
            &password,
            &caller,
        )
        .await?;
    Ok(Reply::empty(204))
}

fn auth_config(request: &RequestContext) -> Reply {
    let invite_required = request.services.needs_invite();
    Reply::json(200, &AuthConfig { invite_required })
}

async fn list_sessions(request: RequestContext, own: UserBearer) -> Result<Reply, Error> {
    let sessions = request.services.sessions(&own.bearer, request.now).await?;
    let current = own.bearer.token.id;
    let listed: Vec<_> = sessions
        .iter()
        .map(|token| listed(token, current))
        .collect();
    Ok(Reply::json(200, &listed))
}

fn listed(token: &Token, current: TokenId) -> Listed<'_> {
    Listed {
        id: token.id,
        user_id: token.holder.to_string(),
        kind: token.kind.as_str(),
        created_at: token.issued_at,
        accessed_at: token.last_used_at,
        expires_at: token.end(),
        ip_address: token.client.address,
        user_agent: &token.client.user_agent,
        current: token.id == current,
    }
}

async fn end_session(request: RequestContext, own: UserBearer) -> Result<Reply, Error> {
    request
        .services
        .end_session(&own.bearer, request.param("id"), &request.caller())
        .await?;
    Ok(Reply::empty(204))
}
