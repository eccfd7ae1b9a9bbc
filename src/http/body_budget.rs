//! Bounds the memory of request bodies. All bodies together share one budget, which is taken as
//! bytes arrive, whatever length was announced, and given back when the last reference to the body
//! is dropped.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, Mutex};

use hyper::body::Bytes;

use super::{Error, ErrorCode};
use crate::config::Config;
use crate::metrics::Limit;
use crate::model::network;
use crate::sync::lock;

/// Bodies get `storage.memory_budget` divided by this. The store's caches take the other three
/// quarters.
const BUDGET_SHARE: u64 = 4;
/// One network gets the budget divided by this, so that nobody can keep all others from sending
/// long bodies.
const NETWORK_SHARE: usize = 2;
/// A body of at most so many bytes takes nothing of the budget, so that logins and single events
/// are read while the budget is used up. The number of connections bounds these bytes.
pub(super) const FREE_BYTES: usize = 4 * 1024;

/// The memory for the bodies of all requests.
#[derive(Default)]
pub(super) struct BodyBudget {
    taken: Mutex<Taken>,
}

/// How many bytes of it may be in use.
#[derive(Clone, Copy)]
pub(super) struct BudgetBounds {
    most: usize,
    most_of_network: usize,
}

/// Bytes in use.
#[derive(Default)]
struct Taken {
    all: usize,
    networks: HashMap<IpAddr, usize>,
}

/// What one body has taken; dropping it gives the bytes back.
pub(super) struct BodyShare {
    budget: Arc<BodyBudget>,
    bounds: BudgetBounds,
    network: IpAddr,
    bytes: usize,
}

impl BudgetBounds {
    /// A share of the memory budget, but always room for one body of the greatest permitted length.
    pub(super) fn of(config: &Config) -> BudgetBounds {
        let longest = config.limits.body.max(config.limits.event_body);
        let quarter = config.storage.memory_budget / BUDGET_SHARE;
        let most = usize::try_from(quarter).unwrap_or(usize::MAX).max(longest);
        BudgetBounds {
            most,
            most_of_network: (most / NETWORK_SHARE).max(longest),
        }
    }
}

impl BodyBudget {
    /// A share for the body of a request from `client`; it has taken nothing yet.
    pub(super) fn share(self: &Arc<BodyBudget>, bounds: BudgetBounds, client: IpAddr) -> BodyShare {
        BodyShare {
            budget: Arc::clone(self),
            bounds,
            network: network(client),
            bytes: 0,
        }
    }

    fn take(&self, bounds: BudgetBounds, network: IpAddr, more: usize) -> Result<(), Error> {
        let mut taken = lock(&self.taken);
        let of_network = taken.networks.get(&network).copied().unwrap_or_default();
        if taken.all + more > bounds.most || of_network + more > bounds.most_of_network {
            let cause = "the memory for request bodies is used up";
            return Err(Error::new(ErrorCode::Busy)
                .refused_by(Limit::BodyMemory)
                .caused_by(cause));
        }
        taken.all += more;
        taken.networks.insert(network, of_network + more);
        Ok(())
    }

    fn give_back(&self, network: IpAddr, bytes: usize) {
        let mut taken = lock(&self.taken);
        taken.all -= bytes;
        if let Some(of_network) = taken.networks.get_mut(&network) {
            *of_network -= bytes;
            if *of_network == 0 {
                taken.networks.remove(&network);
            }
        }
    }
}

impl BodyShare {
    /// Takes bytes until the share covers a body that occupies `bytes` of memory. Error: `Busy` if
    /// the budget, or the part of it that one network may use, is used up.
    pub(super) fn cover(&mut self, bytes: usize) -> Result<(), Error> {
        if bytes > FREE_BYTES && bytes > self.bytes {
            self.budget
                .take(self.bounds, self.network, bytes - self.bytes)?;
            self.bytes = bytes;
        }
        Ok(())
    }

    /// The body; the share lives until the last reference to it is dropped.
    pub(super) fn attach(self, body: Bytes) -> Bytes {
        if self.bytes == 0 {
            return body;
        }
        Bytes::from_owner(Covered { body, _share: self })
    }
}

impl Drop for BodyShare {
    fn drop(&mut self) {
        if self.bytes > 0 {
            self.budget.give_back(self.network, self.bytes);
        }
    }
}

/// A body with its share of the budget.
struct Covered {
    body: Bytes,
    _share: BodyShare,
}

impl AsRef<[u8]> for Covered {
    fn as_ref(&self) -> &[u8] {
        &self.body
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 64 KiB, of which one network may use 32 KiB.
    const BOUNDS: BudgetBounds = BudgetBounds {
        most: 64 << 10,
        most_of_network: 32 << 10,
    };

    fn share(budget: &Arc<BodyBudget>, client: &str) -> BodyShare {
        budget.share(BOUNDS, client.parse().unwrap())
    }

    #[test]
    fn a_network_has_half_of_the_budget_and_all_networks_have_all_of_it() {
        let budget = Arc::<BodyBudget>::default();
        let mut first = share(&budget, "2001:db8::1");
        let mut neighbour = share(&budget, "2001:db8::2");
        assert!(first.cover(20 << 10).is_ok() && first.cover(32 << 10).is_ok());
        assert_eq!(
            neighbour.cover(5 << 10).unwrap_err().code(),
            ErrorCode::Busy
        );
        let mut second = share(&budget, "192.0.2.1");
        assert!(second.cover(32 << 10).is_ok());
        let mut third = share(&budget, "192.0.2.2");
        assert!(third.cover(5 << 10).is_err() && third.cover(FREE_BYTES).is_ok());
        drop(first);
        assert!(neighbour.cover(5 << 10).is_ok() && third.cover(5 << 10).is_ok());
    }

    #[test]
    fn a_body_gives_its_bytes_back_with_its_last_reference() {
        let budget = Arc::<BodyBudget>::default();
        let mut share = share(&budget, "192.0.2.1");
        share.cover(6000).unwrap();
        let body = share.attach(Bytes::from(vec![7; 6000]));
        let part = body.slice(10..20);
        drop(body);
        assert_eq!(lock(&budget.taken).all, 6000);
        drop(part);
        let taken = lock(&budget.taken);
        assert!(taken.all == 0 && taken.networks.is_empty());
    }
}
