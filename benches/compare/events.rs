//! The events that are sent and stored: names out of 50, users out of 1,000, details of three
//! fields. Fixed seeds make them the same in every run.

pub(crate) const NAMES: u64 = 50;
pub(crate) const USERS: usize = 1_000;
const BATCH: usize = 100;
/// The number of different bodies that are sent in turn.
const BATCH_BODIES: usize = 300;
const SINGLE_BODIES: usize = 1_000;

/// `SplitMix64` (Steele, Lea and Flood, 2014).
pub(crate) struct Dice(pub(crate) u64);

impl Dice {
    pub(crate) fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (mixed ^ (mixed >> 31)) % sides
    }
}

/// A random event.
pub(crate) struct Drawn {
    pub(crate) name: String,
    /// The index of its user.
    pub(crate) user: usize,
    pub(crate) details: String,
}

/// Draws a random event.
pub(crate) fn draw(dice: &mut Dice) -> Drawn {
    const RESULTS: [&str; 4] = ["won", "lost", "drawn", "left"];
    let user = dice.roll(USERS as u64) as usize;
    let result = RESULTS
        .get(dice.roll(4) as usize)
        .copied()
        .unwrap_or_default();
    let name = name(dice.roll(NAMES));
    let (duration, map) = (dice.roll(3_600), dice.roll(20));
    let details =
        format!("{{\"duration\":{duration},\"map\":\"map_{map}\",\"result\":\"{result}\"}}");
    Drawn {
        name,
        user,
        details,
    }
}

/// One of the fifty names.
pub(crate) fn name(number: u64) -> String {
    format!("lobby.event_{number:02}")
}

fn json(dice: &mut Dice, users: &[String]) -> String {
    let Drawn {
        name,
        user,
        details,
    } = draw(dice);
    let user = users.get(user).map_or("", String::as_str);
    format!("{{\"name\":\"{name}\",\"user_id\":\"{user}\",\"details\":{details}}}")
}

/// The format of the bodies that carry the events.
#[derive(Clone, Copy)]
pub(crate) enum Dress {
    /// A list of events, which doorward takes in one request.
    Ours,
    /// One record, or a batch of requests that create one record each.
    PocketBase,
}

/// Bodies with a hundred events each.
pub(crate) fn batches(users: &[String], dress: Dress) -> Vec<String> {
    let mut dice = Dice(1);
    let batch = |_| {
        let events = (0..BATCH).map(|_| json(&mut dice, users));
        match dress {
            Dress::Ours => format!("{{\"events\":[{}]}}", joined(events)),
            Dress::PocketBase => format!(
                "{{\"requests\":[{}]}}",
                joined(events.map(|event| request(&event)))
            ),
        }
    };
    (0..BATCH_BODIES).map(batch).collect()
}

/// Bodies with one event each.
pub(crate) fn singles(users: &[String], dress: Dress) -> Vec<String> {
    let mut dice = Dice(2);
    let events = (0..SINGLE_BODIES).map(|_| json(&mut dice, users));
    match dress {
        Dress::Ours => events
            .map(|event| format!("{{\"events\":[{event}]}}"))
            .collect(),
        Dress::PocketBase => events.collect(),
    }
}

fn request(event: &str) -> String {
    format!("{{\"method\":\"POST\",\"url\":\"/api/collections/events/records\",\"body\":{event}}}")
}

fn joined(parts: impl Iterator<Item = String>) -> String {
    parts.collect::<Vec<_>>().join(",")
}

/// The number of events in a batch.
pub(crate) const fn batch_len() -> usize {
    BATCH
}
