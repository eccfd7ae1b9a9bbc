//! Tests of malformed requests and badly behaved clients, over real sockets: each test writes the
//! bytes of its requests and states the answers that it expects.

mod activated;
mod check;
mod control;
mod crowd;
mod damaged;
mod dual;
mod ended;
mod first_run;
mod garbage;
mod gone;
mod handed_over;
mod invite;
mod line;
mod log;
mod memory;
mod metrics;
mod modes;
pub(crate) mod moment;
mod notify;
mod operate;
mod output;
mod pace;
mod process;
mod protocol;
mod reload;
mod signals;
mod tls;
