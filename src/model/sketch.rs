//! Counts distinct users approximately, without storing which: a `HyperLogLog` sketch (Flajolet,
//! Fusy, Gandouet and Meunier, 2007) with the estimator of Ertl ("New cardinality estimation
//! algorithms for `HyperLogLog` sketches", arXiv:1702.01284, algorithm 6), which needs no table of
//! corrections and no switch between small and large numbers.
//!
//! 256 registers: the standard error is 1.04 / √256 = 6.5 %. A few users are nearly always counted
//! exactly, but not always, because two of them may share a register.

use super::UserNumber;

/// Registers of a sketch.
const REGISTERS: usize = 256;
/// The highest rank, so that a rank takes five bits. Only one user in two thousand million has a
/// higher one.
const TOP_RANK: u8 = 31;
/// Bytes of the dense form: eight ranks of five bits in five bytes.
const DENSE_BYTES: usize = REGISTERS / 8 * 5;

/// The mark of one user in a sketch: the same user always has the same mark.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Mark {
    /// Which register.
    pub register: u8,
    /// How rare the user's hash is, 1 to 31: each rank is half as frequent as the one before.
    pub rank: u8,
}

impl Mark {
    /// The mark of a user.
    pub fn of(user: UserNumber) -> Mark {
        let mixed = mixed(user.0);
        let [register, ..] = mixed.to_le_bytes();
        let zeros = (mixed >> 8).trailing_zeros();
        let rank = u8::try_from(zeros + 1).unwrap_or(TOP_RANK).min(TOP_RANK);
        Mark { register, rank }
    }
}

/// The finalizer of `SplitMix64` (Steele, Lea and Flood, 2014): consecutive numbers give results
/// that look random. Sketches are stored, so this function must never change.
fn mixed(number: u32) -> u64 {
    let mut mixed = (u64::from(number) + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15);
    mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    mixed ^ (mixed >> 31)
}

/// A set of users that knows only its own approximate size.
#[derive(Clone, PartialEq, Eq)]
pub struct Sketch {
    /// The highest rank in each register; 0: none.
    ranks: [u8; REGISTERS],
}

impl Default for Sketch {
    fn default() -> Sketch {
        Sketch {
            ranks: [0; REGISTERS],
        }
    }
}

impl std::fmt::Debug for Sketch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "Sketch(about {})", self.users())
    }
}

impl Sketch {
    /// Adds the user with this mark. True if the sketch changed.
    pub fn add(&mut self, mark: Mark) -> bool {
        match self.ranks.get_mut(usize::from(mark.register)) {
            Some(rank) if *rank < mark.rank => {
                *rank = mark.rank;
                true
            }
            _ => false,
        }
    }

    /// Adds all users of the other sketch.
    pub fn unite(&mut self, other: &Sketch) {
        for (rank, theirs) in self.ranks.iter_mut().zip(&other.ranks) {
            *rank = (*rank).max(*theirs);
        }
    }

    /// The approximate number of users; the standard error is 6.5 %.
    pub fn users(&self) -> u64 {
        let mut with_rank = [0_u32; TOP_RANK as usize + 1];
        for rank in &self.ranks {
            if let Some(count) = with_rank.get_mut(usize::from(*rank)) {
                *count += 1;
            }
        }
        let [none, ranked @ .., top] = with_rank.map(f64::from);
        let registers = f64::from(1 << 8);
        let mut sum = registers * tau(1.0 - top / registers);
        for count in ranked.iter().rev() {
            sum = 0.5 * (sum + count);
        }
        sum += registers * sigma(none / registers);
        let users = registers * registers / (2.0 * std::f64::consts::LN_2 * sum);
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "positive and finite, and a float beyond a u64 is the greatest one"
        )]
        let whole = users.round() as u64;
        whole
    }

    /// Encodes the sketch in at most 160 bytes: as pairs of register and rank while that is
    /// shorter, otherwise as five bits per register.
    pub fn to_bytes(&self) -> Vec<u8> {
        let pairs: Vec<u8> = (0..=u8::MAX)
            .zip(self.ranks)
            .filter(|(_, rank)| *rank > 0)
            .flat_map(|(register, rank)| [register, rank])
            .collect();
        if pairs.len() < DENSE_BYTES {
            return pairs;
        }
        let eights = self.ranks.chunks_exact(8);
        eights
            .flat_map(|ranks| {
                let bits = ranks
                    .iter()
                    .rfold(0_u64, |bits, rank| bits << 5 | u64::from(*rank));
                bits.to_le_bytes().into_iter().take(5)
            })
            .collect()
    }

    /// Decodes the output of `to_bytes`; none for a wrong length or an invalid pair.
    pub fn from_bytes(bytes: &[u8]) -> Option<Sketch> {
        let mut sketch = Sketch::default();
        if bytes.len() == DENSE_BYTES {
            let eights = sketch.ranks.chunks_exact_mut(8);
            for (ranks, packed) in eights.zip(bytes.as_chunks::<5>().0) {
                let joined = |bits, byte: &u8| bits << 8 | u64::from(*byte);
                let mut bits = packed.iter().rfold(0_u64, joined);
                for rank in ranks {
                    [*rank, ..] = (bits & u64::from(TOP_RANK)).to_le_bytes();
                    bits >>= 5;
                }
            }
            return Some(sketch);
        }
        let (pairs, rest) = bytes.as_chunks::<2>();
        if bytes.len() > DENSE_BYTES || !rest.is_empty() {
            return None;
        }
        pairs
            .iter()
            .all(|[register, rank]| {
                let (register, rank) = (*register, *rank);
                rank <= TOP_RANK && sketch.add(Mark { register, rank })
            })
            .then_some(sketch)
    }
}

/// Ertl's σ: the correction for registers without a rank.
fn sigma(empty: f64) -> f64 {
    if empty >= 1.0 {
        return f64::INFINITY;
    }
    let (mut power, mut weight, mut sum) = (empty, 1.0, empty);
    loop {
        power *= power;
        let before = sum;
        sum += power * weight;
        weight += weight;
        if is_settled(before, sum) {
            return sum;
        }
    }
}

/// Ertl's τ: the correction for registers with the highest rank.
fn tau(below: f64) -> f64 {
    if below <= 0.0 || below >= 1.0 {
        return 0.0;
    }
    let (mut root, mut weight, mut sum) = (below, 1.0, 1.0 - below);
    loop {
        root = root.sqrt();
        let before = sum;
        weight *= 0.5;
        sum -= (1.0 - root) * (1.0 - root) * weight;
        if is_settled(before, sum) {
            return sum / 3.0;
        }
    }
}

/// Whether a converging sum has stopped changing: further terms are below its last bit.
fn is_settled(before: f64, after: f64) -> bool {
    (before - after).abs() <= after.abs() * f64::EPSILON
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sketch_of(users: impl IntoIterator<Item = u32>) -> Sketch {
        let mut sketch = Sketch::default();
        for user in users {
            sketch.add(Mark::of(UserNumber(user)));
        }
        sketch
    }

    #[test]
    fn a_few_users_are_counted_exactly() {
        assert_eq!(Sketch::default().users(), 0);
        for count in 1..=10 {
            assert_eq!(sketch_of(0..count).users(), u64::from(count));
        }
    }

    #[test]
    fn many_users_are_counted_within_the_error_that_is_promised() {
        for users in [50_u32, 200, 1_000, 20_000, 500_000] {
            // Checks the standard error over many sketches, and that no sketch is off by four of
            // them.
            let (mut squares, rounds) = (0.0, 40);
            for round in 0..rounds {
                let first = round * users;
                let counted = sketch_of(first..first + users).users();
                let error = f64::from(u32::try_from(counted).unwrap()) / f64::from(users) - 1.0;
                assert!(error.abs() < 4.0 * 0.065, "{users}: off by {error}");
                squares += error * error;
            }
            let error = (squares / f64::from(rounds)).sqrt();
            assert!(error < 0.08, "{users}: standard error {error}");
        }
    }

    #[test]
    fn a_user_counts_once_and_a_union_is_the_sketch_of_all() {
        let mut sketch = sketch_of(0..1_000);
        assert!(!(0..1_000).any(|user| sketch.add(Mark::of(UserNumber(user)))));
        let (all, theirs) = (sketch_of(0..1_500), sketch_of(700..1_500));
        sketch.unite(&theirs);
        assert_eq!(sketch, all);
        sketch.unite(&theirs);
        assert_eq!(sketch, all);
    }

    #[test]
    fn a_sketch_of_any_size_reads_back_from_few_bytes() {
        for users in [0, 1, 2, 50, 79, 90, 97, 100, 150, 1_000, 1_000_000] {
            let sketch = sketch_of(0..users);
            let bytes = sketch.to_bytes();
            assert!(bytes.len() <= 160, "{users}: {} bytes", bytes.len());
            assert_eq!(
                Sketch::from_bytes(&bytes).as_ref(),
                Some(&sketch),
                "{users}"
            );
        }
        for wrong in [&[1][..], &[1, 0], &[1, 32], &[0; 158], &[1; 161], &[1; 162]] {
            assert_eq!(Sketch::from_bytes(wrong), None, "{wrong:?}");
        }
    }

    #[test]
    fn marks_are_what_they_always_were() {
        let mark = |user| {
            let Mark { register, rank } = Mark::of(UserNumber(user));
            (register, rank)
        };
        // They are stored: a mark that changes would count a user twice. The first is that of
        // 0xE220A8397B1DCDAF, the first number that SplitMix64 draws from the seed 0.
        let known = [(0xAF, 1), (244, 1), (79, 1), (225, 1), (97, 2)];
        assert_eq!([0, 1, 2, 1_000, u32::MAX].map(mark), known);
    }
}
