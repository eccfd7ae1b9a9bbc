//! All black-box tests in one binary: one file per API, over real HTTP.

#[cfg(test)]
mod admin;
#[cfg(test)]
mod admin_password;
#[cfg(test)]
mod angen;
#[cfg(test)]
mod audit;
#[cfg(test)]
mod bodies;
#[cfg(test)]
mod bounds;
#[cfg(test)]
mod browsers;
#[cfg(test)]
mod clock;
#[cfg(test)]
mod config;
#[cfg(test)]
mod content_coding;
#[cfg(test)]
mod core;
#[cfg(test)]
mod damage;
#[cfg(test)]
mod endpoints;
#[cfg(test)]
mod ephemeride;
#[cfg(test)]
mod erase;
#[cfg(test)]
mod examples;
#[cfg(test)]
mod explain;
#[cfg(test)]
mod export;
#[cfg(test)]
mod golden;
#[cfg(test)]
mod harness;
#[cfg(test)]
mod hub;
#[cfg(test)]
mod idempotency;
#[cfg(test)]
mod invites;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod live;
#[cfg(test)]
mod lockouts;
#[cfg(test)]
mod machine_making;
#[cfg(test)]
mod machines;
#[cfg(test)]
mod mails;
#[cfg(test)]
mod metrics;
#[cfg(test)]
mod openapi;
#[cfg(test)]
mod outbox;
#[cfg(test)]
mod passwords;
#[cfg(test)]
mod paths;
#[cfg(test)]
mod permissions;
#[cfg(test)]
mod queries;
#[cfg(test)]
mod races;
#[cfg(test)]
mod refused;
#[cfg(test)]
mod reload;
#[cfg(test)]
mod repeats;
#[cfg(test)]
mod revocation;
#[cfg(test)]
mod rotation;
#[cfg(test)]
mod routes;
#[cfg(test)]
mod settings;
#[cfg(test)]
mod signing_keys;
#[cfg(test)]
mod smtp;
#[cfg(test)]
mod status;
#[cfg(test)]
mod store;
#[cfg(test)]
mod summary;
#[cfg(test)]
mod text;
#[cfg(test)]
mod tidy;
#[cfg(test)]
mod token;
#[cfg(test)]
mod tokens;
#[cfg(test)]
mod user_lists;
#[cfg(test)]
mod users;
#[cfg(test)]
mod waits;
#[cfg(test)]
mod wire;
