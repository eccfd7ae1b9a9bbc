//! Crash tests: the real program under load over HTTP is killed or cut off from its disk, started
//! again and checked. No acknowledged change may be lost, no change may be half there, and every
//! start must succeed.
//!
//! `DOORWARD_CRASH_ROUNDS` is the number of rounds (default 5; the long run uses 100),
//! `DOORWARD_CRASH_SEED` repeats the random numbers of a run, `DOORWARD_BINARY` is the program
//! (default: the one that cargo has built). `tests/power_cut.sh` runs the same load and the same
//! checks on a file system that it shuts down; `tests/full_disk.sh` fills up a file system.

#[cfg(test)]
mod client;
#[cfg(test)]
mod dice;
#[cfg(test)]
mod full_disk;
#[cfg(test)]
mod judge;
#[cfg(test)]
mod ledger;
#[cfg(test)]
mod load;
#[cfg(test)]
mod mailbox;
#[cfg(test)]
mod moment;
#[cfg(test)]
mod once;
#[cfg(test)]
mod rounds;
#[cfg(test)]
mod settle;
#[cfg(test)]
mod store;
#[cfg(test)]
mod subject;
#[cfg(test)]
mod trail;
