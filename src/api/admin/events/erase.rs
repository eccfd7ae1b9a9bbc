//! `DELETE /api/admin/events`: removes events by user, name and time.

use crate::api::admin::query;
use crate::http::{
    Error, Handler, Method, QueryString, Reply, RequestBody, RequestContext, RequestQuery,
    ResponseSpec, Route, json_response,
};
use crate::model::{Erasure, Invalid, Zone};
use crate::service::Administrator;

pub(crate) const ROUTE: Route = Route {
    name: "erase_events",
    method: Method::Delete,
    path: "/events",
    query: RequestQuery::Closed(&["name", "user_id", "before"]),
    body: RequestBody::Nothing,
    responses: &[ResponseSpec::json(
        200,
        Erased::FIELDS,
        "They are gone, and out of the counters.",
    )],
    errors: &[],
    run: Handler::Admin(|request, admin| Box::pin(erase(request, admin))),
    about: "Removes events by user, name and time.",
};

json_response! {
    /// `DELETE /api/admin/events`
    struct Erased {
        deleted: u64,
    }
}

async fn erase(request: RequestContext, admin: Administrator) -> Result<Reply, Error> {
    let erasure = erasure(&request.query)?;
    let by = request.by(&admin);
    let deleted = request.services.erase_events(erasure, by).await?;
    Ok(Reply::json(200, &Erased { deleted }))
}

fn erasure(query: &QueryString) -> Result<Erasure, Invalid> {
    let what = Erasure {
        name: query.get("name").map(str::to_owned),
        subject: query::user(query, "user_id")?,
        before: query::moment(query, "before", Zone::default())?,
    };
    if what == Erasure::default() {
        let why = "is missing: say user_id, name, before, or several of them";
        return Err(Invalid::new("user_id", why));
    }
    Ok(what)
}
