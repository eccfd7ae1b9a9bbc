//! Ephemeride: accounts and sessions. Timestamps are milliseconds since the epoch; a session's `id` is its secret.

use std::future::ready;
use std::net::IpAddr;

use hyper::StatusCode;
use serde::Serialize;

use crate::http::{
    Api, Call, Code, Failure, Gives, Handler, Reply, Route, Shape, Takes, UserBearer, Verb, Worded,
    answer, body,
};
use crate::model::{Secret, Timestamp, Token, TokenId, TokenKind, UserId};
use crate::service::{Issued, Login, Signup};

/// The API; clients ask for it under both prefixes.
pub static API: Api = Api {
    name: "ephemeride",
    mounts: &["", "/api"],
    routes: ROUTES,
    dialect: word,
};

/// What stands at `/api` itself.
pub static ROOT: Api = Api {
    name: "ephemeride",
    mounts: &[""],
    routes: ROOT_ROUTES,
    dialect: word,
};

const ROOT_ROUTES: &[Route] = &[Route {
    name: "about",
    verb: Verb::Get,
    path: "/api",
    takes: Takes::Nothing,
    gives: &[Gives::json(200, About::FIELDS, "Who answers here.")],
    fails: &[],
    run: Handler::Open(|_| Box::pin(ready(Ok(about())))),
    about: "Says name and version.",
}];

const ROUTES: &[Route] = &[
    Route {
        name: "sign_up",
        verb: Verb::Post,
        path: "/v1/user",
        takes: Takes::Json(NewAccount::FIELDS),
        gives: &[Gives::json(201, Session::FIELDS, "The account's first session.").secret()],
        fails: &[Code::EmailTaken, Code::InviteNotFound, Code::NotPermitted],
        run: Handler::Open(|call| Box::pin(sign_up(call))),
        about: "Makes an account.",
    },
    Route {
        name: "read_user",
        verb: Verb::Get,
        path: "/v1/user",
        takes: Takes::Nothing,
        gives: &[Gives::json(200, Account::FIELDS, "The account.")],
        fails: &[Code::NoToken, Code::BadToken],
        run: Handler::User(|_, bearer| Box::pin(ready(Ok(read_user(&bearer))))),
        about: "Reads one's own account.",
    },
    Route {
        name: "update_user",
        verb: Verb::Patch,
        path: "/v1/user",
        takes: Takes::Json(Profile::FIELDS),
        gives: &[Gives::empty(204, "The account is changed.")],
        fails: &[Code::NoToken, Code::BadToken, Code::EmailTaken],
        run: Handler::User(|call, bearer| Box::pin(update_user(call, bearer))),
        about: "Changes name and address; both are needed.",
    },
    Route {
        name: "delete_user",
        verb: Verb::Delete,
        path: "/v1/user",
        takes: Takes::Nothing,
        gives: &[Gives::empty(
            204,
            "The account and its tokens are gone, its address is free.",
        )],
        fails: &[Code::NoToken, Code::BadToken],
        run: Handler::User(|call, bearer| Box::pin(delete_user(call, bearer))),
        about: "Removes one's own account.",
    },
    Route {
        name: "change_password",
        verb: Verb::Patch,
        path: "/v1/user/password",
        takes: Takes::Json(NewPassword::FIELDS),
        gives: &[Gives::empty(
            204,
            "The password is changed; every other token is dead.",
        )],
        fails: &[Code::NoToken, Code::BadToken, Code::BadCredentials],
        run: Handler::User(|call, bearer| Box::pin(change_password(call, bearer))),
        about: "Changes one's own password.",
    },
    Route {
        name: "log_in",
        verb: Verb::Post,
        path: "/v1/auth",
        takes: Takes::Json(Credentials::FIELDS),
        gives: &[Gives::json(201, Session::FIELDS, "A session.").secret()],
        fails: &[Code::BadCredentials],
        run: Handler::Open(|call| Box::pin(log_in(call))),
        about: "Logs in with address and password.",
    },
    Route {
        name: "auth_config",
        verb: Verb::Get,
        path: "/v1/auth/config",
        takes: Takes::Nothing,
        gives: &[Gives::json(
            200,
            AuthConfig::FIELDS,
            "What a signup form needs to know.",
        )],
        fails: &[],
        run: Handler::Open(|call| Box::pin(ready(Ok(auth_config(&call))))),
        about: "Says whether a signup needs an invite.",
    },
    Route {
        name: "list_sessions",
        verb: Verb::Get,
        path: "/v1/sessions",
        takes: Takes::Nothing,
        gives: &[Gives::new(
            200,
            Shape::List(Listed::FIELDS),
            "The sessions, latest used first.",
        )],
        fails: &[Code::NoToken, Code::BadToken],
        run: Handler::User(|call, bearer| Box::pin(list_sessions(call, bearer))),
        about: "Lists one's own live tokens of every kind, without their secrets.",
    },
    Route {
        name: "end_session",
        verb: Verb::Delete,
        path: "/v1/session/{id}",
        takes: Takes::Nothing,
        gives: &[Gives::empty(204, "The session is over.")],
        fails: &[Code::NoToken, Code::BadToken, Code::UnknownSession],
        run: Handler::User(|call, bearer| Box::pin(end_session(call, bearer))),
        about: "Ends one of one's own sessions, by its id in the list.",
    },
];

answer! {
    /// `GET /api/`
    struct About<'a> {
        name: &'a str,
        version: &'a str,
    }
}

body! {
    /// `POST /v1/user`
    struct NewAccount {
        name: String,
        email: String,
        password: Secret,
        #[serde(alias = "invite_code")]
        invite: Option<String>,
    }
}

body! {
    /// `PATCH /v1/user`
    struct Profile {
        name: String,
        email: String,
    }
}

body! {
    /// `PATCH /v1/user/password`
    struct NewPassword {
        current_password: Secret,
        password: Secret,
    }
}

body! {
    /// `POST /v1/auth`
    struct Credentials {
        email: String,
        password: Secret,
    }
}

answer! {
    /// A session that has just begun.
    struct Session<'a> {
        id: &'a str,
        user_id: String,
        created_at: Timestamp,
        accessed_at: Timestamp,
        ip_address: IpAddr,
        user_agent: &'a str,
    }
}

answer! {
    /// An account.
    struct Account<'a> {
        id: UserId,
        created_at: Timestamp,
        name: &'a str,
        email: &'a str,
        invite: Option<&'a str>,
    }
}

answer! {
    /// `GET /v1/auth/config`
    struct AuthConfig {
        invite_required: bool,
    }
}

answer! {
    /// A session in the list: its id is public and opens nothing.
    struct Listed<'a> {
        id: TokenId,
        kind: &'a str,
        created_at: Timestamp,
        accessed_at: Timestamp,
        expires_at: Timestamp,
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

/// Each failure's code, and the status where the API has its own.
fn word(failure: &Failure) -> Worded {
    let mut status = failure.status();
    let mut message = failure.why();
    let code = match failure.code() {
        Code::BadRequest => "BadRequest",
        Code::NoToken => "Unauthorized",
        // A token that opens no account is no session.
        Code::BadToken | Code::ExpiredToken | Code::UnknownSession => {
            (status, message) = (StatusCode::NOT_FOUND, Code::UnknownSession.why());
            "SessionNotFound"
        }
        Code::BadCredentials => {
            message = "Invalid password";
            "InvalidPassword"
        }
        Code::BadResetCode => "InvalidResetCode",
        Code::NotPermitted => "Forbidden",
        Code::UnknownPath => "NotFound",
        Code::InviteNotFound => "InviteNotFound",
        Code::WrongMethod => "MethodNotAllowed",
        Code::TimedOut => "RequestTimeout",
        Code::EmailTaken => "EmailAlreadyInUse",
        Code::TooLarge => "PayloadTooLarge",
        Code::UnsupportedMedia => "UnsupportedMediaType",
        Code::Unprocessable => "UnprocessableEntity",
        Code::TooMany => "TooManyRequests",
        Code::Fault => "InternalServerError",
        Code::NotBuilt => "NotImplemented",
        Code::Busy | Code::Unavailable => "ServiceUnavailable",
    };
    Worded::json(status, &Complaint { code, message })
}

fn about() -> Reply {
    let about = About {
        name: env!("CARGO_PKG_NAME"),
        version: env!("CARGO_PKG_VERSION"),
    };
    Reply::json(200, &about)
}

async fn sign_up(call: Call) -> Result<Reply, Failure> {
    let NewAccount {
        name,
        email,
        password,
        invite,
    } = call.json()?;
    let signup = Signup {
        name,
        email,
        password,
        invite,
    };
    let session = call
        .services
        .sign_up(signup, call.client(), call.now)
        .await?;
    Ok(begun(&session))
}

async fn log_in(call: Call) -> Result<Reply, Failure> {
    let Credentials { email, password } = call.json()?;
    crate::model::Email::parse(&email)?;
    let login = Login::Email(&email);
    let session = call
        .services
        .log_in_user(
            TokenKind::Session,
            login,
            &password,
            call.client(),
            call.now,
        )
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

async fn update_user(call: Call, bearer: UserBearer) -> Result<Reply, Failure> {
    let Profile { name, email } = call.json()?;
    call.services
        .update_user(&bearer.user, &name, &email, call.now)
        .await?;
    Ok(Reply::empty(204))
}

async fn delete_user(call: Call, bearer: UserBearer) -> Result<Reply, Failure> {
    call.services.delete_user(&bearer.user).await?;
    Ok(Reply::empty(204))
}

async fn change_password(call: Call, own: UserBearer) -> Result<Reply, Failure> {
    let NewPassword {
        current_password,
        password,
    } = call.json()?;
    let from = call.client();
    call.services
        .change_password(
            &own.bearer,
            &own.user,
            &current_password,
            password,
            &from,
            call.now,
        )
        .await?;
    Ok(Reply::empty(204))
}

fn auth_config(call: &Call) -> Reply {
    let invite_required = call.services.needs_invite();
    Reply::json(200, &AuthConfig { invite_required })
}

async fn list_sessions(call: Call, own: UserBearer) -> Result<Reply, Failure> {
    let sessions = call.services.sessions(&own.bearer, call.now).await?;
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
        kind: match token.kind {
            TokenKind::Admin => "admin",
            TokenKind::Hub => "hub",
            TokenKind::Angen => "angen",
            TokenKind::Session => "session",
            TokenKind::Access => "access",
        },
        created_at: token.issued_at,
        accessed_at: token.last_used_at,
        expires_at: token.expires_at,
        ip_address: token.client.address,
        user_agent: &token.client.user_agent,
        current: token.id == current,
    }
}

async fn end_session(call: Call, own: UserBearer) -> Result<Reply, Failure> {
    call.services
        .end_session(&own.bearer, call.param("id"))
        .await?;
    Ok(Reply::empty(204))
}
