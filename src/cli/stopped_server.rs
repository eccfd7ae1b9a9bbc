//! Does what the server would do, while no server runs: opens the store, and closes it again. Files
//! that root makes meanwhile go to the owner of the directory, so that the server can open them.

use std::fs;
use std::io;
use std::os::unix::fs::{MetadataExt, lchown};
use std::path::Path;
use std::pin::Pin;
use std::sync::Arc;

use super::error::CliError;
use super::opening;
use crate::config::Config;
use crate::http;
use crate::model::Secret;
use crate::service::{self, Services};
use crate::store::sled::WriteMeter;

/// A verb of the service that runs.
pub(super) type Work<'a, T> = Pin<Box<dyn Future<Output = Result<T, service::Error>> + 'a>>;

/// Runs `work`. `announce` gets the administrator's password, if this start generates one;
/// `failure` begins the sentence if the work fails.
pub(super) fn run<T>(
    config: &Config,
    announce: impl FnOnce(&Secret) + Send,
    failure: &str,
    work: impl for<'a> FnOnce(&'a Arc<Services>) -> Work<'a, T>,
) -> Result<T, CliError> {
    let data = &config.storage.path;
    let owner = fs::metadata(data).map_err(|cause| {
        let what = format!(
            "there is no data directory {} yet; start the server once",
            data.display()
        );
        CliError::because(&what, cause)
    })?;
    rustix::process::umask(rustix::fs::Mode::from_raw_mode(0o077));
    let done = opening::runtime()?.block_on(with_store(config, announce, work));
    let given = give_to(data, &owner);
    let done = done?.map_err(|error| failed(failure, error))?;
    given.map_err(|cause| {
        let what = format!("cannot give the files in {} to their owner", data.display());
        CliError::because(&what, cause)
    })?;
    Ok(done)
}

async fn with_store<T>(
    config: &Config,
    announce: impl FnOnce(&Secret) + Send,
    work: impl for<'a> FnOnce(&'a Arc<Services>) -> Work<'a, T>,
) -> Result<Result<T, service::Error>, CliError> {
    let world = opening::world();
    let store = opening::store(config, &world, WriteMeter::open()).await?;
    let config = Arc::new(config.clone());
    let done = match Services::start(config, world, Arc::clone(&store), announce).await {
        Ok(services) => work(&services).await,
        Err(error) => Err(error.into()),
    };
    store.close().await;
    Ok(done)
}

fn failed(what: &str, error: service::Error) -> CliError {
    match error {
        service::Error::Unavailable(cause) => CliError::because(what, cause),
        service::Error::Internal(cause) => CliError::because(what, cause),
        other => CliError::new(format!("{what}: {}", http::Error::from(other).message())),
    }
}

/// Gives what root has made in this directory to the directory's owner.
fn give_to(directory: &Path, owner: &fs::Metadata) -> io::Result<()> {
    if owner.uid() == 0 || !rustix::process::geteuid().is_root() {
        return Ok(());
    }
    for entry in fs::read_dir(directory)? {
        let path = entry?.path();
        let is = fs::symlink_metadata(&path)?;
        // A file with another name elsewhere was not made by the store.
        if is.uid() == 0 && (is.is_dir() || is.nlink() == 1) {
            lchown(&path, Some(owner.uid()), Some(owner.gid()))?;
        }
        if is.is_dir() {
            give_to(&path, owner)?;
        }
    }
    Ok(())
}
