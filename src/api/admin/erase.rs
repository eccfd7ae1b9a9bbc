//! `DELETE /api/admin/events`: removes events by user, name and time.

use std::borrow::Cow;

use super::query;
use crate::http::{
    Error, Handler, Method, QueryString, Reply, RequestBody, RequestContext, ResponseSpec, Route,
    json_response,
};
use crate::model::{Erasure, Invalid, Zone};

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
    errors: &[],
    run: Handler::Admin(|request, _| Box::pin(erase(request))),
    about: "Removes events by user, name and time.",
};

json_response! {
    /// `DELETE /api/admin/events`
    struct Erased {
        deleted: u64,
    }
}

/// The allowed parameters. Any other is refused: to ignore a misspelled filter would remove more
/// events than intended.
const PARAMETERS: &[&str] = &["name", "user_id", "before"];

async fn erase(request: RequestContext) -> Result<Reply, Error> {
    let erasure = erasure(&request.query())?;
    let deleted = request.services.erase_events(erasure, request.now).await?;
    Ok(Reply::json(200, &Erased { deleted }))
}

fn erasure(query: &QueryString<'_>) -> Result<Erasure, Invalid> {
    let mut names = query.names();
    if let Some(name) = names.find(|name| !PARAMETERS.contains(&name.as_ref())) {
        let why = "is unknown; events are removed by user_id, name and before";
        return Err(Invalid::new(name.into_owned(), why));
    }
    // An empty value is refused too: to treat it as absent would remove too many events.
    for field in PARAMETERS {
        if query.get(field).is_some_and(|value| value.is_empty()) {
            return Err(Invalid::new(*field, "must not be empty"));
        }
    }
    let what = Erasure {
        name: query.get("name").map(Cow::into_owned),
        subject: query::user(query, "user_id")?,
        before: query::moment(query, "before", Zone::default())?,
    };
    if what == Erasure::default() {
        let why = "is missing: say user_id, name, before, or several of them";
        return Err(Invalid::new("user_id", why));
    }
    Ok(what)
}
