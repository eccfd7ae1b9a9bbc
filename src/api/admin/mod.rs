//! For the administrator: what was reported, and what it takes. Opened by the token of the Token
//! API. A file each route.

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
