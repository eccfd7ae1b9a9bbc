//! Mail that waits, in the admin API.

use serde_json::{Value, json};

use crate::harness::{Actor, Server, seconds};

fn mails(admin: &Actor) -> Vec<Value> {
    let page = admin.get("/api/admin/outbox").gives(200).json();
    page["mails"].as_array().unwrap().clone()
}

#[test]
fn mails_are_listed_tried_at_once_and_dropped() {
    let server = Server::start();
    let admin = server.admin();
    for name in ["ana", "ben", "cleo"] {
        server.user(&format!("{name}@example.org"));
        server.anyone().ask_reset(&format!("{name}@example.org"));
        server.pass(seconds(1));
    }
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let page = admin
            .get(&format!("/api/admin/outbox?limit=1{cursor}"))
            .gives(200)
            .json();
        found.extend(page["mails"].as_array().unwrap().iter().cloned());
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => break,
        }
    }
    assert_eq!(found, mails(&admin));
    let to: Vec<&Value> = found.iter().map(|it| &it["to"]).collect();
    assert_eq!(
        to,
        ["ana@example.org", "ben@example.org", "cleo@example.org"]
    );
    assert_eq!(
        (&found[0]["kind"], &found[0]["attempts"]),
        (&json!("reset"), &json!(0))
    );

    let path = |mail: &Value| format!("/api/admin/outbox/{}", mail["id"].as_str().unwrap());
    admin.delete(&path(&found[1])).gives(204);
    admin.delete(&path(&found[1])).gives(404);
    admin
        .post(&format!("{}/retry", path(&found[0])), json!({}))
        .gives(202);
    admin
        .post(&format!("{}/retry", path(&found[1])), json!({}))
        .gives(404);
    // The one that was tried again is due now, behind the one that was due before.
    let left: Vec<String> = mails(&admin)
        .iter()
        .map(|it| it["to"].to_string())
        .collect();
    assert_eq!(left, ["\"cleo@example.org\"", "\"ana@example.org\""]);
    assert_eq!(server.deliver_mails().len(), 2);
    assert_eq!(mails(&admin), [json!(null); 0]);
    let audit = admin
        .get("/api/admin/audit?action=drop_mail")
        .gives(200)
        .json();
    assert_eq!(
        audit["entries"][0]["target"],
        json!("reset to ben@example.org")
    );
    admin.get("/api/admin/outbox?cursor=AAAA").gives(400);
}
