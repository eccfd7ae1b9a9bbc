//! The APIs: one file each, with its route table, its wire types, its handlers and its way to word
//! an error. An API translates; what happens is decided in `service`.

pub mod admin;
pub mod angen;
pub mod core;
pub mod ephemeride;
pub mod hub;
pub mod ops;
pub mod token;

use crate::config::Apis;
use crate::http::Api;

/// The APIs that the owner serves.
pub fn served(apis: &Apis) -> Vec<&'static Api> {
    let switches = [
        (apis.hub, &hub::API),
        (apis.angen, &angen::API),
        (apis.token, &token::API),
        (apis.ephemeride, &ephemeride::ROOT),
        (apis.ephemeride, &ephemeride::API),
        (apis.core, &core::API),
        (apis.token, &admin::API),
        (true, &ops::API),
    ];
    switches
        .into_iter()
        .filter(|(on, _)| *on)
        .map(|(_, api)| api)
        .collect()
}
