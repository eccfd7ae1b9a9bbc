//! Machine tokens in the admin API. A secret is in one answer only: the one that makes it.

use std::net::IpAddr;
use std::time::Duration;

use ipnet::{IpNet, Ipv4Net};
use serde::{Deserialize, Serialize};

use super::query;
use super::table::table;
use crate::http::{
    Api, BodySchema, Error, ErrorCode, Field, Handler, JsonKind, JsonType, Method, OneOf,
    QueryString, Reply, RequestBody, RequestContext, RequestQuery, ResponseSpec, Route,
    json_request, json_response,
};
use crate::model::{
    Invalid, MachineName, MachineQuery, Scope, Timestamp, Token, TokenId, TokenStatus, UserId, Zone,
};
use crate::service::{Administrator, Issued, NewMachine};

/// The table of routes.
pub(super) static API: Api = table(&[MAKE, LIST, SHOW, END, ROTATE]);

const PAGE: &[Field] = &[
    Field::list("machine_tokens", Listed::FIELDS),
    Field::optional("next", JsonKind::Text),
];

/// How long a token lives on beside its successor, if the request does not say it.
const USUAL_OVERLAP: Duration = Duration::from_hours(24);

const MAKE: Route = Route {
    name: "make_machine_token",
    method: Method::Post,
    path: "/machine-tokens",
    query: RequestQuery::Closed(&[]),
    body: RequestBody::Json(NewToken::FIELDS),
    responses: &[ResponseSpec::json(201, Made::FIELDS, "The token, shown once.").secret()],
    errors: &[ErrorCode::Conflict],
    run: Handler::Admin(|request, admin| Box::pin(make(request, admin))),
    about: "Makes a token for a machine, with scopes, and networks that it may be used from.",
};

const LIST: Route = Route {
    name: "list_machine_tokens",
    method: Method::Get,
    path: "/machine-tokens",
    query: RequestQuery::Closed(&["limit", "cursor"]),
    body: RequestBody::Nothing,
    responses: &[ResponseSpec::new(
        200,
        BodySchema::Json(PAGE),
        "A page of machine tokens.",
    )],
    errors: &[],
    run: Handler::Admin(|request, _| Box::pin(list(request))),
    about: "Lists the machine tokens that the administrator made, by name.",
};

const SHOW: Route = Route {
    name: "show_machine_token",
    method: Method::Get,
    path: "/machine-tokens/{id}",
    query: RequestQuery::Closed(&[]),
    body: RequestBody::Nothing,
    responses: &[ResponseSpec::json(200, Listed::FIELDS, "The token.")],
    errors: &[ErrorCode::UnknownId],
    run: Handler::Admin(|request, _| Box::pin(show(request))),
    about: "Shows a machine token by its public id.",
};

const END: Route = Route {
    name: "end_machine_token",
    method: Method::Delete,
    path: "/machine-tokens/{id}",
    query: RequestQuery::Closed(&["own"]),
    body: RequestBody::Nothing,
    responses: &[ResponseSpec::empty(204, "It is ended.")],
    errors: &[ErrorCode::UnknownId, ErrorCode::Conflict],
    run: Handler::Admin(|request, admin| Box::pin(end(request, admin))),
    about: "Ends a machine token, but none that it was rotated from or to.",
};

const ROTATE: Route = Route {
    name: "rotate_machine_token",
    method: Method::Post,
    path: "/machine-tokens/{id}/rotate",
    query: RequestQuery::Closed(&[]),
    body: RequestBody::Json(Rotation::FIELDS),
    responses: &[ResponseSpec::json(201, Made::FIELDS, "The new token, shown once.").secret()],
    errors: &[ErrorCode::UnknownId],
    run: Handler::Admin(|request, admin| Box::pin(rotate(request, admin))),
    about: "Makes another token with the same name and rights; the one in use lives on for a while.",
};

json_request! {
    /// `POST /machine-tokens`
    struct NewToken {
        name: String,
        scopes: Vec<ScopeName>,
        user_id: Option<String>,
        expires_at: Option<String>,
        networks: Option<Vec<String>>,
    }
}

/// The name of a scope. It is checked after the body is read, so that the error lists all scopes.
#[derive(Deserialize)]
struct ScopeName(String);

impl JsonType for ScopeName {
    const KIND: JsonKind = JsonKind::Text;
    const WORDS: &'static [&'static str] = Scope::WORDS;
}

json_request! {
    /// `POST /machine-tokens/{id}/rotate`
    #[derive(Default)]
    struct Rotation {
        overlap_seconds: Option<u64>,
        expires_at: Option<String>,
    }
}

json_response! {
    /// A machine token.
    pub(in crate::api) struct Listed {
        id: TokenId,
        family: TokenId,
        name: String,
        scopes: Vec<OneOf<Scope>>,
        user_id: Option<UserId>,
        networks: Vec<String>,
        status: OneOf<TokenStatus>,
        created_by: String,
        created_at: String,
        expires_at: Option<String>,
        last_used_at: Option<String>,
        last_address: Option<IpAddr>,
    }
}

json_response! {
    /// A machine token that was just made.
    pub(in crate::api) struct Made<'a> {
        id: TokenId,
        name: &'a str,
        token: &'a str,
        expires_at: Option<String>,
    }
}

#[derive(Serialize)]
struct Page {
    machine_tokens: Vec<Listed>,
    next: Option<String>,
}

impl Listed {
    /// A machine token as clients see it; none if it is none.
    pub(in crate::api) fn of(token: &Token, status: TokenStatus) -> Option<Listed> {
        let grant = token.grant.as_ref()?;
        let last_used_at = grant.last_address.map(|_| token.last_used_at);
        Some(Listed {
            id: token.id,
            family: token.family,
            name: grant.name.as_str().to_owned(),
            scopes: grant.scopes.iter().copied().map(OneOf).collect(),
            user_id: token.holder.user(),
            networks: grant.networks.iter().map(IpNet::to_string).collect(),
            status: OneOf(status),
            created_by: grant.created_by.to_string(),
            created_at: token.issued_at.rfc3339_millis(),
            expires_at: token.end().map(Timestamp::rfc3339_millis),
            last_used_at: last_used_at.map(Timestamp::rfc3339_millis),
            last_address: grant.last_address,
        })
    }
}

impl Made<'_> {
    /// The one answer with the secret.
    pub(in crate::api) fn reply(issued: &Issued) -> Reply {
        let grant = issued.token.grant.as_ref();
        let made = Made {
            id: issued.token.id,
            name: grant.map_or("", |grant| grant.name.as_str()),
            token: issued.secret.reveal(),
            expires_at: issued.token.end().map(Timestamp::rfc3339_millis),
        };
        Reply::json(201, &made)
    }
}

/// The scope with this name.
fn scope(name: &str) -> Result<Scope, Invalid> {
    Scope::parse(name).ok_or_else(|| {
        let names: Vec<&str> = Scope::ALL.iter().map(|scope| scope.as_str()).collect();
        Invalid::new("scopes", format!("must be of {}", names.join(", ")))
    })
}

/// A network in CIDR notation; an address alone is a network of one.
fn network(text: &str) -> Result<IpNet, Invalid> {
    let address = || text.parse::<IpAddr>().map(IpNet::from);
    let network = text.parse::<IpNet>().or_else(|_| address());
    network.map(|it| unmapped(it.trunc())).map_err(|_| {
        let why = "must be networks, 10.0.0.0/8 or 2001:db8::/32, or addresses";
        Invalid::new("networks", why)
    })
}

/// An IPv4 network that is written as one of IPv6 (RFC 4291, section 2.5.5.2) as what it is: the
/// addresses of clients are so, too.
fn unmapped(network: IpNet) -> IpNet {
    let mapped = match network {
        IpNet::V4(_) => None,
        IpNet::V6(it) => it
            .addr()
            .to_ipv4_mapped()
            .zip(it.prefix_len().checked_sub(96)),
    };
    let short = mapped.and_then(|(address, length)| Ipv4Net::new(address, length).ok());
    short.map_or(network, IpNet::V4)
}

/// The networks with these names, none of them twice. An empty list is refused, because it would
/// mean everywhere: a script whose variable is empty must not make such a token.
pub(in crate::api) fn networks(names: Option<&Vec<String>>) -> Result<Vec<IpNet>, Invalid> {
    if names.is_some_and(Vec::is_empty) {
        let why =
            "must name at least one network: leave it out for a token that is good everywhere";
        return Err(Invalid::new("networks", why));
    }
    let mut found = Vec::new();
    for name in names.into_iter().flatten() {
        let network = network(name)?;
        if !found.contains(&network) {
            found.push(network);
        }
    }
    Ok(found)
}

/// The moment at which a token is to expire.
pub(in crate::api) fn moment(text: Option<&String>) -> Result<Option<Timestamp>, Invalid> {
    let parse = |text: &String| query::parse_moment("expires_at", text, Zone::default());
    text.map(parse).transpose()
}

async fn make(request: RequestContext, admin: Administrator) -> Result<Reply, Error> {
    let maker = request.services.maker(&admin, &request.caller())?;
    let asked: NewToken = request.json()?;
    let mut scopes: Vec<Scope> = asked
        .scopes
        .iter()
        .map(|it| scope(&it.0))
        .collect::<Result<_, _>>()?;
    scopes.sort_unstable();
    scopes.dedup();
    let user = asked.user_id.as_deref();
    let user = user
        .map(|text| query::parse_user("user_id", text))
        .transpose()?;
    let machine = NewMachine {
        name: MachineName::parse(&asked.name)?,
        scopes,
        user,
        networks: networks(asked.networks.as_ref())?,
        expires_at: moment(asked.expires_at.as_ref())?,
    };
    let caller = request.caller();
    let issued = request
        .services
        .make_machine_token(machine, maker, &caller)
        .await?;
    Ok(Made::reply(&issued))
}

async fn list(request: RequestContext) -> Result<Reply, Error> {
    let query = MachineQuery {
        after: cursor(&request.query)?,
        limit: query::limit(&request.query)?,
    };
    let page = request.services.list_machine_tokens(query).await?;
    let tokens = page.tokens.iter();
    let listed = tokens
        .filter_map(|(token, epoch)| Listed::of(token, token.status(*epoch, request.now, false)));
    let place = |(name, id): (MachineName, TokenId)| {
        query::cursor_text(format!("{} {id}", name.as_str()).as_bytes())
    };
    let page = Page {
        machine_tokens: listed.collect(),
        next: page.next.map(place),
    };
    Ok(Reply::json(200, &page))
}

fn cursor(asked: &QueryString) -> Result<Option<(MachineName, TokenId)>, Invalid> {
    query::place(asked, |text| {
        let (name, id) = text.split_once(' ')?;
        Some((MachineName::parse(name).ok()?, TokenId::parse(id)?))
    })
}

async fn show(request: RequestContext) -> Result<Reply, Error> {
    let id = request.id(TokenId::parse)?;
    let (token, status) = request.services.machine_token(id, request.now).await?;
    let listed = Listed::of(&token, status);
    let listed = listed.ok_or_else(|| Error::new(ErrorCode::UnknownId))?;
    Ok(Reply::json(200, &listed))
}

async fn end(request: RequestContext, admin: Administrator) -> Result<Reply, Error> {
    let own = query::flag(&request.query, "own")?.unwrap_or(false);
    let (id, caller) = (request.id(TokenId::parse)?, request.caller());
    request
        .services
        .end_machine_token(&admin, id, own, &caller)
        .await?;
    Ok(Reply::empty(204))
}

async fn rotate(request: RequestContext, admin: Administrator) -> Result<Reply, Error> {
    let maker = request.services.maker(&admin, &request.caller())?;
    let asked: Rotation = request.optional_json()?;
    let overlap = asked
        .overlap_seconds
        .map_or(USUAL_OVERLAP, Duration::from_secs);
    let expires_at = moment(asked.expires_at.as_ref())?;
    let (id, caller) = (request.id(TokenId::parse)?, request.caller());
    let rotated = request
        .services
        .rotate_machine_token(id, overlap, expires_at, maker, &caller)
        .await?;
    Ok(Made::reply(&rotated))
}
