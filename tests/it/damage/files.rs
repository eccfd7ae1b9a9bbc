//! The files of a store, and what can be done to them.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::os::unix::fs::FileExt;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

/// A copy of a directory.
pub(super) fn copy(from: &Path) -> TempDir {
    let directory = tempfile::tempdir().unwrap();
    copy_into(from, directory.path());
    directory
}

fn copy_into(from: &Path, to: &Path) {
    for entry in fs::read_dir(from).unwrap() {
        let entry = entry.unwrap();
        let target = to.join(entry.file_name());
        if entry.path().is_dir() {
            fs::create_dir(&target).unwrap();
            copy_into(&entry.path(), &target);
        } else {
            fs::copy(entry.path(), target).unwrap();
        }
    }
}

/// The files of a directory, with what is in them.
pub(super) fn contents(directory: &Path) -> BTreeMap<PathBuf, Vec<u8>> {
    let files = names(directory).into_iter();
    files
        .map(|name| (name.clone(), fs::read(directory.join(name)).unwrap()))
        .collect()
}

/// The names of the files of a store, in order; `blobs` is empty and is no file.
pub(super) fn names(directory: &Path) -> Vec<PathBuf> {
    let entries = fs::read_dir(directory).unwrap().map(|entry| entry.unwrap());
    let files = entries.filter(|entry| entry.path().is_file());
    let mut names: Vec<PathBuf> = files.map(|entry| entry.file_name().into()).collect();
    names.sort();
    names
}

/// Changes bytes of a file in place.
pub(super) fn overwrite(file: &Path, at: u64, change: impl FnOnce(&mut [u8]), bytes: usize) {
    let file = File::options().read(true).write(true).open(file).unwrap();
    let mut there = vec![0; bytes];
    file.read_exact_at(&mut there, at).unwrap();
    change(&mut there);
    file.write_all_at(&there, at).unwrap();
}

pub(super) fn length(file: &Path) -> u64 {
    file.metadata().unwrap().len()
}

pub(super) fn cut(file: &Path, length: u64) {
    let file = File::options().write(true).open(file).unwrap();
    file.set_len(length).unwrap();
}
