//! Finds the route for a path with a trie of path segments that is built once at startup. Paths are
//! compared exactly as sent: ASCII only, no percent-decoding, no dot segments resolved. Only one
//! extra slash at the end is ignored.

use std::sync::Arc;

use super::path_params::{Params, segments};
use super::{Api, Error, ErrorRenderer, Method, RenderedError, Route};

/// All routes of all APIs, as a tree of path segments.
pub struct Router {
    nodes: Vec<Node>,
    apis: Vec<&'static Api>,
}

/// A route, and its place in [`Router::routes`].
#[derive(Clone, Copy)]
pub struct NumberedRoute {
    /// The route.
    pub route: &'static Route,
    /// Its place.
    pub number: usize,
}

/// One segment in the tree. The first node is the root.
#[derive(Default)]
struct Node {
    children: Vec<(&'static str, usize)>,
    parameter: Option<usize>,
    resource: Option<Resource>,
    owner: Option<&'static Api>,
}

/// The routes of one path.
pub struct Resource {
    routes: [Option<NumberedRoute>; Method::ALL.len()],
    allow: Arc<str>,
}

/// The result of a lookup. An unknown path also has an error renderer: that of the API whose paths
/// are nearest.
pub struct RouteMatch<'a> {
    /// Renders errors for this path.
    pub render_error: ErrorRenderer,
    /// The routes of the path and its parameters; `None` if no route has this path.
    pub resource: Option<(&'a Resource, Params)>,
}

impl RouteMatch<'_> {
    /// Whether scripts of every origin may read the answers at this path.
    pub fn is_public(&self) -> bool {
        self.resource.as_ref().is_some_and(|(it, _)| it.is_public())
    }
}

impl Router {
    /// A router for these APIs. No two routes may have the same method and path: debug builds
    /// panic, release builds serve the first.
    pub fn new(apis: &[&'static Api]) -> Router {
        let mut router = Router {
            nodes: vec![Node::default()],
            apis: apis.to_vec(),
        };
        let mut first = 0;
        for &api in apis {
            for mount in api.mounts {
                for (route, number) in api.routes.iter().zip(first..) {
                    router.insert(api, mount, NumberedRoute { route, number });
                }
            }
            first += api.routes.len();
        }
        router.settle_owners();
        router
    }

    /// All routes, each with its API.
    pub fn routes(&self) -> impl Iterator<Item = (&'static Api, &'static Route)> {
        self.apis
            .iter()
            .flat_map(|&api| api.routes.iter().map(move |route| (api, route)))
    }

    /// Looks up `path`. A literal segment takes precedence over a parameter. Does not allocate.
    pub fn find(&self, path: &str) -> RouteMatch<'_> {
        let mut here = self.nodes.first();
        let mut owner = here.and_then(|node| node.owner);
        let mut params = Params::default();
        if !path.starts_with('/') {
            here = None;
        }
        let mut start = 1;
        for segment in segments(path) {
            here = here.and_then(|node| self.step(node, segment, start, &mut params));
            let Some(node) = here else { break };
            owner = node.owner.or(owner);
            start += segment.len() + 1;
        }
        let resource = here.and_then(|node| node.resource.as_ref());
        RouteMatch {
            render_error: owner
                .or(self.apis.first().copied())
                .map_or(plain, |api| api.render_error),
            resource: resource.map(|resource| (resource, params)),
        }
    }

    fn step(&self, node: &Node, segment: &str, start: usize, params: &mut Params) -> Option<&Node> {
        if let Some((_, child)) = node.children.iter().find(|(name, _)| *name == segment) {
            return self.nodes.get(*child);
        }
        let child = node.parameter.filter(|_| can_be_parameter(segment))?;
        params.push(start, start + segment.len())?;
        self.nodes.get(child)
    }

    fn insert(&mut self, api: &'static Api, mount: &'static str, numbered: NumberedRoute) {
        let route = numbered.route;
        let mut at = 0;
        for segment in segments(mount).chain(segments(route.path)) {
            at = self.child(at, segment);
        }
        let Some(node) = self.nodes.get_mut(at) else {
            return;
        };
        let resource = node.resource.get_or_insert_with(Resource::empty);
        if let Some(slot @ None) = resource.routes.get_mut(route.method as usize) {
            *slot = Some(numbered);
        } else {
            debug_assert!(
                false,
                "{} {} is there twice",
                route.method.as_str(),
                route.path
            );
        }
        resource.allow = resource.allowed();
        node.owner.get_or_insert(api);
    }

    fn child(&mut self, parent: usize, segment: &'static str) -> usize {
        let new = self.nodes.len();
        let Some(node) = self.nodes.get_mut(parent) else {
            return parent;
        };
        let child = if segment.starts_with('{') {
            *node.parameter.get_or_insert(new)
        } else if let Some((_, child)) = node.children.iter().find(|(name, _)| *name == segment) {
            *child
        } else {
            node.children.push((segment, new));
            new
        };
        if child == new {
            self.nodes.push(Node::default());
        }
        child
    }

    /// Assigns an owner to each node where no route ends: the API below it, if there is only one.
    /// With several APIs below, the node has no owner and `find` uses the owner of an ancestor.
    /// Children come after their parents in `nodes`, so one backward pass visits them first.
    fn settle_owners(&mut self) {
        let mut below: Vec<Below> = Vec::new();
        below.resize_with(self.nodes.len(), || Below::Nobody);
        for at in (0..self.nodes.len()).rev() {
            let Some(node) = self.nodes.get(at) else {
                continue;
            };
            let children = node
                .children
                .iter()
                .map(|(_, child)| *child)
                .chain(node.parameter);
            let all = children
                .filter_map(|child| below.get(child).copied())
                .fold(Below::Nobody, Below::and);
            let owner = node.owner.or(all.only());
            let all = node.owner.map_or(all, |api| all.and(Below::Only(api)));
            if let (Some(node), Some(slot)) = (self.nodes.get_mut(at), below.get_mut(at)) {
                node.owner = owner;
                *slot = all;
            }
        }
    }
}

/// The APIs whose routes end at a node or below it.
#[derive(Clone, Copy)]
enum Below {
    Nobody,
    Only(&'static Api),
    Several,
}

impl Below {
    fn and(self, other: Below) -> Below {
        match (self, other) {
            (Below::Nobody, it) | (it, Below::Nobody) => it,
            (Below::Only(a), Below::Only(b)) if a.name == b.name => self,
            _ => Below::Several,
        }
    }

    fn only(self) -> Option<&'static Api> {
        if let Below::Only(api) = self {
            Some(api)
        } else {
            None
        }
    }
}

impl Resource {
    fn empty() -> Resource {
        Resource {
            routes: [None; Method::ALL.len()],
            allow: "".into(),
        }
    }

    /// The route for `method`, if the path has one.
    pub fn route(&self, method: Method) -> Option<NumberedRoute> {
        self.routes.get(method as usize).copied().flatten()
    }

    fn is_public(&self) -> bool {
        let mut routes = self.routes.iter().flatten();
        routes.any(|it| it.route.responses.iter().any(|it| it.public))
    }

    /// The supported methods, in the format of the `Allow` header.
    pub fn allow(&self) -> &Arc<str> {
        &self.allow
    }

    fn allowed(&self) -> Arc<str> {
        let mut text = String::new();
        for method in Method::ALL
            .into_iter()
            .filter(|&method| self.route(method).is_some())
        {
            text.push_str(method.as_str());
            text.push_str(if method == Method::Get {
                ", HEAD, "
            } else {
                ", "
            });
        }
        text.push_str("OPTIONS");
        text.into()
    }
}

/// A parameter is printable ASCII as sent: no percent-encoding, no dot segment.
fn can_be_parameter(segment: &str) -> bool {
    let plain = |byte: u8| byte.is_ascii_graphic() && byte != b'%';
    !segment.is_empty() && segment != "." && segment != ".." && segment.bytes().all(plain)
}

/// Renders errors of paths that no API owns, as plain text.
fn plain(error: &Error) -> RenderedError {
    RenderedError::text(error.status(), error.message().to_owned())
}

#[cfg(test)]
mod tests {
    use hyper::StatusCode;

    use super::*;
    use crate::http::{ErrorCode, Handler, Reply, RequestBody, RequestQuery, ResponseSpec};

    const fn route(method: Method, path: &'static str) -> Route {
        let run = Handler::Open(|_| Box::pin(async { Ok(Reply::empty(204)) }));
        let responses = const { &[ResponseSpec::empty(204, "Done.")] };
        Route {
            name: path,
            method,
            path,
            query: RequestQuery::NONE,
            body: RequestBody::Nothing,
            responses,
            errors: &[],
            run,
            about: "",
        }
    }

    fn says(name: &'static str) -> RenderedError {
        RenderedError::text(StatusCode::OK, name.to_owned())
    }

    static HUB: Api = Api {
        name: "hub",
        mounts: &[""],
        routes: &[route(Method::Get, "/"), route(Method::Post, "/login")],
        render_error: |_| says("hub"),
    };
    static CORE: Api = Api {
        name: "core",
        mounts: &[""],
        routes: &[
            route(Method::Post, "/api/auth"),
            route(Method::Delete, "/api/auth"),
        ],
        render_error: |_| says("core"),
    };
    static SESSIONS: Api = Api {
        name: "sessions",
        mounts: &["", "/mounted"],
        routes: &[
            route(Method::Get, "/v1/user"),
            route(Method::Delete, "/v1/session/{id}"),
            route(Method::Get, "/api/v1/user/{id}/part/{number}"),
        ],
        render_error: |_| says("sessions"),
    };

    fn router() -> Router {
        Router::new(&[&HUB, &CORE, &SESSIONS])
    }

    fn render_error(path: &str) -> String {
        let rendered = (router().find(path).render_error)(&Error::new(ErrorCode::PathNotFound));
        String::from_utf8(rendered.body.to_vec()).unwrap()
    }

    #[test]
    fn a_path_leads_to_its_routes_and_forgives_one_slash() {
        for (path, allow) in [
            ("/", "GET, HEAD, OPTIONS"),
            ("/login", "POST, OPTIONS"),
            ("/login/", "POST, OPTIONS"),
            ("/api/auth", "POST, DELETE, OPTIONS"),
            ("/v1/session/77", "DELETE, OPTIONS"),
            ("/mounted/v1/session/77", "DELETE, OPTIONS"),
        ] {
            let router = router();
            let (resource, _) = router.find(path).resource.unwrap();
            assert_eq!(&**resource.allow(), allow, "{path}");
        }
        let router = router();
        let (resource, _) = router.find("/v1/user").resource.unwrap();
        assert!(resource.route(Method::Get).is_some() && resource.route(Method::Put).is_none());
    }

    #[test]
    fn nothing_is_decoded_resolved_or_skipped() {
        for path in [
            "",
            "*",
            "//",
            "///",
            "/login//",
            "//login",
            "/api",
            "/LOGIN",
            "/login/x",
            "/./login",
            "/x/../login",
            "/%6cogin",
            "/logi\u{f1}",
            "/v1/session",
            "/v1/session/",
            "/v1/session//",
            "/v1/session/..",
            "/v1/session/.",
            "/v1/session/%00",
            "/v1/session/\u{fc}",
            "/v1//user",
        ] {
            assert!(router().find(path).resource.is_none(), "{path:?}");
        }
    }

    #[test]
    fn the_number_of_a_route_is_its_place_among_all() {
        let router = router();
        for (number, (api, route)) in router.routes().enumerate() {
            for mount in api.mounts {
                let path = format!("{mount}{}", route.path);
                let (resource, _) = router.find(&path).resource.unwrap();
                let found = resource.route(route.method).unwrap();
                assert_eq!((found.number, found.route.path), (number, route.path));
            }
        }
    }

    #[test]
    fn parameters_are_found_by_name() {
        let path = "/api/v1/user/a-b/part/7/";
        let router = router();
        let (resource, params) = router.find(path).resource.unwrap();
        let pattern = resource.route(Method::Get).unwrap().route.path;
        assert_eq!(params.get("id", pattern, path), Some("a-b"));
        assert_eq!(params.get("number", pattern, path), Some("7"));
        assert_eq!(params.get("other", pattern, path), None);
        let mounted = "/mounted/v1/session/77";
        let (resource, params) = router.find(mounted).resource.unwrap();
        let pattern = resource.route(Method::Delete).unwrap().route.path;
        assert_eq!(params.get("id", pattern, mounted), Some("77"));
    }

    #[test]
    fn an_unknown_path_has_the_dialect_of_the_api_it_is_nearest_to() {
        for (path, name) in [
            ("/", "hub"),
            ("/nowhere", "hub"),
            ("/api", "hub"),
            ("/api/nothing", "hub"),
            ("/api/auth/nothing", "core"),
            ("/api/v1", "sessions"),
            ("/api/v1/nothing", "sessions"),
            ("/v1//user", "sessions"),
            ("/v1/session/%00", "sessions"),
        ] {
            assert_eq!(render_error(path), name, "{path}");
        }
        assert!(Router::new(&[]).find("/").resource.is_none());
    }
}
