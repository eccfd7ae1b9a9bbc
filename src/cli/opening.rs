//! What the commands share that run the service in their own process: its threads, its clock and
//! randomness, and its store.

use std::sync::Arc;

use tokio::runtime::{Builder, Runtime};

use super::console::print_line;
use super::error::CliError;
use crate::config::Config;
use crate::crypto::SystemRandom;
use crate::model::Secret;
use crate::store::Store;
use crate::store::sled::{SledStore, StoreOptions, WriteMeter};
use crate::world::{SystemClock, World};

/// The clock and the randomness of the system.
pub(super) fn world() -> World {
    World {
        clock: Arc::new(SystemClock::start()),
        random: Arc::new(SystemRandom::default()),
    }
}

/// A runtime with a thread for each core.
pub(super) fn runtime() -> Result<Runtime, CliError> {
    let runtime = Builder::new_multi_thread().enable_all().build();
    runtime.map_err(|cause| CliError::because("cannot start threads", cause))
}

/// Opens the store of a configuration.
pub(super) async fn store(
    config: &Config,
    world: &World,
    meter: WriteMeter,
) -> Result<Arc<dyn Store>, CliError> {
    let path = &config.storage.path;
    let options = StoreOptions::of(config, world.random_bytes(), meter);
    match SledStore::open(path, options).await {
        Ok(store) => Ok(Arc::new(store)),
        Err(error) => Err(CliError::cannot_open(&error, path)),
    }
}

/// Shows the administrator's password that a start has generated.
pub(super) fn show_generated_password(config: &Config, password: &Secret) -> Result<(), CliError> {
    let username = &config.admin.username;
    print_line(&format!(
        "No admin password is configured. One was made: {username} / {}\nIt is not shown again.",
        password.reveal()
    ))
}
