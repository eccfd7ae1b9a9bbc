//! Forces files and their names to the disk.

use std::fs::{self, File};
use std::io;
use std::path::Path;

/// Forces the names in a directory to the disk.
pub(crate) fn sync_directory(directory: &Path) -> io::Result<()> {
    File::open(directory)?.sync_all()
}

/// Forces the files in a directory to the disk, and their names. sled does not do this.
pub(crate) fn sync_files(directory: &Path) -> io::Result<()> {
    for entry in fs::read_dir(directory)? {
        let file = entry?.path();
        if file.is_file() {
            File::open(file)?.sync_all()?;
        }
    }
    sync_directory(directory)
}

/// Makes a file, or replaces it: a crash leaves the old file or the new one, never a part of it.
pub(crate) fn replace(
    directory: &Path,
    name: &str,
    write: impl FnOnce(&File) -> io::Result<()>,
) -> io::Result<()> {
    use std::os::unix::fs::OpenOptionsExt;
    let made = directory.join(format!("{name}.made"));
    let mut options = File::options();
    options.create(true).truncate(true).write(true).mode(0o600);
    let file = options.open(&made)?;
    write(&file)?;
    file.sync_all()?;
    fs::rename(made, directory.join(name))?;
    sync_directory(directory)
}
