//! Reads all events and counts back from a store.

use std::collections::BTreeMap;

use doorward::model::{Event, EventCounts, EventQuery, Order, Timestamp};
use doorward::store::{EventStore, Result};

/// All events from a moment on, oldest first, page by page.
pub(crate) async fn events_from(store: &dyn EventStore, from: Timestamp) -> Result<Vec<Event>> {
    let mut query = EventQuery {
        from: Some(from),
        ..EventQuery::all(Order::Ascending)
    };
    let mut events = Vec::new();
    loop {
        let page = store.read_events(query.clone()).await?;
        events.extend(page.events.into_iter().map(|(_, event)| event));
        query.after = page.next;
        if query.after.is_none() {
            return Ok(events);
        }
    }
}

/// Counts by hour and name.
pub(crate) fn by_hour_and_name(counted: &EventCounts) -> BTreeMap<(u32, String), u64> {
    let names = &counted.names;
    let hours = counted.hours.iter();
    let counts = hours.flat_map(|it| it.counts.iter().map(|count| (it.hour, count)));
    counts
        .map(|(hour, it)| ((hour, names[it.name as usize].clone()), it.count))
        .collect()
}
