//! What everything here gives back, and where it keeps its files.

use std::error::Error;
use std::path::{Path, PathBuf};

/// A failure ends the run; whoever started it reads the text.
pub(crate) type Outcome<T> = Result<T, Box<dyn Error>>;

/// Where everything that a run leaves behind lies.
pub(crate) fn bench_directory() -> Outcome<PathBuf> {
    let directory = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("bench");
    std::fs::create_dir_all(&directory)?;
    Ok(directory)
}
