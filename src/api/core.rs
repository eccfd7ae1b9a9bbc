//! Core: access tokens as JWTs, and forgotten passwords.

use std::future::ready;

use serde::Serialize;

use crate::crypto::PublicKey;
use crate::http::{
    Api, Call, Code, Failure, Field, Gives, Handler, Kind, Reply, Route, Shape, Takes, UserBearer,
    Verb, Worded, answer, body,
};
use crate::model::{Secret, TokenKind};
use crate::service::{Login, Redemption};

/// The API.
pub static API: Api = Api {
    name: "core",
    mounts: &[""],
    routes: ROUTES,
    dialect: word,
};

const ROUTES: &[Route] = &[
    Route {
        name: "create_access_token",
        verb: Verb::Post,
        path: "/api/auth",
        takes: Takes::Json(Credentials::FIELDS),
        gives: &[Gives::json(200, Access::FIELDS, "The access token.").secret()],
        fails: &[Code::BadCredentials],
        run: Handler::Open(|call| Box::pin(log_in(call))),
        about: "Logs in with address and password.",
    },
    Route {
        name: "refresh_access_token",
        verb: Verb::Post,
        path: "/api/auth/refresh",
        takes: Takes::Anything,
        gives: &[Gives::json(200, Access::FIELDS, "The successor.").secret()],
        fails: &[Code::NoToken, Code::BadToken],
        run: Handler::Open(|call| Box::pin(refresh(call))),
        about: "Exchanges an access token, expired or not, for its successor.",
    },
    Route {
        name: "revoke_access_token",
        verb: Verb::Delete,
        path: "/api/auth",
        takes: Takes::Nothing,
        gives: &[Gives::empty(204, "The token and its family are dead.")],
        fails: &[Code::NoToken, Code::BadToken],
        run: Handler::Open(|call| Box::pin(log_out(call))),
        about: "Logs out, also with an expired token.",
    },
    Route {
        name: "ask_reset",
        verb: Verb::Post,
        path: "/api/password",
        takes: Takes::Anything,
        gives: &[Gives::empty(
            201,
            "If the address has an account, a mail is on its way.",
        )],
        fails: &[],
        run: Handler::Open(|call| Box::pin(ask_reset(call))),
        about: "Asks for a reset mail. Always the same answer.",
    },
    Route {
        name: "redeem_reset",
        verb: Verb::Patch,
        path: "/api/password",
        takes: Takes::Json(NewPassword::FIELDS),
        gives: &[Gives::empty(
            200,
            "The password is changed and every token of the account dead.",
        )],
        fails: &[Code::BadResetCode, Code::Unprocessable],
        run: Handler::Open(|call| Box::pin(redeem_reset(call))),
        about: "Sets a new password with a reset code.",
    },
    Route {
        name: "graphql",
        verb: Verb::Post,
        path: "/api/graphql",
        takes: Takes::Anything,
        gives: &[],
        fails: &[
            Code::NoToken,
            Code::BadToken,
            Code::ExpiredToken,
            Code::NotBuilt,
        ],
        run: Handler::User(|_, _: UserBearer| Box::pin(ready(graphql()))),
        about: "Says 501 to whoever is authenticated: there is no GraphQL in this version.",
    },
    Route {
        name: "jwks",
        verb: Verb::Get,
        path: "/.well-known/jwks.json",
        takes: Takes::Nothing,
        gives: &[Gives::new(
            200,
            Shape::Json(KEY_SET),
            "The key that signs access tokens.",
        )],
        fails: &[],
        run: Handler::Open(|call| Box::pin(ready(Ok(key_set(&call))))),
        about: "Lets others verify access tokens (RFC 7517).",
    },
];

body! {
    /// `POST /api/auth`
    struct Credentials {
        email: String,
        password: Secret,
    }
}

answer! {
    /// An access token.
    struct Access<'a> {
        token: &'a str,
    }
}

body! {
    /// `POST /api/password`
    struct Forgotten {
        email: String,
    }
}

body! {
    /// `PATCH /api/password`. What is missing is said in the API's list of errors.
    struct NewPassword {
        token: Option<Secret>,
        password: Option<Secret>,
        password_confirmation: Option<Secret>,
    }
}

const KEY_SET: &[Field] = &[Field {
    name: "keys",
    kind: Kind::List,
    required: true,
    secret: false,
}];

#[derive(Serialize)]
struct KeySet {
    keys: [PublicKey; 1],
}

#[derive(Serialize)]
struct Complaint<'a> {
    error: &'a str,
}

#[derive(Serialize)]
struct Complaints<'a> {
    errors: &'a [String],
}

fn word(failure: &Failure) -> Worded {
    let error = match failure.code() {
        Code::NoToken | Code::BadToken | Code::BadCredentials | Code::BadResetCode => {
            "Not authorized"
        }
        Code::ExpiredToken => "Token has expired",
        Code::Unprocessable => {
            return Worded::json(
                failure.status(),
                &Complaints {
                    errors: failure.errors(),
                },
            );
        }
        _ => failure.why(),
    };
    Worded::json(failure.status(), &Complaint { error })
}

async fn log_in(call: Call) -> Result<Reply, Failure> {
    let Credentials { email, password } = call.json()?;
    let login = Login::Email(&email);
    let issued = call
        .services
        .log_in_user(TokenKind::Access, login, &password, call.client(), call.now)
        .await?;
    Ok(access(&issued.secret))
}

async fn refresh(call: Call) -> Result<Reply, Failure> {
    let shown = shown(&call)?;
    Ok(access(
        &call
            .services
            .refresh_access(&shown, call.client(), call.now)
            .await?,
    ))
}

async fn log_out(call: Call) -> Result<Reply, Failure> {
    let shown = shown(&call)?;
    if call.services.log_out(&shown).await? {
        Ok(Reply::empty(204))
    } else {
        Err(Failure::new(Code::BadToken))
    }
}

fn shown(call: &Call) -> Result<Secret, Failure> {
    let token = call.token()?.ok_or_else(|| Failure::new(Code::NoToken))?;
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

/// Whatever the body says, the answer is the same: a body that cannot be read names no address.
async fn ask_reset(call: Call) -> Result<Reply, Failure> {
    if let Ok(Forgotten { email }) = call.json() {
        call.services
            .ask_reset(&email, &call.client(), call.now)
            .await?;
    }
    Ok(Reply::empty(201))
}

async fn redeem_reset(call: Call) -> Result<Reply, Failure> {
    let NewPassword {
        token,
        password,
        password_confirmation,
    } = call.json()?;
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
        return Err(Failure::unprocessable(missing));
    };
    let redemption = Redemption {
        code,
        password,
        confirmation,
    };
    call.services
        .redeem_reset(redemption, &call.client(), call.now)
        .await?;
    Ok(Reply::empty(200))
}

fn graphql() -> Result<Reply, Failure> {
    Err(Failure::because(
        Code::NotBuilt,
        "GraphQL is not part of this version",
    ))
}

fn key_set(call: &Call) -> Reply {
    Reply::json(
        200,
        &KeySet {
            keys: [call.services.public_key()],
        },
    )
}
