//! Hub: one password for everybody, tokens that many tabs can renew.

use std::future::ready;

use serde::Serialize;

use crate::http::{
    Api, Call, Code, Failure, Gives, Handler, Reply, Route, Takes, Verb, Worded, answer, body,
};
use crate::model::Secret;
use crate::service::{Bearer, Issued};

/// The API.
pub static API: Api = Api {
    name: "hub",
    mounts: &[""],
    routes: ROUTES,
    dialect: word,
};

const ROUTES: &[Route] = &[
    Route {
        name: "hub_root",
        verb: Verb::Get,
        path: "/",
        takes: Takes::Nothing,
        gives: &[Gives::json(200, Root::FIELDS, "Who answers here.")],
        fails: &[],
        run: Handler::Open(|call| Box::pin(ready(Ok(root(&call))))),
        about: "Says name, description and version.",
    },
    Route {
        name: "hub_login",
        verb: Verb::Post,
        path: "/login",
        takes: Takes::Json(Login::FIELDS),
        gives: &[Gives::json(200, Granted::FIELDS, "A token and its end.").secret()],
        fails: &[Code::BadCredentials],
        run: Handler::Open(|call| Box::pin(login(call))),
        about: "Logs in with any of the hub's passwords.",
    },
    Route {
        name: "hub_renew",
        verb: Verb::Get,
        path: "/renew",
        takes: Takes::Nothing,
        gives: &[Gives::json(200, Granted::FIELDS, "A further token and its end.").secret()],
        fails: &[Code::NoToken, Code::BadToken],
        run: Handler::Holder(|call, bearer| Box::pin(renew(call, bearer))),
        about: "Gives a new hub token; the old one stays good until its own end.",
    },
];

answer! {
    /// `GET /`
    struct Root<'a> {
        name: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        description: Option<&'a str>,
        version: &'a str,
    }
}

body! {
    /// `POST /login`
    struct Login {
        password: Secret,
    }
}

answer! {
    /// A token; `expires` is RFC 3339 in UTC.
    struct Granted<'a> {
        token: &'a str,
        expires: String,
    }
}

#[derive(Serialize)]
struct Complaint<'a> {
    message: &'a str,
}

fn word(failure: &Failure) -> Worded {
    let message = match failure.code() {
        Code::BadCredentials => "Wrong password",
        _ => failure.why(),
    };
    Worded::json(failure.status(), &Complaint { message })
}

fn root(call: &Call) -> Reply {
    let server = &call.services.config.server;
    Reply::json(
        200,
        &Root {
            name: &server.name,
            description: server.description.as_deref(),
            version: env!("CARGO_PKG_VERSION"),
        },
    )
}

async fn login(call: Call) -> Result<Reply, Failure> {
    let asked: Login = call.json()?;
    let issued = call
        .services
        .log_in_hub(&asked.password, call.client(), call.now)
        .await?;
    Ok(granted(&issued))
}

async fn renew(call: Call, bearer: Bearer) -> Result<Reply, Failure> {
    Ok(granted(
        &call
            .services
            .renew_hub(&bearer, call.client(), call.now)
            .await?,
    ))
}

fn granted(issued: &Issued) -> Reply {
    let expires = issued.token.expires_at.rfc3339();
    Reply::json(
        200,
        &Granted {
            token: issued.secret.reveal(),
            expires,
        },
    )
}
