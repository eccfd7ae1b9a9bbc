//! What is counted while the server runs: counters, histograms, and the place where a scrape finds
//! those of requests and connections. Whoever counts owns the counters and adds to them without a
//! lock; a scrape reads them and disturbs nobody. Names and labels of the metrics are the business
//! of `api::metrics`.

mod connections;
mod counter;
mod histogram;
mod logins;
mod refusals;
mod requests;
mod sources;

pub use connections::ConnectionCounts;
pub use counter::Counter;
pub use histogram::{BOUNDS_MICROS, Histogram, HistogramReading};
pub use logins::{LoginOutcome, Logins};
pub use refusals::{Limit, Refusals};
pub use requests::{Requests, RouteLabel, RouteReading, STATUSES};
pub use sources::Sources;
