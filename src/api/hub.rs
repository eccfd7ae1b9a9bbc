//! The Hub API: shared passwords, and tokens that several browser tabs can renew.

use std::future::ready;

use serde::Serialize;

use crate::http::{
    Api, Error, ErrorCode, Handler, Method, RenderedError, Reply, RequestBody, RequestContext,
    RequestQuery, ResponseSpec, Route, json_request, json_response,
};
use crate::model::Secret;
use crate::service::{Bearer, Issued};

/// The API.
pub static API: Api = Api {
    name: "hub",
    mounts: &[""],
    routes: ROUTES,
    render_error: render,
};

const ROUTES: &[Route] = &[
    Route {
        name: "hub_root",
        method: Method::Get,
        path: "/",
        query: RequestQuery::NONE,
        body: RequestBody::Nothing,
        responses: &[ResponseSpec::json(
            200,
            Root::FIELDS,
            "The server's name, description and version.",
        )],
        errors: &[],
        run: Handler::Open(|request| Box::pin(ready(Ok(root(&request))))),
        about: "Says name, description and version.",
    },
    Route {
        name: "hub_login",
        method: Method::Post,
        path: "/login",
        query: RequestQuery::NONE,
        body: RequestBody::Json(Login::FIELDS),
        responses: &[ResponseSpec::json(200, Granted::FIELDS, "A token and its end.").secret()],
        errors: &[ErrorCode::BadCredentials],
        run: Handler::Open(|request| Box::pin(login(request))),
        about: "Logs in with any of the hub's passwords.",
    },
    Route {
        name: "hub_renew",
        method: Method::UnsafeGet,
        path: "/renew",
        query: RequestQuery::NONE,
        body: RequestBody::Nothing,
        responses: &[
            ResponseSpec::json(200, Granted::FIELDS, "A further token and its end.").secret(),
        ],
        errors: &[],
        run: Handler::Authenticated(|request, bearer| Box::pin(renew(request, bearer))),
        about: "Hands out a new hub token; the old one stays good until its own end.",
    },
];

json_response! {
    /// `GET /`
    struct Root<'a> {
        name: &'a str,
        #[serde(skip_serializing_if = "Option::is_none")]
        description: Option<&'a str>,
        version: &'a str,
    }
}

json_request! {
    /// `POST /login`
    struct Login {
        password: Secret,
    }
}

json_response! {
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

fn render(error: &Error) -> RenderedError {
    let message = match error.code() {
        ErrorCode::BadCredentials => "Wrong password",
        _ => error.message(),
    };
    RenderedError::json(error.status(), &Complaint { message })
}

fn root(request: &RequestContext) -> Reply {
    let config = request.services.config();
    let server = &config.server;
    Reply::json(
        200,
        &Root {
            name: &server.name,
            description: server.description.as_deref(),
            version: env!("CARGO_PKG_VERSION"),
        },
    )
}

async fn login(request: RequestContext) -> Result<Reply, Error> {
    let asked: Login = request.json()?;
    let issued = request
        .services
        .log_in_hub(&asked.password, &request.caller())
        .await?;
    Ok(granted(&issued))
}

async fn renew(request: RequestContext, bearer: Bearer) -> Result<Reply, Error> {
    Ok(granted(
        &request
            .services
            .renew_hub(&bearer, &request.caller())
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
