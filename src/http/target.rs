//! Decides what answers a request: a route, or the list of methods that OPTIONS asks for.

use std::sync::Arc;

use hyper::http::request::Parts;

use super::request_validation::{self, Rejection};
use super::{Error, ErrorCode, Method, NumberedRoute, Params, RouteMatch};

/// What to do with a request that passed validation.
pub(super) enum Target {
    /// Run this route.
    Run(NumberedRoute, Params),
    /// Answer OPTIONS with these allowed methods.
    Options(Arc<str>),
}

/// Finds the route, or the OPTIONS answer, for a request. Errors: `Invalid`, `MethodNotAllowed`,
/// `PathNotFound`.
pub(super) fn target(
    validated: Result<(), Rejection>,
    parts: &Parts,
    matched: &RouteMatch<'_>,
) -> Result<Target, Error> {
    let resource = matched.resource.as_ref();
    let allow = || {
        resource.map_or(request_validation::EVERY_METHOD.into(), |(resource, _)| {
            Arc::clone(resource.allow())
        })
    };
    match validated {
        Err(Rejection::Malformed(why)) => return Err(Error::invalid(why)),
        Err(Rejection::UnknownMethod) => return Err(Error::wrong_method(allow())),
        Ok(()) => {}
    }
    if parts.method == hyper::Method::OPTIONS {
        // A preflight of an unknown path succeeds, so that the script can read the 404 after it.
        return Ok(Target::Options(allow()));
    }
    let Some((resource, params)) = resource else {
        return Err(Error::new(ErrorCode::PathNotFound));
    };
    let mut methods = Method::answering(&parts.method).iter();
    let route = methods.find_map(|method| resource.route(*method));
    let route = route.ok_or_else(|| Error::wrong_method(Arc::clone(resource.allow())))?;
    Ok(Target::Run(route, *params))
}
