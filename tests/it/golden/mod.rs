//! Opens data directories that earlier versions wrote and checks every value in them: see
//! `tests/golden/README.md`.

mod accounts;
mod events;
mod story;

use std::fs;
use std::path::Path;
use std::sync::Arc;

use doorward::store::Store;
use doorward::store::sled::{SledStore, StoreOptions};

use crate::store::{Opening, StoreFixture};

fn open(path: &Path) -> Opening<'_> {
    Box::pin(async move {
        let options = StoreOptions {
            memory_budget: 16 << 20,
            max_names: story::MAX_NAMES,
            ..StoreOptions::default()
        };
        Arc::new(SledStore::open(path, options).await.unwrap()) as Arc<dyn Store>
    })
}

/// Opens a store on a copy of the golden directory.
fn golden() -> StoreFixture {
    let directory = tempfile::tempdir().unwrap();
    let kept = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/store-1");
    for entry in fs::read_dir(kept).unwrap() {
        let file = entry.unwrap();
        fs::copy(file.path(), directory.path().join(file.file_name())).unwrap();
    }
    StoreFixture::of(directory, open)
}

/// Runs a check that only reads, then again after the store was closed and reopened.
fn twice(check: impl Fn(&StoreFixture)) {
    let mut fixture = golden();
    check(&fixture);
    fixture.reopen();
    check(&fixture);
}
