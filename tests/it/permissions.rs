//! Who may call what: every route of every API with every kind of credential. The table below says
//! it a second time, by hand, so that a forgotten or a wrong check turns the test red.

use std::cell::{Cell, RefCell};
use std::collections::HashMap;

use doorward::http::Method;
use serde_json::json;

use crate::harness::{Actor, Request, Served, Server, days};
use crate::routes::path_of;

/// Who may call a route.
#[derive(Debug, Clone, Copy)]
pub(crate) enum Needs {
    /// Nobody is asked for a token before the handler runs.
    Nothing,
    /// A live token, of a machine one with this scope.
    Live(&'static str),
    /// A token of the hub; the handler refuses others as bad ones.
    Hub,
    /// A token of a user.
    User,
    /// A token of the administrator, or of a machine with this scope.
    Admin(&'static str),
    /// A token of the administrator, and of no machine.
    Person,
}

const TABLE: &[(Needs, &[&str])] = &[
    (
        Needs::Nothing,
        &[
            "hub_root",
            "hub_login",
            "request_token",
            "renew_token",
            "create_token",
            "validate_token",
            "delete_token",
            "about",
            "auth_config",
            "sign_up",
            "log_in",
            "create_access_token",
            "refresh_access_token",
            "revoke_access_token",
            "ask_reset",
            "redeem_reset",
            "jwks",
            "health",
            "docs_page",
            "docs_script",
            "docs_style",
            "openapi_document",
        ],
    ),
    (
        Needs::Live("events:write"),
        &["simple_events", "complex_events"],
    ),
    (Needs::Hub, &["hub_renew"]),
    (
        Needs::User,
        &[
            "read_user",
            "update_user",
            "delete_user",
            "change_password",
            "list_sessions",
            "end_session",
            "list_own_audit",
            "make_own_machine_token",
            "list_own_machine_tokens",
            "end_own_machine_token",
            "graphql",
        ],
    ),
    (
        Needs::Admin("events:read"),
        &[
            "list_events",
            "export_events",
            "listen_to_events",
            "summarize_events",
        ],
    ),
    (
        Needs::Admin("users:read"),
        &["list_users", "show_user", "list_user_tokens"],
    ),
    (Needs::Admin("tokens:verify"), &["introspect_token"]),
    (Needs::Admin("metrics:read"), &["metrics"]),
    (
        Needs::Person,
        &["make_machine_token", "rotate_machine_token"],
    ),
    (
        Needs::Admin("admin"),
        &[
            "erase_events",
            "storage",
            "list_audit",
            "export_audit",
            "listen_to_audit",
            "explain",
            "add_user",
            "edit_user",
            "delete_user_of_id",
            "disable_user",
            "enable_user",
            "set_user_password",
            "make_reset_link",
            "end_user_tokens",
            "list_tokens",
            "show_token",
            "end_token",
            "list_machine_tokens",
            "show_machine_token",
            "end_machine_token",
            "list_outbox",
            "retry_mail",
            "drop_mail",
            "list_waits",
            "lift_wait",
            "show_settings",
            "show_status",
            "list_signing_keys",
            "prepare_signing_key",
            "rotate_signing_key",
            "remove_signing_key",
            "make_invite",
            "list_invites",
            "show_invite",
            "end_invite",
        ],
    ),
];

const SCOPES: [&str; 6] = [
    "events:write",
    "events:read",
    "users:read",
    "tokens:verify",
    "metrics:read",
    "admin",
];

/// What a client shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub(crate) enum Shows {
    Nothing,
    Garbage,
    Expired,
    ExpiredAccess,
    Ended,
    DisabledUser,
    User,
    Hub,
    Admin,
    Machine(&'static str),
    /// A machine token with all scopes, used from outside its networks.
    Outside,
}

fn credentials() -> Vec<Shows> {
    let mut all = vec![
        Shows::Nothing,
        Shows::Garbage,
        Shows::Expired,
        Shows::ExpiredAccess,
        Shows::Ended,
        Shows::DisabledUser,
        Shows::User,
        Shows::Hub,
        Shows::Admin,
        Shows::Outside,
    ];
    all.extend(SCOPES.map(Shows::Machine));
    all
}

/// The answer that the check must give; none: the handler runs.
pub(crate) fn refusal(api: &str, needs: Needs, shows: Shows) -> Option<u16> {
    // A bad session is unknown in the words of Ephemeride.
    let bad = if api == "ephemeride" { 404 } else { 401 };
    let refused_unless = |may: bool, status| (!may).then_some(status);
    match (needs, shows) {
        (Needs::Nothing, _) => None,
        (_, Shows::Nothing | Shows::ExpiredAccess) => Some(401),
        (_, Shows::Garbage | Shows::Expired | Shows::Ended | Shows::DisabledUser) => Some(bad),
        (_, Shows::Outside) => Some(403),
        (Needs::Live(scope), Shows::Machine(has)) => refused_unless(scope == has, 403),
        (Needs::Admin(scope), Shows::Machine(has)) => {
            refused_unless(scope == has || has == "admin", 403)
        }
        (Needs::Hub | Needs::User | Needs::Person, Shows::Machine(_)) => refused_unless(false, 403),
        (Needs::Live(_), Shows::User | Shows::Hub | Shows::Admin) => refused_unless(true, 403),
        (Needs::Hub, _) => refused_unless(shows == Shows::Hub, 401),
        (Needs::User, _) => refused_unless(shows == Shows::User, 403),
        (Needs::Admin(_) | Needs::Person, _) => refused_unless(shows == Shows::Admin, 403),
    }
}

/// Makes credentials, and keeps them until a request may have ended them.
struct Keys {
    server: Server,
    admin: Actor,
    made: RefCell<HashMap<Shows, Actor>>,
    count: Cell<usize>,
}

impl Keys {
    fn new() -> Keys {
        let server =
            Server::with("tokens.machine_tokens = 10000\ntokens.user_machine_tokens = true");
        let old = server.user("old@example.org");
        let session = old.session();
        server.pass(days(31));
        let access = old.access();
        server.pass(days(1));
        let admin = server.admin();
        let expired = [(Shows::Expired, session), (Shows::ExpiredAccess, access)];
        let made = RefCell::new(HashMap::from(expired));
        Keys {
            server,
            admin,
            made,
            count: Cell::new(0),
        }
    }

    fn next(&self) -> usize {
        self.count.set(self.count.get() + 1);
        self.count.get()
    }

    fn user(&self) -> crate::harness::User {
        self.server
            .user(&format!("user{}@example.org", self.next()))
    }

    fn machine(&self, scopes: &[&str], networks: &[&str]) -> Actor {
        let name = format!("machine-{}", self.next());
        let networks = Some(networks).filter(|them| !them.is_empty());
        let asked = json!({"name": name, "scopes": scopes, "networks": networks});
        let made = self.admin.post("/api/admin/machine-tokens", asked);
        let secret = made.gives(201).string("/token");
        self.server.anyone().with_token(&secret)
    }

    fn make(&self, shows: Shows) -> Actor {
        match shows {
            Shows::Nothing => self.server.anyone(),
            Shows::Garbage => self.server.anyone().with_token("no token at all"),
            Shows::Expired | Shows::ExpiredAccess => panic!("made at the start"),
            Shows::Ended => {
                let session = self.user().session();
                session.delete("/api/auth").gives(204);
                session
            }
            Shows::DisabledUser => {
                let user = self.user();
                let session = user.session();
                let path = format!("/api/admin/users/{}/disable", user.id);
                self.admin.post(&path, "").gives(200);
                session
            }
            Shows::User => self.user().session(),
            Shows::Hub => self.server.hub(),
            Shows::Admin => self.server.admin(),
            Shows::Machine(scope) => self.machine(&[scope], &[]),
            Shows::Outside => self.machine(&SCOPES, &["10.0.0.0/8"]),
        }
    }

    fn get(&self, shows: Shows) -> Actor {
        if let Some(made) = self.made.borrow().get(&shows) {
            return made.clone();
        }
        let made = self.make(shows);
        self.made.borrow_mut().insert(shows, made.clone());
        made
    }

    /// Forgets a credential that a request which was let in may have ended.
    fn used_up(&self, shows: Shows) {
        if !matches!(shows, Shows::Expired | Shows::ExpiredAccess) {
            self.made.borrow_mut().remove(&shows);
        }
    }
}

pub(crate) fn needs(served: &Served) -> Needs {
    let name = served.route.name;
    let mut found = TABLE.iter().filter(|(_, names)| names.contains(&name));
    let (needs, _) = found.next().unwrap_or_else(|| panic!("who may {name}?"));
    assert!(found.next().is_none(), "{name} is there twice");
    *needs
}

/// A request without a body. HEAD is judged as GET, and a stream that it starts ends at once.
pub(crate) fn request(served: &Served) -> Request {
    let method = match served.route.method {
        Method::Get => "HEAD",
        method => method.as_str(),
    };
    Request::new(method, &path_of(served))
}

#[test]
fn every_route_lets_in_whom_it_should_and_nobody_else() {
    let keys = Keys::new();
    let mut judged = 0;
    for served in &keys.server.served().routes {
        let needs = needs(served);
        for shows in credentials() {
            let is_expired = matches!(shows, Shows::Expired | Shows::ExpiredAccess);
            if is_expired && matches!(needs, Needs::Nothing) {
                // Some of these exchange or end an expired token, and there is only one.
                continue;
            }
            let status = keys.get(shows).send(request(served)).status();
            let what = format!("{} with {shows:?}", served.route.name);
            match refusal(served.api.name, needs, shows) {
                Some(expected) => assert_eq!(status, expected, "{what}"),
                // A handler may find the token in the body wrong, or no such session.
                None if matches!(needs, Needs::Nothing) => assert_ne!(status, 403, "{what}"),
                None => assert!(status != 401 && status != 403, "{what}: {status}"),
            }
            if served.route.method != Method::Get {
                keys.used_up(shows);
            }
            judged += 1;
        }
    }
    assert!(judged > 1_000, "{judged}");
}
