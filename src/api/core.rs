//! The Core API: access tokens as JWTs, and password resets.

use std::future::ready;

use hyper::header::{CACHE_CONTROL, HeaderValue};
use serde::Serialize;

use crate::crypto::PublicKey;
use crate::http::{
    Api, BodySchema, Error, ErrorCode, Field, Handler, JsonKind, Method, RenderedError, Reply,
    RequestBody, RequestContext, RequestQuery, ResponseSpec, Route, UserBearer, json_request,
    json_response,
};
use crate::model::{Secret, TokenKind};
use crate::service::{Login, Redemption};

/// The API.
pub static API: Api = Api {
    name: "core",
    mounts: &[""],
    routes: ROUTES,
    render_error: render,
};

const ROUTES: &[Route] = &[
    Route {
        name: "create_access_token",
        method: Method::Post,
        path: "/api/auth",
        query: RequestQuery::NONE,
        body: RequestBody::Json(Credentials::FIELDS),
        responses: &[ResponseSpec::json(200, Access::FIELDS, "The access token.").secret()],
        errors: &[ErrorCode::BadCredentials],
        run: Handler::Open(|request| Box::pin(log_in(request))),
        about: "Logs in with address and password.",
    },
    Route {
        name: "refresh_access_token",
        method: Method::Post,
        path: "/api/auth/refresh",
        query: RequestQuery::NONE,
        body: RequestBody::Anything,
        responses: &[ResponseSpec::json(200, Access::FIELDS, "The successor.").secret()],
        errors: &[ErrorCode::NoToken, ErrorCode::BadToken],
        run: Handler::Open(|request| Box::pin(refresh(request))),
        about: "Exchanges an access token, expired or not, for its successor.",
    },
    Route {
        name: "revoke_access_token",
        method: Method::Delete,
        path: "/api/auth",
        query: RequestQuery::NONE,
        body: RequestBody::Nothing,
        responses: &[ResponseSpec::empty(
            204,
            "The token and its family are dead.",
        )],
        errors: &[ErrorCode::NoToken, ErrorCode::BadToken],
        run: Handler::Open(|request| Box::pin(log_out(request))),
        about: "Logs out, also with an expired token.",
    },
    Route {
        name: "ask_reset",
        method: Method::Post,
        path: "/api/password",
        query: RequestQuery::NONE,
        body: RequestBody::Anything,
        responses: &[ResponseSpec::empty(
            201,
            "If the address has an account, a mail is on its way.",
        )],
        errors: &[],
        run: Handler::Open(|request| Box::pin(ask_reset(request))),
        about: "Asks for a reset mail. Always the same answer.",
    },
    Route {
        name: "redeem_reset",
        method: Method::Patch,
        path: "/api/password",
        query: RequestQuery::NONE,
        body: RequestBody::Json(NewPassword::FIELDS),
        responses: &[ResponseSpec::empty(
            200,
            "The password is changed and every token of the account dead.",
        )],
        errors: &[ErrorCode::BadResetCode, ErrorCode::Unprocessable],
        run: Handler::Open(|request| Box::pin(redeem_reset(request))),
        about: "Sets a new password with a reset code.",
    },
    Route {
        name: "graphql",
        method: Method::Post,
        path: "/api/graphql",
        query: RequestQuery::NONE,
        body: RequestBody::Anything,
        responses: &[],
        errors: &[ErrorCode::NotImplemented],
        run: Handler::User(|_, _: UserBearer| Box::pin(ready(graphql()))),
        about: "Says 501 to whoever is authenticated: there is no GraphQL in this version.",
    },
    Route {
        name: "jwks",
        method: Method::Get,
        path: "/.well-known/jwks.json",
        query: RequestQuery::NONE,
        body: RequestBody::Nothing,
        responses: &[
            ResponseSpec::new(
                200,
                BodySchema::Json(KEY_SET),
                "The keys that sign access tokens.",
            )
            .public()
            .digested(),
            ResponseSpec::empty(304, "It is still the key set of this `If-None-Match`.")
                .public()
                .digested(),
        ],
        errors: &[],
        run: Handler::Open(|request| Box::pin(ready(Ok(key_set(&request))))),
        about: "Lets others verify access tokens (RFC 7517).",
    },
];

json_request! {
    /// `POST /api/auth`
    struct Credentials {
        email: String,
        password: Secret,
    }
}

json_response! {
    /// An access token.
    struct Access<'a> {
        token: &'a str,
    }
}

json_request! {
    /// `POST /api/password`
    struct Forgotten {
        email: String,
    }
}

json_request! {
    /// `PATCH /api/password`. The fields are optional so that the API's own list of errors can name
    /// those that are missing.
    struct NewPassword {
        token: Option<Secret>,
        password: Option<Secret>,
        password_confirmation: Option<Secret>,
    }
}

/// An hour, as long as an access token lives by default. Every answer is the same for everybody.
const KEY_SET_CACHING: HeaderValue = HeaderValue::from_static("public, max-age=3600");

const KEY_SET: &[Field] = &[Field::list("keys", PUBLIC_KEY)];

/// A key as RFC 7517 and RFC 8037 have it.
const PUBLIC_KEY: &[Field] = &[
    Field::one_of("kty", &["OKP"]),
    Field::one_of("crv", &["Ed25519"]),
    Field::one_of("alg", &["EdDSA"]),
    Field::one_of("use", &["sig"]),
    Field::required("kid", JsonKind::Text),
    Field::required("x", JsonKind::Text),
];

#[derive(Serialize)]
struct KeySet {
    keys: Vec<PublicKey>,
}

#[derive(Serialize)]
struct Complaint<'a> {
    error: &'a str,
}

#[derive(Serialize)]
struct Complaints<'a> {
    errors: &'a [String],
}

fn render(error: &Error) -> RenderedError {
    let text = match error.code() {
        ErrorCode::NoToken
        | ErrorCode::BadToken
        | ErrorCode::BadCredentials
        | ErrorCode::BadResetCode => "Not authorized",
        ErrorCode::TokenExpired => ErrorCode::AccessTokenExpired.message(),
        ErrorCode::Unprocessable => {
            return RenderedError::json(
                error.status(),
                &Complaints {
                    errors: error.errors(),
                },
            );
        }
        _ => error.message(),
    };
    RenderedError::json(error.status(), &Complaint { error: text })
}

async fn log_in(request: RequestContext) -> Result<Reply, Error> {
    let Credentials { email, password } = request.json()?;
    let login = Login::by_email(&email);
    let issued = request
        .services
        .log_in_user(TokenKind::Access, login, &password, &request.caller())
        .await?;
    Ok(access(&issued.secret))
}

async fn refresh(request: RequestContext) -> Result<Reply, Error> {
    let shown = shown(&request)?;
    Ok(access(
        &request
            .services
            .refresh_access(&shown, &request.caller())
            .await?,
    ))
}

async fn log_out(request: RequestContext) -> Result<Reply, Error> {
    let shown = shown(&request)?;
    if request.services.log_out(&shown, &request.caller()).await? {
        Ok(Reply::empty(204))
    } else {
        Err(Error::new(ErrorCode::BadToken))
    }
}

fn shown(request: &RequestContext) -> Result<Secret, Error> {
    let token = request
        .token()?
        .ok_or_else(|| Error::new(ErrorCode::NoToken))?;
    Ok(Secret::new(token.reveal()))
}

fn access(token: &Secret) -> Reply {
    Reply::json(
        200,
        &Access {
            token: token.reveal(),
        },
    )
}

/// The answer is the same for every body. A body that cannot be parsed names no address, so no mail
/// is sent for it.
async fn ask_reset(request: RequestContext) -> Result<Reply, Error> {
    if let Ok(Forgotten { email }) = request.json() {
        request
            .services
            .ask_reset(&email, &request.caller())
            .await?;
    }
    Ok(Reply::empty(201))
}

async fn redeem_reset(request: RequestContext) -> Result<Reply, Error> {
    let NewPassword {
        token,
        password,
        password_confirmation,
    } = request.json()?;
    let missing: Vec<String> = [
        ("Token", &token),
        ("Password", &password),
        ("Password confirmation", &password_confirmation),
    ]
    .into_iter()
    .filter(|(_, value)| value.is_none())
    .map(|(name, _)| format!("{name} is missing"))
    .collect();
    let (Some(code), Some(password), Some(confirmation)) = (token, password, password_confirmation)
    else {
        return Err(Error::unprocessable(missing));
    };
    let redemption = Redemption {
        code,
        password,
        confirmation,
    };
    request
        .services
        .redeem_reset(redemption, &request.caller())
        .await?;
    Ok(Reply::empty(200))
}

fn graphql() -> Result<Reply, Error> {
    Err(Error::with_message(
        ErrorCode::NotImplemented,
        "GraphQL is not part of this version",
    ))
}

/// The key set, with the headers by which caches keep it and ask for it again.
fn key_set(request: &RequestContext) -> Reply {
    let keys = request.services.public_keys(request.now);
    Reply::json(200, &KeySet { keys })
        .header(CACHE_CONTROL, KEY_SET_CACHING)
        .unless_known(request.headers())
}
