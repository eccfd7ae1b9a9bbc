//! Rejection clients, over real sockets: what they send is written out byte by byte, and so is what
//! they must be told.

mod crowd;
mod garbage;
mod gone;
mod line;
mod log;
mod manners;
mod modes;
pub(crate) mod moment;
mod pace;
mod process;
mod signals;
mod tls;
