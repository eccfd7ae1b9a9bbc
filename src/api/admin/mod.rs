//! The admin API. It needs the administrator's token, which the Token API issues. One file, or
//! folder, for each noun.

pub(super) mod audit;
mod events;
mod explain;
mod introspect;
mod invites;
mod limits;
pub(super) mod machine_tokens;
mod outbox;
mod query;
mod settings;
mod signing_keys;
mod status;
mod storage;
mod table;
mod tokens;
mod user_access;
mod users;

use crate::http::{Api, Route};
use table::table;

pub(super) use table::render;

/// The tables of the API, one for each noun.
pub static TABLES: [&Api; 10] = [
    &API,
    &users::API,
    &user_access::API,
    &tokens::API,
    &machine_tokens::API,
    &introspect::API,
    &invites::API,
    &outbox::API,
    &limits::API,
    &signing_keys::API,
];

/// What has no table of its own.
static API: Api = table(ROUTES);

const ROUTES: &[Route] = &[
    events::LIST,
    events::ERASE,
    events::EXPORT,
    events::LIVE,
    status::ROUTE,
    storage::ROUTE,
    settings::ROUTE,
    events::SUMMARY,
    audit::LIST,
    audit::EXPORT,
    audit::LIVE,
    explain::ROUTE,
];
