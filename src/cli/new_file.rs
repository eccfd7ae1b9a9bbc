//! Writes files and makes directories wholly or not at all.

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use rustix::fs::{CWD, RenameFlags, renameat_with};

/// The files and directories that a command has made. Dropping it removes them again.
#[derive(Default)]
pub(super) struct Made(Vec<PathBuf>);

impl Made {
    /// Makes a directory with this mode, and its missing parents. One that is there already stays
    /// as it is.
    pub(super) fn directory(&mut self, path: &Path, mode: u32) -> io::Result<()> {
        if path.is_dir() {
            return Ok(());
        }
        if let Some(parent) = path.parent().filter(|it| !it.as_os_str().is_empty()) {
            self.directory(parent, 0o755)?;
        }
        DirBuilder::new().mode(mode).create(path)?;
        self.0.push(path.to_owned());
        sync_parent(path)
    }

    /// Writes a file under a temporary name beside `path`, and returns that name. Only its owner
    /// may read it.
    pub(super) fn draft(&mut self, path: &Path, text: &str) -> io::Result<PathBuf> {
        let (draft, mut file) = self.open_draft(path)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        Ok(draft)
    }

    /// Makes an empty file under a temporary name beside `path`, and returns that name. Only its
    /// owner may read it.
    pub(super) fn open_draft(&mut self, path: &Path) -> io::Result<(PathBuf, File)> {
        let mut name = path.file_name().unwrap_or_default().to_owned();
        name.push(format!(".{}.new", std::process::id()));
        let draft = path.with_file_name(name);
        let mut options = OpenOptions::new();
        let file = options
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&draft)?;
        self.0.push(draft.clone());
        Ok((draft, file))
    }

    /// Gives a draft its name. Error: `AlreadyExists` if another file has it.
    pub(super) fn publish(&mut self, draft: &Path, path: &Path) -> io::Result<()> {
        renameat_with(CWD, draft, CWD, path, RenameFlags::NOREPLACE)?;
        self.0.retain(|made| made != draft);
        self.0.push(path.to_owned());
        sync_parent(path)
    }

    /// Gives a draft the name of a file, which it replaces.
    pub(super) fn replace(&mut self, draft: &Path, path: &Path) -> io::Result<()> {
        fs::rename(draft, path)?;
        self.0.retain(|made| made != draft);
        sync_parent(path)
    }

    /// Everything that was made stays.
    pub(super) fn keep(mut self) {
        self.0.clear();
    }
}

impl Drop for Made {
    fn drop(&mut self) {
        for path in self.0.iter().rev() {
            // A directory into which another program has written meanwhile stays.
            let _ = fs::remove_file(path).or_else(|_| fs::remove_dir(path));
        }
    }
}

/// Brings the name of a file to the disk.
fn sync_parent(path: &Path) -> io::Result<()> {
    let parent = path.parent().filter(|it| !it.as_os_str().is_empty());
    File::open(parent.unwrap_or(Path::new(".")))?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_not_kept_is_removed_and_what_was_there_stays() {
        let home = tempfile::tempdir().unwrap();
        let there = home.path().join("there");
        fs::create_dir(&there).unwrap();
        let file = there.join("new/below/file");
        for keep in [false, true] {
            let mut made = Made::default();
            made.directory(file.parent().unwrap(), 0o700).unwrap();
            let draft = made.draft(&file, "text").unwrap();
            assert!(!file.exists() && draft.exists());
            made.publish(&draft, &file).unwrap();
            assert_eq!(fs::read_to_string(&file).unwrap(), "text");
            if keep {
                made.keep();
            } else {
                drop(made);
            }
            assert_eq!((file.exists(), there.exists()), (keep, true));
            assert_eq!(fs::read_dir(&there).unwrap().count(), usize::from(keep));
        }
    }

    #[test]
    fn a_name_that_is_taken_is_not_replaced() {
        let home = tempfile::tempdir().unwrap();
        let file = home.path().join("file");
        fs::write(&file, "mine").unwrap();
        let mut made = Made::default();
        let draft = made.draft(&file, "text").unwrap();
        let taken = made.publish(&draft, &file).unwrap_err();
        assert_eq!(taken.kind(), io::ErrorKind::AlreadyExists);
        drop(made);
        assert_eq!(fs::read_to_string(&file).unwrap(), "mine");
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1);
    }
}
