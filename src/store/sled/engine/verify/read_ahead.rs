//! Reads a file in order while its parts are needed in another order, so that they come from
//! memory: a disk reads in order several times as fast.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::store::sled::engine::stoppable_thread::StoppableThread;

/// What is read at once.
const CHUNK_BYTES: usize = 1 << 20;

/// Starts the thread that reads, which ends with the file at the latest. None: the file is missing
/// or larger than `most_bytes`, or no thread can start, and then the same is read more slowly.
pub(super) fn start(file: &Path, most_bytes: u64) -> Option<StoppableThread> {
    let mut file = File::open(file).ok()?;
    let is_small = file.metadata().is_ok_and(|it| it.len() <= most_bytes);
    let work = move |stop: &AtomicBool| {
        let mut chunk = vec![0; CHUNK_BYTES];
        while !stop.load(Ordering::Relaxed) && file.read(&mut chunk).is_ok_and(|read| read > 0) {}
    };
    is_small
        .then(|| StoppableThread::start("doorward-ahead", work).ok())
        .flatten()
}
