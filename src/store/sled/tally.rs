//! What a report adds to the counters, made ready where its request runs, so that the one writer has little left to do.

use crate::model::{Mark, UserNumber};

/// How often a report used a name.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NameCount {
    pub(super) name: u32,
    pub(super) count: u64,
}

/// What the users of a report's events of one name leave in a register of the name's sketch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct NameMark {
    pub(super) name: u32,
    pub(super) mark: Mark,
}

/// The counts and marks of a report, each in the order of names.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Tally {
    pub(super) counts: Vec<NameCount>,
    /// One for a name and register: the highest.
    pub(super) marks: Vec<NameMark>,
}

impl Tally {
    /// What events with these names, about these users, add.
    pub(super) fn of(names: &[u32], subjects: &[UserNumber]) -> Tally {
        let events = names.iter().zip(subjects);
        // Name, register and rank in one number: there is one sort, and it is of plain numbers.
        let mut packed: Vec<u64> = events
            .map(|(name, subject)| {
                let Mark { register, rank } = Mark::of(*subject);
                u64::from(*name) << 16 | u64::from(register) << 8 | u64::from(rank)
            })
            .collect();
        packed.sort_unstable();
        let mut tally = Tally {
            counts: Vec::new(),
            marks: Vec::with_capacity(packed.len()),
        };
        for number in packed {
            let [rank, register, a, b, c, d, ..] = number.to_le_bytes();
            tally.add(u32::from_le_bytes([a, b, c, d]), Mark { register, rank });
        }
        tally
    }

    /// Adds an event that comes behind all those that were added before.
    fn add(&mut self, name: u32, mark: Mark) {
        match self.counts.last_mut() {
            Some(last) if last.name == name => last.count += 1,
            _ => self.counts.push(NameCount { name, count: 1 }),
        }
        match self.marks.last_mut() {
            Some(last) if last.name == name && last.mark.register == mark.register => {
                last.mark = mark;
            }
            _ => self.marks.push(NameMark { name, mark }),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_report_is_tallied_by_name_and_register() {
        let users = [5, 6, 7, 5, 8, 5].map(UserNumber);
        let tally = Tally::of(&[300, 2, 300, 300, 2, 2], &users);
        let count = |name, count| NameCount { name, count };
        assert_eq!(tally.counts, [count(2, 3), count(300, 3)]);
        let mut marks: Vec<NameMark> = [(2, 5), (2, 6), (2, 8), (300, 5), (300, 7)]
            .map(|(name, user)| NameMark {
                name,
                mark: Mark::of(UserNumber(user)),
            })
            .to_vec();
        marks.sort_by_key(|it| (it.name, it.mark));
        assert_eq!(tally.marks, marks);
        assert_eq!(Tally::of(&[], &[]), Tally::default());
    }

    #[test]
    fn of_users_who_share_a_register_the_rarest_counts() {
        let users: Vec<UserNumber> = (0..5_000).map(UserNumber).collect();
        let tally = Tally::of(&vec![9; users.len()], &users);
        assert_eq!((tally.counts.len(), tally.marks.len()), (1, 256));
        let highest = |register| {
            let marks = users.iter().map(|user| Mark::of(*user));
            marks.filter(|it| it.register == register).max().unwrap()
        };
        for NameMark { mark, .. } in tally.marks {
            assert_eq!(mark, highest(mark.register));
        }
    }
}
