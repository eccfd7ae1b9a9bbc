//! The routes for tokens. A token is a pair: a code that identifies, and a code that renews.

use crate::http::{
    Error, ErrorCode, Handler, Method, Reply, RequestBody, RequestContext, RequestQuery,
    ResponseSpec, Route, json_request, json_response,
};
use crate::model::{Caller, Client, Secret, TokenKind};
use crate::service::{Issued, Login};

pub(super) const REQUEST: Route = Route {
    name: "request_token",
    method: Method::Post,
    path: "/api/request_token",
    query: RequestQuery::NONE,
    body: RequestBody::Json(TokenRequest::FIELDS),
    responses: &[ResponseSpec::json(201, TokenAnswer::FIELDS, "The pair of codes.").secret()],
    errors: &[ErrorCode::BadCredentials],
    run: Handler::Open(|request| Box::pin(request_token(request))),
    about: "Logs a user in by id (or address) and password.",
};

pub(super) const RENEW: Route = Route {
    name: "renew_token",
    method: Method::Post,
    path: "/api/renew_token",
    query: RequestQuery::NONE,
    body: RequestBody::Json(Renewal::FIELDS),
    responses: &[ResponseSpec::json(
        201,
        TokenAnswer::FIELDS,
        "The new pair; the old one is dead.",
    )
    .secret()],
    errors: &[ErrorCode::NoToken, ErrorCode::BadToken],
    run: Handler::Open(|request| Box::pin(renew_token(request))),
    about: "Exchanges a live token and its renewal code for a new pair.",
};

json_request! {
    /// `POST /api/request_token`
    struct TokenRequest {
        id: Option<String>,
        email: Option<String>,
        password: Secret,
        user_agent: String,
    }
}

json_request! {
    /// `POST /api/renew_token`
    struct Renewal {
        #[serde(alias = "renewal")]
        renewal_code: Secret,
    }
}

json_response! {
    /// The answer of both token routes.
    struct TokenAnswer<'a> {
        result: &'a str,
        token: Pair<'a>,
    }
}

json_response! {
    /// A pair of codes.
    struct Pair<'a> {
        expires_at: String,
        identifier_code: &'a str,
        renewal_code: &'a str,
        user_id: String,
    }
}

const BAD_PARAMETERS: &str = "Bad parameters";
const NO_TOKEN: &str = "No token";

async fn request_token(request: RequestContext) -> Result<Reply, Error> {
    let asked: TokenRequest = request.json().map_err(|it| it.in_phrase(BAD_PARAMETERS))?;
    let login = match (&asked.id, &asked.email) {
        (Some(id), _) => Login::by_id(id),
        (None, Some(email)) => Login::by_email(email),
        (None, None) => {
            return Err(Error::invalid("id: is missing").in_phrase(BAD_PARAMETERS));
        }
    };
    let caller = Caller {
        client: Client::new(request.address, Some(&asked.user_agent)),
        ..request.caller()
    };
    let issued = request
        .services
        .log_in_user(TokenKind::Angen, login, &asked.password, &caller)
        .await?;
    Ok(pair(&issued))
}

async fn renew_token(request: RequestContext) -> Result<Reply, Error> {
    let token = request.token()?.ok_or_else(no_token)?;
    let asked: Renewal = request.json().map_err(|it| it.in_phrase(BAD_PARAMETERS))?;
    let token = Secret::new(token.reveal());
    let renewed = request
        .services
        .renew_pair(&token, &asked.renewal_code, &request.caller())
        .await;
    match renewed {
        Ok(issued) => Ok(pair(&issued)),
        Err(refusal) => Err(match Error::from(refusal) {
            error if error.code() == ErrorCode::BadToken => no_token(),
            other => other,
        }),
    }
}

fn no_token() -> Error {
    Error::with_message(ErrorCode::BadToken, NO_TOKEN)
}

fn pair(issued: &Issued) -> Reply {
    Reply::json(
        201,
        &TokenAnswer {
            result: "success",
            token: Pair {
                expires_at: issued.token.expires_at.rfc3339(),
                identifier_code: issued.secret.reveal(),
                renewal_code: issued.renewal.as_ref().map_or("", |code| code.reveal()),
                user_id: issued.token.holder.to_string(),
            },
        },
    )
}
