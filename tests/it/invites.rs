//! Invites in the admin API.

use serde_json::{Value, json};

use crate::harness::{Actor, Answer, PASSWORD, Server, hours};

const INVITES: &str = "/api/admin/invites";
const SETTINGS: &str = "accounts.invite_required = true
accounts.invites = [\"first\", { code = \"team\", uses = 3 }]";

/// Signs up with a code.
fn join(server: &Server, email: &str, code: &str) -> Answer {
    let body = json!({"name": "Ana", "email": email, "password": PASSWORD, "invite": code});
    server.anyone().post("/v1/user", body)
}

fn listed(admin: &Actor) -> Vec<Value> {
    let page = admin.get(INVITES).gives(200).json();
    page["invites"].as_array().unwrap().clone()
}

#[test]
fn an_invite_to_hand_over_is_shown_once_listed_and_ended() {
    let server = Server::with(SETTINGS);
    let admin = server.admin();
    let asked = json!({"uses": 2, "note": "the choir", "lifetime_seconds": 3_600});
    let made = admin.post(INVITES, asked).gives(201);
    let (id, code) = (made.string("/id"), made.string("/code"));
    assert_eq!(
        made.string("/link"),
        format!("https://door.example.org/signup?invite={code}")
    );
    join(&server, "ana@example.org", &code).gives(201);
    let path = format!("{INVITES}/{id}");
    let shown = admin.get(&path).gives(200).json();
    assert_eq!(
        shown,
        json!({
            "id": id, "source": "admin", "status": "open", "uses": 2, "used": 1,
            "expires_at": made.string("/expires_at"), "email": null, "note": "the choir",
            "created_at": server.now().rfc3339_millis(),
        })
    );
    assert!(listed(&admin).contains(&shown));

    admin.delete(&path).gives(204);
    admin.delete(&path).gives(404);
    admin.get(&path).gives(404);
    join(&server, "ben@example.org", &code).gives(404);
    let why = admin
        .get(&format!("/api/admin/explain?code={code}"))
        .gives(200);
    assert!(
        why.string("/explanation")
            .starts_with("an invite of the administrator, ended")
    );
    let log = admin.get("/api/admin/audit?action=end_invite").gives(200);
    assert_eq!(log.string("/entries/0/target"), id);

    let usual = admin.post(INVITES, json!({})).gives(201);
    server.pass(hours(7 * 24 - 1));
    let admin = server.admin();
    assert_eq!(listed(&admin)[2]["status"], "open");
    server.pass(hours(1));
    assert_eq!(listed(&server.admin())[2]["status"], "expired");
    join(&server, "ben@example.org", &usual.string("/code")).gives(404);
}

#[test]
fn an_invite_by_mail_can_be_ended_before_and_after_it_leaves() {
    let server = Server::with(SETTINGS);
    let admin = server.admin();
    let mailed = |to: &str| {
        let made = admin.post(INVITES, json!({"email": to})).gives(201);
        assert_eq!(
            (&made.json()["code"], &made.json()["link"]),
            (&json!(null), &json!(null))
        );
        format!("{INVITES}/{}", made.string("/id"))
    };
    let waiting = mailed("ana@example.org");
    assert_eq!(
        admin.get(&waiting).gives(200).string("/email"),
        "ana@example.org"
    );
    admin.delete(&waiting).gives(204);
    assert!(server.deliver_mails().is_empty());

    let sent = mailed("ben@example.org");
    let [mail] = server.deliver_mails().try_into().ok().unwrap();
    let link = mail.link();
    let (_, code) = link.split_once("invite=").unwrap();
    admin.delete(&sent).gives(204);
    join(&server, "ben@example.org", code).gives(404);

    // The drop of the mail ends the invite too.
    let dropped = mailed("cleo@example.org");
    let mails = admin.get("/api/admin/outbox").gives(200);
    let path = format!("/api/admin/outbox/{}", mails.string("/mails/0/id"));
    admin.delete(&path).gives(204);
    admin.get(&dropped).gives(404);
}

#[test]
fn invites_of_the_configuration_are_shown_as_such_and_stay() {
    let server = Server::with(SETTINGS);
    let admin = server.admin();
    join(&server, "ana@example.org", "team").gives(201);
    let made: Vec<String> = (0..3)
        .map(|_| {
            server.pass(hours(1));
            admin.post(INVITES, json!({})).gives(201).string("/id")
        })
        .collect();
    let all = listed(&admin);
    let configured: Vec<&Value> = all
        .iter()
        .filter(|it| it["source"] == "configuration")
        .collect();
    assert_eq!(all[..2].iter().collect::<Vec<_>>(), configured);
    let ids: Vec<&Value> = all[2..].iter().map(|it| &it["id"]).collect();
    assert_eq!(ids, made.iter().rev().collect::<Vec<_>>());
    let team = configured.iter().find(|it| it["uses"] == 3).unwrap();
    assert_eq!((&team["used"], &team["note"]), (&json!(1), &json!(null)));
    let path = format!("{INVITES}/{}", team["id"].as_str().unwrap());
    admin.delete(&path).names(409, "accounts.invites");
    assert_eq!(admin.get(&path).gives(200).json(), **team);

    // Page by page it is the same list.
    for limit in 1..=3 {
        let (mut found, mut cursor) = (Vec::new(), String::new());
        loop {
            let page = admin
                .get(&format!("{INVITES}?limit={limit}{cursor}"))
                .gives(200)
                .json();
            found.extend(page["invites"].as_array().unwrap().iter().cloned());
            match page["next"].as_str() {
                Some(next) => cursor = format!("&cursor={next}"),
                None => break,
            }
        }
        assert_eq!(found, all);
    }
}

#[test]
fn what_an_invite_cannot_be_is_refused_with_the_field() {
    let server = Server::start();
    let admin = server.admin();
    for (asked, field) in [
        (json!({"uses": 0}), "uses"),
        (json!({"uses": 1_001}), "uses"),
        (json!({"uses": "2"}), "uses"),
        (json!({"lifetime_seconds": 59}), "lifetime_seconds"),
        (json!({"note": "x".repeat(256)}), "note"),
        (json!({"note": "a\u{7}"}), "note"),
        (json!({"email": "ana"}), "email"),
    ] {
        assert_eq!(
            admin.post(INVITES, asked).gives(400).string("/error/field"),
            field
        );
    }
    for path in ["?cursor=x", "?cursor=bm8", "?limit=0", "?source=admin"] {
        admin.get(&format!("{INVITES}{path}")).gives(400);
    }
    admin.get(&format!("{INVITES}/x")).gives(404);
    let closed = Server::with("accounts.signup = false");
    closed
        .admin()
        .post(INVITES, json!({}))
        .names(403, "Signup is closed");
    let unmailed = Server::with("mail.transport = \"log\"");
    let refused = unmailed
        .admin()
        .post(INVITES, json!({"email": "ana@example.org"}));
    assert_eq!(refused.gives(400).string("/error/field"), "email");
}

#[test]
fn an_expired_invite_is_not_mailed_any_more() {
    let server = Server::start();
    let asked = json!({"email": "ben@example.org", "lifetime_seconds": 60});
    let made = server.admin().post(INVITES, asked).gives(201);
    server.pass(hours(2));
    server.sweep();
    assert!(server.deliver_mails().is_empty());
    let path = format!("{INVITES}/{}", made.string("/id"));
    server.admin().get(&path).gives(404);
}
