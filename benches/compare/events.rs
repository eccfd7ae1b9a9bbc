//! The events that are sent: names out of 50, users out of 1,000, details of three fields. A generator of its own makes every run
//! send the same.

use std::fmt::Write;

const NAMES: u64 = 50;
pub(crate) const USERS: usize = 1_000;
const BATCH: usize = 100;
/// Different bodies that are sent in turn.
const BATCH_BODIES: usize = 300;
const SINGLE_BODIES: usize = 1_000;

/// `SplitMix64` (Steele, Lea and Flood, 2014).
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % sides
    }
}

/// Bodies of a hundred events each.
pub(crate) fn batches(users: &[String]) -> Vec<String> {
    let mut dice = Dice(1);
    let batch = |_| {
        let events: Vec<_> = (0..BATCH).map(|_| event(&mut dice, users)).collect();
        format!("{{\"events\":[{}]}}", events.join(","))
    };
    (0..BATCH_BODIES).map(batch).collect()
}

/// Bodies of one event each.
pub(crate) fn singles(users: &[String]) -> Vec<String> {
    let mut dice = Dice(2);
    (0..SINGLE_BODIES)
        .map(|_| format!("{{\"events\":[{}]}}", event(&mut dice, users)))
        .collect()
}

/// How many events a batch has.
pub(crate) const fn batch_len() -> usize {
    BATCH
}

fn event(dice: &mut Dice, users: &[String]) -> String {
    const RESULTS: [&str; 4] = ["won", "lost", "drawn", "left"];
    let user = users
        .get(dice.roll(users.len() as u64) as usize)
        .map_or("", String::as_str);
    let result = RESULTS
        .get(dice.roll(4) as usize)
        .copied()
        .unwrap_or_default();
    let mut text = String::with_capacity(180);
    // Writing to a string cannot fail.
    let _ = write!(
        text,
        "{{\"name\":\"lobby.event_{:02}\",\"user_id\":\"{user}\",\"details\":\
         {{\"duration\":{},\"map\":\"map_{}\",\"result\":\"{result}\"}}}}",
        dice.roll(NAMES),
        dice.roll(3_600),
        dice.roll(20),
    );
    text
}
