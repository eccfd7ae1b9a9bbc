//! Reads a file in order while its parts are needed in another order, so that they come from
//! memory: a disk reads in order several times as fast.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

/// What is read at once.
const CHUNK_BYTES: usize = 1 << 20;

/// The thread that reads. It ends when the file does, or when this is dropped.
pub(super) struct ReadAhead {
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl ReadAhead {
    /// Starts it, unless the file is missing or larger than `most_bytes`. Where it cannot start,
    /// the same is read more slowly.
    pub(super) fn start(file: &Path, most_bytes: u64) -> ReadAhead {
        let stop = Arc::new(AtomicBool::new(false));
        let file = File::open(file).ok();
        let file = file.filter(|file| file.metadata().is_ok_and(|it| it.len() <= most_bytes));
        let thread = file.and_then(|file| {
            let stop = Arc::clone(&stop);
            let thread = std::thread::Builder::new().name("doorward-ahead".into());
            thread.spawn(move || read(file, &stop)).ok()
        });
        ReadAhead { stop, thread }
    }
}

impl Drop for ReadAhead {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            // A panic was reported when it happened, and nothing depends on what was read.
            let _ = thread.join();
        }
    }
}

fn read(mut file: File, stop: &AtomicBool) {
    let mut chunk = vec![0; CHUNK_BYTES];
    while !stop.load(Ordering::Relaxed) && file.read(&mut chunk).is_ok_and(|read| read > 0) {}
}
