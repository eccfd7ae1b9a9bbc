//! Every test from outside, in one binary: a file an API, over real HTTP.

#[cfg(test)]
mod config;
