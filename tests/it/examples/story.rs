//! The story: every endpoint is asked once, and answers with success.

use serde_json::{Value, json};

use super::transcript::Transcript;
use crate::harness::{PASSWORD, hours, seconds};

const NONE: Value = Value::Null;

/// Tells it.
pub(super) fn tell(to: &mut Transcript) {
    strangers(to);
    ephemeride(to);
    angen(to);
    core(to);
    hub(to);
    administrator(to);
    users(to);
    machines(to);
    tokens_and_keys(to);
    invites_and_mail(to);
    watching(to);
    events(to);
    goodbye(to);
}

/// What needs no token.
fn strangers(to: &mut Transcript) {
    for path in [
        "/",
        "/api",
        "/healthz",
        "/v1/auth/config",
        "/.well-known/jwks.json",
        "/docs",
        "/docs/page.css",
        "/docs/page.js",
        "/openapi.json",
    ] {
        to.ask("", &format!("GET {path}"), NONE, 200);
    }
}

fn ephemeride(to: &mut Transcript) {
    let ana = json!({"name": "Ana Gil", "email": "ana@example.org", "password": PASSWORD});
    let session = to.ask("", "POST /v1/user", ana, 201);
    to.keep("ana", &session, "/user_id");
    to.hold("ana's session", &session, "/id");
    let login = json!({"email": "ana@example.org", "password": PASSWORD});
    let other = to.ask("", "POST /v1/auth", login, 201);
    to.hold("ana's tablet", &other, "/id");
    to.ask("ana's session", "GET /v1/user", NONE, 200);
    let change = json!({"name": "Ana G.", "email": "ana@example.org"});
    to.ask("ana's session", "PATCH /v1/user", change, 204);
    let sessions = to.ask("ana's session", "GET /v1/sessions", NONE, 200);
    let listed = sessions.json();
    let other = listed
        .as_array()
        .unwrap()
        .iter()
        .position(|it| it["current"] == false);
    to.keep("tablet", &sessions, &format!("/{}/id", other.unwrap()));
    to.ask("ana's session", "DELETE /v1/session/{tablet}", NONE, 204);
    let machine = to.ask(
        "ana's session",
        "POST /v1/machine-tokens",
        json!({"name": "phone", "networks": ["10.0.0.0/24"]}),
        201,
    );
    to.keep("phone", &machine, "/id");
    to.ask("ana's session", "GET /v1/machine-tokens", NONE, 200);
    to.ask(
        "ana's session",
        "DELETE /v1/machine-tokens/{phone}",
        NONE,
        204,
    );
    to.ask("ana's session", "GET /v1/audit?limit=1", NONE, 200);
    let body = json!({"current_password": PASSWORD, "password": "four other random words"});
    to.ask("ana's session", "PATCH /v1/user/password", body, 204);
}

fn angen(to: &mut Transcript) {
    let login =
        json!({"id": "{ana}", "password": "four other random words", "user_agent": "some client"});
    let pair = to.ask("", "POST /api/request_token", login, 201);
    to.hold("ana's client", &pair, "/token/identifier_code");
    to.keep("renewal", &pair, "/token/renewal_code");
    let renewal = json!({"renewal_code": "{renewal}"});
    let pair = to.ask("ana's client", "POST /api/renew_token", renewal, 201);
    to.hold("ana's client", &pair, "/token/identifier_code");
    let simple = json!({"events": [{"name": "started"}]});
    to.ask(
        "ana's client",
        "POST /api/events/simple_clientapp",
        simple,
        201,
    );
    let complex = json!({"events": [{"name": "started", "details": {"version": "1.0"}}]});
    to.ask(
        "ana's client",
        "POST /api/events/complex_clientapp",
        complex,
        201,
    );
}

fn core(to: &mut Transcript) {
    let login = json!({"email": "ana@example.org", "password": "four other random words"});
    let token = to.ask("", "POST /api/auth", login, 200);
    to.hold("ana's page", &token, "/token");
    let token = to.ask("ana's page", "POST /api/auth/refresh", NONE, 200);
    to.hold("ana's page", &token, "/token");
    to.ask(
        "ana's page",
        "POST /api/graphql",
        json!({"query": "{ me { id } }"}),
        501,
    );
    to.ask("ana's page", "DELETE /api/auth", NONE, 204);
    to.ask(
        "",
        "POST /api/password",
        json!({"email": "ana@example.org"}),
        201,
    );
    let mails = to.server.deliver_mails();
    let mail = mails
        .iter()
        .find(|it| it.header("Subject").starts_with("Reset"));
    let code = mail.unwrap().code();
    to.note("code", &code);
    let reset = json!({
        "token": "{code}",
        "password": "five random words for ana",
        "password_confirmation": "five random words for ana",
    });
    to.ask("", "PATCH /api/password", reset, 200);
}

fn hub(to: &mut Transcript) {
    let token = to.ask(
        "",
        "POST /login",
        json!({"password": crate::harness::HUB_PASSWORD}),
        200,
    );
    to.hold("the hub", &token, "/token");
    let token = to.ask("the hub", "GET /renew", NONE, 200);
    to.hold("the hub", &token, "/token");
}

fn administrator(to: &mut Transcript) {
    let login = json!({"username": "admin", "password": crate::harness::ADMIN_PASSWORD});
    let token = to.ask("", "POST /api/token", login, 200);
    to.hold("admin", &token, "/token");
    to.ask("", "GET /api/token?token={admin}", NONE, 200);
}

fn users(to: &mut Transcript) {
    let ben = json!({"name": "Ben", "email": "ben@example.org"});
    let ben = to.ask("admin", "POST /api/admin/users", ben, 201);
    to.keep("ben", &ben, "/id");
    to.ask("admin", "GET /api/admin/users?q=be", NONE, 200);
    to.ask("admin", "GET /api/admin/users/{ben}", NONE, 200);
    to.ask(
        "admin",
        "PATCH /api/admin/users/{ben}",
        json!({"name": "Benjamin"}),
        200,
    );
    to.ask("admin", "POST /api/admin/users/{ben}/disable", NONE, 200);
    to.ask("admin", "POST /api/admin/users/{ben}/enable", NONE, 200);
    to.ask(
        "admin",
        "POST /api/admin/users/{ben}/reset-link",
        json!({"lifetime_seconds": 3_600}),
        201,
    );
    let password = json!({"password": "four words for ben"});
    to.ask(
        "admin",
        "POST /api/admin/users/{ben}/password",
        password,
        204,
    );
    let login = json!({"email": "ben@example.org", "password": "four words for ben"});
    let session = to.server.anyone().post("/v1/auth", login).gives(201);
    to.hold("ben's session", &session, "/id");
    to.ask("admin", "GET /api/admin/users/{ben}/tokens", NONE, 200);
    to.ask("admin", "DELETE /api/admin/users/{ben}/tokens", NONE, 204);
    to.ask("admin", "DELETE /api/admin/users/{ben}", NONE, 204);
}

fn machines(to: &mut Transcript) {
    let asked = json!({"name": "probe", "scopes": ["tokens:verify", "metrics:read"]});
    let made = to.ask("admin", "POST /api/admin/machine-tokens", asked, 201);
    to.keep("probe's id", &made, "/id");
    to.hold("probe", &made, "/token");
    let rotate = "POST /api/admin/machine-tokens/{probe's id}/rotate";
    let rotated = to.ask("admin", rotate, json!({"overlap_seconds": 3_600}), 201);
    to.keep("new probe's id", &rotated, "/id");
    to.ask("admin", "GET /api/admin/machine-tokens", NONE, 200);
    to.ask(
        "admin",
        "GET /api/admin/machine-tokens/{new probe's id}",
        NONE,
        200,
    );
    to.ask(
        "probe",
        "POST /api/admin/introspect",
        json!({"token": "{admin}"}),
        200,
    );
    to.ask("probe", "GET /metrics", NONE, 200);
    to.ask(
        "admin",
        "DELETE /api/admin/machine-tokens/{new probe's id}",
        NONE,
        204,
    );
}

fn tokens_and_keys(to: &mut Transcript) {
    let listed = to.ask("admin", "GET /api/admin/tokens?holder=hub", NONE, 200);
    to.keep("hub's id", &listed, "/tokens/0/id");
    to.ask("admin", "GET /api/admin/tokens/{hub's id}", NONE, 200);
    to.ask("admin", "DELETE /api/admin/tokens/{hub's id}", NONE, 204);
    let keys = to.ask("admin", "GET /api/admin/signing-keys", NONE, 200);
    to.keep("old key", &keys, "/signing_keys/0/id");
    to.ask("admin", "POST /api/admin/signing-key/next", NONE, 201);
    to.ask("admin", "POST /api/admin/signing-key/rotate", NONE, 200);
    to.ask(
        "admin",
        "DELETE /api/admin/signing-keys/{old key}",
        NONE,
        204,
    );
}

fn invites_and_mail(to: &mut Transcript) {
    let invite = json!({"uses": 2, "note": "the choir", "lifetime_seconds": 86_400});
    let made = to.ask("admin", "POST /api/admin/invites", invite, 201);
    to.keep("invite", &made, "/id");
    to.ask("admin", "GET /api/admin/invites", NONE, 200);
    to.ask("admin", "GET /api/admin/invites/{invite}", NONE, 200);
    to.ask("admin", "DELETE /api/admin/invites/{invite}", NONE, 204);
    to.server.anyone().ask_reset("ana@example.org");
    to.server.pass(seconds(1));
    let listed = to.ask("admin", "GET /api/admin/outbox", NONE, 200);
    let mails = listed.json();
    let at = mails["mails"]
        .as_array()
        .unwrap()
        .iter()
        .position(|it| it["kind"] == "reset");
    to.keep("mail", &listed, &format!("/mails/{}/id", at.unwrap()));
    to.ask("admin", "POST /api/admin/outbox/{mail}/retry", NONE, 202);
    to.ask("admin", "DELETE /api/admin/outbox/{mail}", NONE, 204);
}

fn watching(to: &mut Transcript) {
    to.ask("admin", "GET /api/admin/status", NONE, 200);
    to.ask("admin", "GET /api/admin/storage", NONE, 200);
    to.ask("admin", "GET /api/admin/settings", NONE, 200);
    to.ask(
        "admin",
        "GET /api/admin/audit?action=rotate_signing_key",
        NONE,
        200,
    );
    to.ask(
        "admin",
        "GET /api/admin/audit/export?action=rotate_signing_key",
        NONE,
        200,
    );
    to.ask("admin", "HEAD /api/admin/audit/live", NONE, 200);
    to.ask(
        "admin",
        "GET /api/admin/explain?email=ana@example.org",
        NONE,
        200,
    );
    let stranger = to.server.anyone().at_address("198.51.100.7");
    for _ in 0..3 {
        let wrong = json!({"email": "ana@example.org", "password": "not the words"});
        stranger.post("/v1/auth", wrong).gives(401);
    }
    let waits = to.ask("admin", "GET /api/admin/limits", NONE, 200);
    to.keep("wait", &waits, "/waits/0/id");
    to.ask("admin", "DELETE /api/admin/limits/{wait}", NONE, 204);
}

fn events(to: &mut Transcript) {
    to.ask("admin", "GET /api/admin/events?limit=1", NONE, 200);
    to.ask(
        "admin",
        "GET /api/admin/events/export?name=started",
        NONE,
        200,
    );
    to.ask(
        "admin",
        "HEAD /api/admin/events/live?name=started",
        NONE,
        200,
    );
    to.ask(
        "admin",
        "GET /api/admin/events/summary?by=month&name=started",
        NONE,
        200,
    );
    to.ask("admin", "DELETE /api/admin/events?name=started", NONE, 200);
}

fn goodbye(to: &mut Transcript) {
    to.server.pass(hours(1));
    let login = json!({"email": "ana@example.org", "password": "five random words for ana"});
    let session = to.server.anyone().post("/v1/auth", login).gives(201);
    to.hold("ana's session", &session, "/id");
    to.ask("ana's session", "DELETE /v1/user", NONE, 204);
    to.ask("admin", "DELETE /api/token", NONE, 200);
}
