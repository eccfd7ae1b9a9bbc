//! `DELETE /api/admin/events`

use super::FAILS;
use crate::http::{
    Error, Handler, Method, Reply, RequestBody, RequestContext, ResponseSpec, Route, json_response,
};
use crate::service::ErasureRequest;

pub(super) const ROUTE: Route = Route {
    name: "erase_events",
    method: Method::Delete,
    path: "/events",
    body: RequestBody::Nothing,
    responses: &[ResponseSpec::json(
        200,
        Erased::FIELDS,
        "They are gone, and out of the counters.",
    )],
    errors: FAILS,
    run: Handler::Admin(|request, _| Box::pin(erase(request))),
    about: "Removes events by user, name and time.",
};

json_response! {
    /// `DELETE /api/admin/events`
    struct Erased {
        deleted: u64,
    }
}

/// What a request may say. Anything else is a slip that would make it remove more than was meant.
const KNOWN: &[&str] = &["name", "user_id", "before"];

async fn erase(request: RequestContext) -> Result<Reply, Error> {
    if let Some(key) = request
        .query_keys()
        .find(|key| !KNOWN.contains(&key.as_ref()))
    {
        let why = format!("{key}: is unknown; events are removed by user_id, name and before");
        return Err(Error::invalid(why));
    }
    let asked = |name| request.query(name);
    let (name, user_id, before) = (asked("name"), asked("user_id"), asked("before"));
    let erasure = ErasureRequest {
        name: name.as_deref(),
        user_id: user_id.as_deref(),
        before: before.as_deref(),
    };
    let deleted = request.services.erase_events(erasure, request.now).await?;
    Ok(Reply::json(200, &Erased { deleted }))
}
