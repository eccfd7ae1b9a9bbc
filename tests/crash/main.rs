//! Nothing acknowledged is ever lost, nothing is half there, every start succeeds: the real program
//! under load over HTTP, killed or cut off from its disk, started again and judged.
//!
//! `DOORWARD_CRASH_ROUNDS` says how often (5 if not said; 100 is the long run),
//! `DOORWARD_CRASH_SEED` repeats a run's dice, `DOORWARD_BINARY` is the program (the one that cargo
//! has built). `tests/power_cut.sh` runs the same load and the same judge on a file system that it
//! shuts down, `tests/full_disk.sh` fills one up.

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
