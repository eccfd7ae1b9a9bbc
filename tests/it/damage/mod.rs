//! Damage is never silent: whatever is done to the files of a store, the next start has everything
//! that was acknowledged, or refuses to start and says why.
//!
//! `DOORWARD_DAMAGE_ROUNDS` says how many bits are flipped (60 if not said; 1000 is the long run),
//! `DOORWARD_DAMAGE_SEED` chooses others.

mod files;
mod flips;
mod judge;
mod left;
mod past;
