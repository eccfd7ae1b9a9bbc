//! `DELETE /api/admin/events`

use super::FAILS;
use crate::http::{Call, Failure, Gives, Handler, Reply, Route, Takes, Verb, answer};
use crate::service::ErasureRequest;

pub(super) const ROUTE: Route = Route {
    name: "erase_events",
    verb: Verb::Delete,
    path: "/events",
    takes: Takes::Nothing,
    gives: &[Gives::json(
        200,
        Erased::FIELDS,
        "They are gone, and out of the counters.",
    )],
    fails: FAILS,
    run: Handler::Admin(|call, _| Box::pin(erase(call))),
    about: "Removes events by user, name and time.",
};

answer! {
    /// `DELETE /api/admin/events`
    struct Erased {
        deleted: u64,
    }
}

/// What a request may say. Anything else is a slip that would make it remove more than was meant.
const KNOWN: &[&str] = &["name", "user_id", "before"];

async fn erase(call: Call) -> Result<Reply, Failure> {
    if let Some(key) = call.query_keys().find(|key| !KNOWN.contains(&key.as_ref())) {
        let why = format!("{key}: is unknown; events are removed by user_id, name and before");
        return Err(Failure::bad_request(why));
    }
    let asked = |name| call.query(name);
    let (name, user_id, before) = (asked("name"), asked("user_id"), asked("before"));
    let request = ErasureRequest {
        name: name.as_deref(),
        user_id: user_id.as_deref(),
        before: before.as_deref(),
    };
    let deleted = call.services.erase_events(request, call.now).await?;
    Ok(Reply::json(200, &Erased { deleted }))
}
