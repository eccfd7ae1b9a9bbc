//! The result type of the bench, and the directory of its files.

use std::error::Error;
use std::path::{Path, PathBuf};

/// An error ends the run, and `main` prints its text.
pub(crate) type Outcome<T> = Result<T, Box<dyn Error>>;

/// The directory of everything that a run leaves behind. Creates it if it is missing.
pub(crate) fn bench_directory() -> Outcome<PathBuf> {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("bench");
    std::fs::create_dir_all(&directory)?;
    Ok(directory)
}
