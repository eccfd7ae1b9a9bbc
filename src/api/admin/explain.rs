//! `GET /api/admin/explain`: why something is not accepted.

use serde::Serialize;

use super::audit::Listed;
use crate::http::{
    BodySchema, Error, Field, Handler, JsonKind, Method, OneOf, QueryString, Reply, RequestBody,
    RequestContext, RequestQuery, ResponseSpec, Route, json_response,
};
use crate::model::{
    Email, EndReason, EndedSecret, Grant, Invalid, Scope, Secret, SecretKind, Timestamp, Token,
    TokenId, TokenKind, UserId,
};
use crate::service::{Explanation, Subject};

pub(super) const ROUTE: Route = Route {
    name: "explain",
    method: Method::Get,
    path: "/explain",
    query: RequestQuery::Closed(ASKED),
    body: RequestBody::Nothing,
    responses: &[ResponseSpec::new(
        200,
        BodySchema::Json(FIELDS),
        "What it is, and why it is not accepted.",
    )],
    errors: &[],
    run: Handler::Admin(|request, _| Box::pin(explain(request))),
    about: "Explains a token, a code, an address or a request; one of the four.",
};

const ASKED: &[&str] = &["token", "code", "email", "request"];

const FIELDS: &[Field] = &[
    Field::one_of("subject", SUBJECTS),
    Field::required("accepted", JsonKind::Flag),
    Field::required("explanation", JsonKind::Text),
    Field::optional("user_id", JsonKind::Text),
    Field::optional("email", JsonKind::Text),
    Field {
        required: false,
        ..Field::object("token", ShownToken::FIELDS)
    },
    Field {
        required: false,
        ..Field::object("ended", ShownEnd::FIELDS)
    },
    Field::optional("expires_at", JsonKind::Text),
    Field::list("waits", ShownWait::FIELDS),
    Field::list("entries", Listed::FIELDS),
];

/// A token is called by its kind.
const SUBJECTS: &[&str] = &[
    TokenKind::Admin.as_str(),
    TokenKind::Hub.as_str(),
    TokenKind::Angen.as_str(),
    TokenKind::Session.as_str(),
    TokenKind::Access.as_str(),
    TokenKind::Machine.as_str(),
    "reset_code",
    "invite",
    "account",
    "request",
    "unknown",
];

#[derive(Serialize)]
struct Explained<'a> {
    subject: &'static str,
    accepted: bool,
    explanation: &'a str,
    user_id: Option<UserId>,
    email: Option<&'a str>,
    token: Option<ShownToken<'a>>,
    ended: Option<ShownEnd<'a>>,
    expires_at: Option<String>,
    waits: Vec<ShownWait>,
    entries: Vec<Listed<'a>>,
}

json_response! {
    /// A token.
    struct ShownToken<'a> {
        id: TokenId,
        holder: String,
        issued_at: String,
        last_used_at: String,
        expires_at: Option<String>,
        scopes: Option<Vec<OneOf<Scope>>>,
        networks: Option<Vec<String>>,
        last_address: Option<std::net::IpAddr>,
        address: std::net::IpAddr,
        user_agent: &'a str,
    }
}

json_response! {
    /// The end of a token.
    struct ShownEnd<'a> {
        id: Option<TokenId>,
        holder: String,
        at: String,
        reason: OneOf<EndReason>,
        by: String,
        address: Option<std::net::IpAddr>,
        user_agent: Option<&'a str>,
    }
}

json_response! {
    /// How long a network, or everybody, waits.
    struct ShownWait {
        network: Option<std::net::IpAddr>,
        wrong_passwords: u32,
        wait_seconds: u64,
    }
}

async fn explain(request: RequestContext) -> Result<Reply, Error> {
    let (services, now) = (&request.services, request.now);
    let (asked, value) = only_one(&request.query)?;
    let explanation = match asked {
        "token" => services.explain_token(&Secret::new(value), now).await?,
        "code" => services.explain_code(&Secret::new(value), now).await?,
        "email" => services.explain_email(&Email::parse(value)?, now).await?,
        _ => services.explain_request(value).await?,
    };
    Ok(Reply::json(200, &shown(&explanation)).no_store())
}

/// The one thing that the request asks about.
fn only_one(query: &QueryString) -> Result<(&'static str, &str), Invalid> {
    let mut asked = ASKED
        .iter()
        .filter_map(|name| query.get(name).map(|value| (*name, value)));
    match (asked.next(), asked.next()) {
        (Some(one), None) => Ok(one),
        (None, _) => Err(Invalid::new(
            "token",
            "is missing: say token, code, email or request",
        )),
        (_, Some((second, _))) => Err(Invalid::new(second, "is one too many: ask about one thing")),
    }
}

fn shown(explanation: &Explanation) -> Explained<'_> {
    let user = explanation.user.as_deref();
    let mut shown = Explained {
        subject: "unknown",
        accepted: explanation.accepted,
        explanation: &explanation.sentence,
        user_id: user.map(|user| user.id),
        email: user.map(|user| user.email.shown()),
        token: None,
        ended: None,
        expires_at: None,
        waits: Vec::new(),
        entries: Listed::all(&explanation.entries),
    };
    match &explanation.subject {
        Subject::Token(token) => {
            shown.subject = token.kind.as_str();
            shown.token = Some(shown_token(token));
            shown.expires_at = token.end().map(Timestamp::rfc3339);
        }
        Subject::Ended(ended) => {
            shown.subject = match ended.kind {
                SecretKind::Token(kind) => kind.as_str(),
                SecretKind::ResetCode => "reset_code",
                SecretKind::Invite => "invite",
            };
            shown.expires_at = ended.expires_at.unless_never().map(Timestamp::rfc3339);
            shown.ended = Some(shown_end(ended));
        }
        Subject::ResetCode(end) => {
            shown.subject = "reset_code";
            shown.expires_at = Some(end.rfc3339());
        }
        Subject::Invite { expires_at, .. } => {
            shown.subject = "invite";
            shown.expires_at = expires_at.map(Timestamp::rfc3339);
        }
        Subject::Account => shown.subject = "account",
        Subject::Request => shown.subject = "request",
        Subject::Unknown => {}
    }
    let waits = explanation.waits.iter().map(|it| ShownWait {
        network: it.network,
        wrong_passwords: it.wrong_passwords,
        wait_seconds: it
            .wait
            .as_millis()
            .div_ceil(1000)
            .try_into()
            .unwrap_or(u64::MAX),
    });
    shown.waits = waits.collect();
    shown
}

fn shown_token(token: &Token) -> ShownToken<'_> {
    let grant = token.grant.as_ref();
    ShownToken {
        id: token.id,
        holder: token.holder.to_string(),
        issued_at: token.issued_at.rfc3339(),
        last_used_at: token.last_used_at.rfc3339(),
        expires_at: token.end().map(Timestamp::rfc3339),
        scopes: grant.map(|grant| grant.scopes.iter().copied().map(OneOf).collect()),
        networks: grant.map(Grant::network_texts),
        last_address: grant.and_then(|grant| grant.last_address),
        address: token.client.address,
        user_agent: &token.client.user_agent,
    }
}

fn shown_end(ended: &EndedSecret) -> ShownEnd<'_> {
    let client = ended.client.as_ref();
    ShownEnd {
        id: ended.id,
        holder: ended.holder.to_string(),
        at: ended.at.rfc3339(),
        reason: OneOf(ended.reason),
        by: ended.by.to_string(),
        address: client.map(|client| client.address),
        user_agent: client.map(|client| client.user_agent.as_str()),
    }
}
