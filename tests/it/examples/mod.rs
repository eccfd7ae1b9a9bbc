//! One example of each endpoint, in `docs/examples.md`: requests of one story, with the answers
//! of a server. The test tells the story again and compares every word.
//!
//! `DOORWARD_BLESS=1 cargo test` rewrites the file.

mod story;
mod transcript;

use std::fs;
use std::path::Path;

use transcript::Transcript;

#[test]
fn the_guide_has_an_example_of_each_endpoint_that_runs() {
    let mut transcript = Transcript::new();
    story::tell(&mut transcript);
    let text = transcript.finish();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/examples.md");
    if std::env::var_os("DOORWARD_BLESS").is_some() {
        fs::write(&path, &text).unwrap();
    }
    let written = fs::read_to_string(&path).unwrap();
    let differs = written
        .lines()
        .zip(text.lines())
        .find(|(old, new)| old != new);
    assert_eq!(differs, None);
    assert_eq!(written.len(), text.len());
}
