//! The directory of the database: it and all files in it are for the owner alone.

use std::fs::{self, DirBuilder, DirEntry, Permissions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, PermissionsExt};
use std::path::Path;

use crate::store::CONTROL_SOCKET;
use crate::store::sled::engine::{commit_mark, salvage};

/// The permission bits of everybody but the owner.
const OTHERS: u32 = 0o077;

/// Makes the directory if there is none. Takes the permissions of others from one that exists, and
/// from the database's files in it; the log says what changes, or why it does not.
pub(crate) fn make(path: &Path) -> io::Result<()> {
    DirBuilder::new().recursive(true).mode(0o700).create(path)?;
    let mut foreign = None;
    for entry in fs::read_dir(path)? {
        let entry = entry?;
        if is_of_the_database(&entry) {
            protect(&entry.path());
        } else {
            foreign = Some(entry.file_name());
        }
    }
    let mode = mode(path)?;
    match foreign {
        Some(name) if mode & OTHERS != 0 => log::warn!(
            "{0} has mode {mode:o} and keeps it, because it also holds {1}, which is not the \
             database's; give storage.path a directory of its own, or `chmod 700 {0}`",
            path.display(),
            name.display()
        ),
        _ => restrict(path, mode),
    }
    Ok(())
}

/// Whether sled has made this entry, or doorward for its database or as its control socket.
fn is_of_the_database(entry: &DirEntry) -> bool {
    let name = entry.file_name();
    let name = name.to_string_lossy();
    // The root of a file system may have `lost+found`, which only root can read.
    ["db", "conf", "blobs", CONTROL_SOCKET, "lost+found"].contains(&name.as_ref())
        || [
            "snap.",
            commit_mark::FILE,
            salvage::WORKPLACE,
            salvage::DAMAGED,
        ]
        .iter()
        .any(|it| name.starts_with(it))
}

/// Takes the permissions of others from a file, or from a directory and everything in it. Links
/// are not followed.
fn protect(path: &Path) {
    let Ok(about) = path.symlink_metadata() else {
        return;
    };
    if about.is_symlink() {
        return;
    }
    restrict(path, about.permissions().mode());
    if about.is_dir() {
        let entries = fs::read_dir(path).into_iter().flatten().flatten();
        entries.for_each(|entry| protect(&entry.path()));
    }
}

fn mode(path: &Path) -> io::Result<u32> {
    Ok(path.metadata()?.permissions().mode() & 0o7777)
}

fn restrict(path: &Path, mode: u32) {
    let (mode, private) = (mode & 0o7777, mode & 0o7777 & !OTHERS);
    if mode == private {
        return;
    }
    let shown = path.display();
    match fs::set_permissions(path, Permissions::from_mode(private)) {
        Ok(()) => log::info!("{shown} had mode {mode:o} and has mode {private:o} now"),
        Err(error) => log::warn!(
            "{shown} has mode {mode:o} and keeps it: {error}; make the user of this process its \
             owner, or `chmod {private:o} {shown}`"
        ),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn file(path: &Path, permissions: u32) {
        fs::write(path, "").unwrap();
        fs::set_permissions(path, Permissions::from_mode(permissions)).unwrap();
    }

    fn directory(path: &Path, permissions: u32) {
        fs::create_dir(path).unwrap();
        fs::set_permissions(path, Permissions::from_mode(permissions)).unwrap();
    }

    #[test]
    fn a_new_directory_is_for_its_owner_alone() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("data");
        make(&path).unwrap();
        assert_eq!(mode(&path).unwrap(), 0o700);
    }

    #[test]
    fn an_open_directory_and_its_files_become_private() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("data");
        directory(&path, 0o2755);
        directory(&path.join("damaged-1"), 0o755);
        for name in ["db", "snap.0001", "commits", "damaged-1/db"] {
            file(&path.join(name), 0o644);
        }
        make(&path).unwrap();
        assert_eq!(mode(&path).unwrap(), 0o2700);
        assert_eq!(mode(&path.join("damaged-1")).unwrap(), 0o700);
        for name in ["db", "snap.0001", "commits", "damaged-1/db"] {
            assert_eq!(mode(&path.join(name)).unwrap(), 0o600, "{name}");
        }
    }

    #[test]
    fn a_directory_with_files_of_others_keeps_its_mode() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("shared");
        directory(&path, 0o755);
        file(&path.join("report.txt"), 0o644);
        file(&path.join("db"), 0o644);
        make(&path).unwrap();
        assert_eq!(mode(&path).unwrap(), 0o755);
        assert_eq!(mode(&path.join("report.txt")).unwrap(), 0o644);
        assert_eq!(mode(&path.join("db")).unwrap(), 0o600);
    }
}
