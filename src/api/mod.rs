//! The HTTP APIs: one module each, with its route table, wire types, handlers and error format. An
//! API translates requests and answers; `service` makes the decisions.

pub mod admin;
pub mod angen;
pub mod control;
pub mod core;
pub mod docs;
pub mod ephemeride;
mod event_stream;
pub mod hub;
pub mod machine_tokens;
pub mod metrics;
pub mod ops;
pub mod own_audit;
mod process;
pub mod token;

use crate::config::Apis;
use crate::http::Api;

/// The APIs to serve to the network: those that the configuration enables. The admin API follows
/// the switch of the Token API; the ops API is always served, with the metrics.
pub fn served(apis: &Apis) -> Vec<&'static Api> {
    let switches = [
        (apis.hub, &hub::API),
        (apis.angen, &angen::API),
        (apis.token, &token::API),
        (apis.ephemeride, &ephemeride::ROOT),
        (apis.ephemeride, &ephemeride::API),
        (apis.ephemeride, &own_audit::API),
        (apis.ephemeride, &machine_tokens::API),
        (apis.core, &core::API),
        (true, &ops::API),
        (true, &docs::API),
        (true, &metrics::API),
    ];
    let admin = admin::TABLES.map(|table| (apis.token, table));
    switches
        .into_iter()
        .chain(admin)
        .filter(|(on, _)| *on)
        .map(|(_, api)| api)
        .collect()
}
