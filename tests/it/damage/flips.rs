//! The damages.

use std::fs;
use std::path::Path;

use super::files::{contents, copy, cut, length, names, overwrite};
use super::judge::{Fate, go_on, start};
use super::past::{PAST, open, runtime};
use doorward::store::{Health, Maintenance};

/// One in so many refused stores is opened in spite of it.
const GONE_ON_WITH: usize = 6;

fn setting(name: &str, default: u64) -> u64 {
    let value = std::env::var(name).ok();
    value.map_or(default, |value| value.parse().unwrap())
}

/// Chance that can be repeated (`SplitMix64`).
struct Dice(u64);

impl Dice {
    fn below(&mut self, bound: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % bound
    }
}

/// What came of many damages.
#[derive(Default, Debug)]
struct Tally {
    whole: usize,
    refused: usize,
    lost: Vec<String>,
}

impl Tally {
    /// Damages a copy of a store and starts it.
    fn try_out(&mut self, store: &Path, what: &str, damage: impl FnOnce(&Path)) {
        let directory = copy(store);
        damage(directory.path());
        match start(directory.path()) {
            Fate::Whole => self.whole += 1,
            Fate::Refused(_) => {
                self.refused += 1;
                if self.refused.is_multiple_of(GONE_ON_WITH) {
                    go_on(directory.path());
                }
            }
            Fate::Lost(how) => self.lost.push(format!("{what}: {how}")),
        }
    }

    #[track_caller]
    fn done(self, least_refused: usize) {
        eprintln!(
            "{} whole, {} refused, {} silent losses",
            self.whole,
            self.refused,
            self.lost.len()
        );
        assert!(self.lost.is_empty(), "{:#?}", self.lost);
        assert!(self.refused >= least_refused, "{self:?}");
    }
}

/// The two states that a store is found in.
fn states() -> [(&'static str, &'static Path); 2] {
    [
        ("closed", PAST.closed.path()),
        ("killed", PAST.killed.path()),
    ]
}

#[test]
fn a_flipped_bit_loses_nothing_or_ends_the_start() {
    let rounds = setting("DOORWARD_DAMAGE_ROUNDS", 60);
    let mut dice = Dice(setting("DOORWARD_DAMAGE_SEED", 1));
    let mut tally = Tally::default();
    for round in 0..rounds {
        let (state, store) = states()[usize::try_from(round % 2).unwrap()];
        let files = names(store);
        // Most of the damage goes where most of the data are.
        let file = match dice.below(2) {
            0 => Path::new("db"),
            _ => &files[usize::try_from(dice.below(files.len() as u64)).unwrap()],
        };
        let at = dice.below(length(&store.join(file)));
        let bit = dice.below(8);
        let what = format!("{state}, bit {bit} of byte {at} of {}", file.display());
        tally.try_out(store, &what, |directory| {
            overwrite(&directory.join(file), at, |bytes| bytes[0] ^= 1 << bit, 1);
        });
    }
    tally.done(usize::try_from(rounds / 10).unwrap());
}

#[test]
fn a_file_that_is_cut_off_loses_nothing_or_ends_the_start() {
    let rounds = setting("DOORWARD_DAMAGE_ROUNDS", 60) / 10;
    let mut dice = Dice(setting("DOORWARD_DAMAGE_SEED", 2));
    let mut tally = Tally::default();
    for (state, store) in states() {
        for file in names(store) {
            for _ in 0..rounds.max(2) / 2 {
                let left = dice.below(length(&store.join(&file)));
                let what = format!("{state}, {left} bytes left of {}", file.display());
                tally.try_out(store, &what, |it| cut(&it.join(&file), left));
            }
        }
    }
    tally.done(2);
}

#[test]
fn a_file_that_is_empty_missing_or_older_loses_nothing_or_ends_the_start() {
    let mut tally = Tally::default();
    for (state, store) in states() {
        for file in names(store) {
            let name = file.display();
            tally.try_out(store, &format!("{state}, {name} is empty"), |it| {
                cut(&it.join(&file), 0);
            });
            tally.try_out(store, &format!("{state}, {name} is missing"), |it| {
                fs::remove_file(it.join(&file)).unwrap();
            });
        }
        for (file, older) in contents(PAST.old.path()) {
            let what = format!("{state}, {} is an older copy", file.display());
            tally.try_out(store, &what, |it| fs::write(it.join(&file), older).unwrap());
        }
        tally.try_out(
            store,
            &format!("{state}, all but the mark is older"),
            |it| {
                for file in names(it) {
                    if file != Path::new("commits") {
                        fs::remove_file(it.join(file)).unwrap();
                    }
                }
                for (file, older) in contents(PAST.old.path()) {
                    if file != Path::new("commits") {
                        fs::write(it.join(file), older).unwrap();
                    }
                }
            },
        );
        tally.try_out(store, &format!("{state}, only the mark is left"), |it| {
            for file in names(it) {
                if file != Path::new("commits") {
                    fs::remove_file(it.join(file)).unwrap();
                }
            }
        });
    }
    tally.done(8);
}

#[test]
fn a_sector_or_a_segment_of_zeros_loses_nothing_or_ends_the_start() {
    const SEGMENT: u64 = 512 << 10;
    let rounds = setting("DOORWARD_DAMAGE_ROUNDS", 60) / 6;
    let mut dice = Dice(setting("DOORWARD_DAMAGE_SEED", 3));
    let mut tally = Tally::default();
    for (state, store) in states() {
        let bytes = length(&store.join("db"));
        let zero = |directory: &Path, at: u64, count: u64| {
            let count = usize::try_from(count.min(bytes - at)).unwrap();
            overwrite(&directory.join("db"), at, |bytes| bytes.fill(0), count);
        };
        for segment in 0..bytes.div_ceil(SEGMENT) {
            let at = segment * SEGMENT;
            let what = format!("{state}, segment {segment} is zeros");
            tally.try_out(store, &what, |it| zero(it, at, SEGMENT));
            let what = format!("{state}, the first sector of segment {segment} is zeros");
            tally.try_out(store, &what, |it| zero(it, at, 512));
        }
        for _ in 0..rounds / 2 {
            let at = dice.below(bytes / 512) * 512;
            let what = format!("{state}, the sector at {at} is zeros");
            tally.try_out(store, &what, |it| zero(it, at, 512));
        }
    }
    tally.done(2);
}

#[test]
fn an_older_copy_of_the_whole_directory_starts() {
    let directory = copy(PAST.old.path());
    let store = open(directory.path(), false).unwrap();
    assert_eq!(store.health(), Health::Fine);
    runtime().block_on(store.close());
}

#[test]
fn a_store_that_was_closed_or_killed_starts_with_everything() {
    for (state, store) in states() {
        let directory = copy(store);
        assert_eq!(start(directory.path()), Fate::Whole, "{state}");
    }
}
