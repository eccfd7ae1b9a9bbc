//! The admin API: events, their counts and the disk use. It needs the administrator's token, which
//! the Token API issues. One file per route.

mod cursor;
mod erase;
mod export;
mod list;
mod live;
mod query;
mod row;
mod storage;
mod summary;

use crate::api::ops;
use crate::http::{Api, Route};

/// The API.
pub static API: Api = Api {
    name: "admin",
    mounts: &["/api/admin"],
    routes: ROUTES,
    render_error: ops::render,
};

const ROUTES: &[Route] = &[
    list::ROUTE,
    erase::ROUTE,
    export::ROUTE,
    live::ROUTE,
    storage::ROUTE,
    summary::ROUTE,
];
