//! Token API: the administrator's login. Its errors are plain text.

use crate::http::{
    Api, BodySchema, Error, ErrorCode, Handler, Method, RenderedError, Reply, RequestBody,
    RequestContext, RequestQuery, ResponseSpec, Route, json_request, json_response,
};
use crate::model::{Secret, Timestamp};

/// The API.
pub static API: Api = Api {
    name: "token",
    mounts: &[""],
    routes: ROUTES,
    render_error: render,
};

const ROUTES: &[Route] = &[
    Route {
        name: "create_token",
        method: Method::Post,
        path: "/api/token",
        query: RequestQuery::NONE,
        body: RequestBody::Json(Credentials::FIELDS),
        responses: &[ResponseSpec::json(200, Created::FIELDS, "The token and its end.").secret()],
        errors: &[ErrorCode::BadCredentials],
        run: Handler::Open(|request| Box::pin(create(request))),
        about: "Logs the administrator in.",
    },
    Route {
        name: "validate_token",
        method: Method::Get,
        path: "/api/token",
        query: RequestQuery::Open(&["token"]),
        body: RequestBody::Nothing,
        responses: &[ResponseSpec::json(
            200,
            Validity::FIELDS,
            "Whether the token is good.",
        )],
        errors: &[],
        run: Handler::Open(|request| Box::pin(validate(request))),
        about: "Says whether the administrator's token in the query is good.",
    },
    Route {
        name: "delete_token",
        method: Method::Delete,
        path: "/api/token",
        query: RequestQuery::NONE,
        body: RequestBody::Anything,
        responses: &[ResponseSpec::new(
            200,
            BodySchema::Empty,
            "The token is dead, if it ever was one.",
        )],
        errors: &[],
        run: Handler::Open(|request| Box::pin(delete(request))),
        about: "Ends the token in the body or, failing that, in the header. Always succeeds.",
    },
];

json_request! {
    /// `POST /api/token`
    struct Credentials {
        username: String,
        password: Secret,
    }
}

json_response! {
    /// The answer to a login; `expiry_time` is in seconds since the epoch.
    struct Created<'a> {
        token: &'a str,
        expiry_time: i64,
    }
}

json_response! {
    /// The answer to a check; `expiry_time` is in seconds since the epoch, null unless the token is
    /// live.
    struct Validity {
        valid: bool,
        expiry_time: Option<i64>,
    }
}

json_request! {
    /// `DELETE /api/token`
    struct Ended {
        token: Secret,
    }
}

fn render(error: &Error) -> RenderedError {
    let text = match error.code() {
        ErrorCode::BadCredentials => "invalid credentials".to_owned(),
        _ => error.message().to_owned(),
    };
    RenderedError::text(error.status(), text)
}

async fn create(request: RequestContext) -> Result<Reply, Error> {
    let asked: Credentials = request.json()?;
    let issued = request
        .services
        .log_in_admin(&asked.username, &asked.password, &request.caller())
        .await?;
    let expiry_time = issued.token.expires_at.seconds();
    Ok(Reply::json(
        200,
        &Created {
            token: issued.secret.reveal(),
            expiry_time,
        },
    ))
}

async fn validate(request: RequestContext) -> Result<Reply, Error> {
    let token = request.query.get("token");
    let token = token.ok_or_else(|| Error::invalid("token: is missing in the query"))?;
    let end = request
        .services
        .admin_token_expiry(token, request.address, request.now)
        .await?;
    let expiry_time = end.map(Timestamp::seconds);
    Ok(Reply::json(
        200,
        &Validity {
            valid: end.is_some(),
            expiry_time,
        },
    ))
}

async fn delete(request: RequestContext) -> Result<Reply, Error> {
    let in_body = request
        .json_with_last_comma::<Ended>()
        .ok()
        .map(|ended| ended.token);
    let in_header = || {
        request
            .token()
            .ok()
            .flatten()
            .map(|token| Secret::new(token.reveal()))
    };
    if let Some(token) = in_body.or_else(in_header) {
        request.services.log_out(&token, &request.caller()).await?;
    }
    Ok(Reply::empty(200))
}
