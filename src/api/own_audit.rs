//! `GET /v1/audit`: what the audit log holds of the account that asks. It stands beside the
//! Ephemeride API, under the same paths and with the same errors.

use super::admin::audit::{self, Page};
use super::ephemeride;
use crate::http::{
    Api, BodySchema, Error, Handler, Method, Reply, RequestBody, RequestContext, RequestQuery,
    ResponseSpec, Route, UserBearer,
};
use crate::model::{AuditQuery, Order};
use crate::service;

/// The API.
pub static API: Api = Api {
    routes: ROUTES,
    ..ephemeride::API
};

const ROUTES: &[Route] = &[Route {
    name: "list_own_audit",
    method: Method::Get,
    path: "/v1/audit",
    query: RequestQuery::Open(&["from", "to", "order", "limit", "cursor"]),
    body: RequestBody::Nothing,
    responses: &[ResponseSpec::new(
        200,
        BodySchema::Json(Page::FIELDS),
        "A page of the entries on the account, and of those that its holder made.",
    )],
    errors: &[],
    run: Handler::User(|request, own| Box::pin(list(request, own))),
    about: "Lists logins, failures and changes of one's own account, the newest first.",
}];

async fn list(request: RequestContext, own: UserBearer) -> Result<Reply, Error> {
    let user = own.user.id;
    let query = AuditQuery {
        user: Some(user),
        ..audit::range(&request.query, Order::Descending)?
    };
    let page = request.services.read_audit(query).await;
    let page = page.map_err(service::Error::from)?;
    Ok(Reply::json(200, &Page::for_user(&page, user)))
}
