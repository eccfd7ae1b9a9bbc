//! doorward keeps users, tokens with expiry, reset codes and events in one embedded database and
//! serves them through five public HTTP APIs. This file is the map of the crate.
//!
//! # Who may use whom
//!
//! Each module may use only the modules to its right; a test checks this:
//!
//! ```text
//! main → cli → server → api → http → service → store
//!      → config → crypto → world → model → metrics → sync
//! ```
//!
//! *An API translates, a service decides, the store remembers.*
//!
//! # One request, five stops
//!
//! `server` accepts the connection; `http::Dispatcher` is the one path that every request takes
//! (request id, validation, route, the only reading of the time of day, size, token, body); a
//! handler in `api` translates; an operation of `service` decides; an operation of `store`
//! remembers. Most reads run in the task of the request. A change is a *step* that is passed to the
//! store's one writer thread and awaited; the future may be dropped at any await, because the
//! client disconnected, and the step still happens completely or not at all. Password hashing runs
//! on its own pool of threads.
//!
//! Inside the store's sled backend, `engine` (keys, records, transactions, the one writer) does not
//! depend on `accounts` or `events`, and these two do not depend on each other. Files never import
//! each other in a circle.
//!
//! # What holds everywhere
//!
//! * A 2xx answer to a request that changes something is sent after the change is on the disk.
//! * Time and randomness are arguments: see [`world`].
//! * A value of a model type is always valid: see [`model`].
//! * The type of a handler says who may call it: see [`http::Handler`].
//! * Every limit has a name and a reason: see [`model::limits`], and `limits` in the configuration.

pub mod api;
pub mod cli;
pub mod config;
pub mod crypto;
pub mod http;
pub mod metrics;
pub mod model;
pub mod server;
pub mod service;
pub mod store;
pub(crate) mod sync;
pub mod world;
