//! doorward keeps users, tokens with expiry, reset codes and events in one embedded database and
//! serves them through five public HTTP APIs. This is the map of the whole.
//!
//! # Who may use whom
//!
//! A straight line; each module may use what stands to its right, and a test holds the code to it:
//!
//! ```text
//! main → cli → server → api → http → service → store
//!      → config → crypto → world → model → sync
//! ```
//!
//! *An API translates, a service decides, the store remembers.*
//!
//! # One request, five stops
//!
//! `server` accepts the connection; `http::Dispatcher` is the one path that every request takes
//! (its name, the only reading of the clock, validation, route, size, token, body); a handler in
//! `api` translates; a verb of `service` decides; a verb of the `store` remembers. A read runs
//! where it stands. A change is a *step* handed to the store's one writer and awaited; the future
//! may be dropped at any await, because the client went away, and the step still happens wholly or
//! not at all. Password hashing runs on a pool of its own.
//!
//! Inside the store's sled backend another line holds: `engine` (keys, records, transactions, the
//! one writer) knows nothing of `accounts` and `events`, and those two nothing of each other. No
//! two files use each other in a circle.
//!
//! # What holds everywhere
//!
//! * A 2xx to a request that changes something is sent after the change is on the disk.
//! * Time and chance are arguments: see [`world`].
//! * A value that exists is a value that is right: see [`model`].
//! * Who may call a handler is in its type: see [`http::Handler`].
//! * Every bound has a name and a reason: see [`model::limits`], and `limits` in the configuration.

pub mod api;
pub mod cli;
pub mod config;
pub mod crypto;
pub mod http;
pub mod model;
pub mod server;
pub mod service;
pub mod store;
pub(crate) mod sync;
pub mod world;
