//! Lists of accounts in the admin API, and one account with the use of its tokens.

use serde_json::json;

use crate::harness::{Actor, PASSWORD, Server, hours};

pub(crate) const USERS: &str = "/api/admin/users";

/// Adds an account, and returns its id.
pub(crate) fn add(admin: &Actor, name: &str, email: &str) -> String {
    let new = json!({"name": name, "email": email, "password": PASSWORD});
    admin.post(USERS, new).gives(201).string("/id")
}

/// The addresses of all pages of a list, read `limit` at a time.
pub(crate) fn addresses(admin: &Actor, query: &str, limit: usize) -> Vec<String> {
    let (mut found, mut cursor) = (Vec::new(), String::new());
    loop {
        let path = format!("{USERS}?limit={limit}&{query}{cursor}");
        let page = admin.get(&path).gives(200).json();
        let users = page["users"].as_array().unwrap();
        assert!(users.len() <= limit);
        found.extend(
            users
                .iter()
                .map(|it| it["email"].as_str().unwrap().to_owned()),
        );
        match page["next"].as_str() {
            Some(next) => cursor = format!("&cursor={next}"),
            None => return found,
        }
    }
}

#[test]
fn accounts_are_listed_in_the_order_of_signups_and_found_by_address_and_words_of_the_name() {
    let server = Server::start();
    let admin = server.admin();
    for (name, email) in [
        ("Ana María Gil", "ana@example.org"),
        ("Ben Smith", "smith@example.org"),
        ("Smithers", "waylon@example.org"),
        ("Zoë Ångström", "zoe@example.org"),
    ] {
        add(&admin, name, email);
    }
    let all = ["ana", "smith", "waylon", "zoe"].map(|it| format!("{it}@example.org"));
    let mut back = all.clone();
    back.reverse();
    for limit in 1..=5 {
        assert_eq!(addresses(&admin, "", limit), all);
        assert_eq!(addresses(&admin, "order=desc", limit), back);
        // By address first, then by name, each once.
        assert_eq!(addresses(&admin, "q=SMITH", limit), all[1..3]);
        assert_eq!(addresses(&admin, "q=gil", limit), all[..1]);
        assert_eq!(addresses(&admin, "q=mar%C3%ADa%20g", limit), all[..1]);
        assert_eq!(addresses(&admin, "q=%C3%A5ng", limit), all[3..]);
        assert_eq!(addresses(&admin, "q=example", limit), [""; 0]);
    }
    for (query, field) in [
        ("disabled=yes", "disabled"),
        ("order=up", "order"),
        ("cursor=AAAA", "cursor"),
        ("limit=1001", "limit"),
        ("by=name", "by"),
    ] {
        let refused = admin.get(&format!("{USERS}?{query}")).gives(400).json();
        assert_eq!(refused["error"]["field"], json!(field));
    }
    // The place in one list is none in another.
    let next = admin
        .get(&format!("{USERS}?limit=1"))
        .gives(200)
        .string("/next");
    admin.get(&format!("{USERS}?q=a&cursor={next}")).gives(400);
}

#[test]
fn names_are_found_anew_after_a_change_and_not_after_a_deletion() {
    let server = Server::start();
    let admin = server.admin();
    let id = add(&admin, "Ana Gil", "ana@example.org");
    let one = format!("{USERS}/{id}");
    admin.patch(&one, json!({"name": "Eva Gil"})).gives(200);
    server.restart();
    let admin = server.admin();
    assert_eq!(addresses(&admin, "q=eva", 5).len(), 1);
    assert_eq!(addresses(&admin, "q=gil", 5).len(), 1);
    assert_eq!(addresses(&admin, "q=ana%20gil", 5).len(), 0);
    admin.delete(&one).gives(204);
    assert_eq!(addresses(&admin, "q=gil", 5).len(), 0);
    admin.get(&one).gives(404);
    admin.delete(&one).gives(404);
}

#[test]
fn all_accounts_are_sorted_by_address_or_by_name_page_by_page() {
    let server = Server::start();
    let admin = server.admin();
    for (name, email) in [
        ("Zoë Ana", "cleo@example.org"),
        ("ben b c", "ana@example.org"),
        ("\u{2026}Ben A", "dora@example.org"),
        ("Ángel Zoë", "ben@example.org"),
    ] {
        add(&admin, name, email);
    }
    let named = |names: [&str; 4]| names.map(|it| format!("{it}@example.org"));
    for (sort, mut expected) in [
        ("created", named(["cleo", "ana", "dora", "ben"])),
        ("email", named(["ana", "ben", "cleo", "dora"])),
        // By bytes of the name: letters with accents stand behind the others.
        ("name", named(["dora", "ana", "cleo", "ben"])),
    ] {
        for order in ["asc", "desc"] {
            for limit in 1..=5 {
                let query = format!("sort={sort}&order={order}");
                assert_eq!(addresses(&admin, &query, limit), expected, "{query}");
            }
            expected.reverse();
        }
    }
    for (query, field) in [("sort=id", "sort"), ("sort=email&q=a", "sort")] {
        let refused = admin.get(&format!("{USERS}?{query}")).gives(400).json();
        assert_eq!(refused["error"]["field"], json!(field));
    }
}

#[test]
fn a_place_in_one_order_is_none_in_another_and_holds_while_accounts_come_and_go() {
    let server = Server::start();
    let admin = server.admin();
    let ids = ["ana", "ben", "cleo"].map(|it| add(&admin, it, &format!("{it}@example.org")));
    for sort in ["created", "email", "name"] {
        let page = admin.get(&format!("{USERS}?limit=1&sort={sort}"));
        let next = page.gives(200).string("/next");
        for other in ["created", "email", "name"] {
            let path = format!("{USERS}?sort={other}&cursor={next}");
            admin
                .get(&path)
                .gives(if other == sort { 200 } else { 400 });
        }
    }
    let page = admin.get(&format!("{USERS}?limit=1&sort=email"));
    let next = page.gives(200).string("/next");
    admin.delete(&format!("{USERS}/{}", ids[0])).gives(204);
    admin.delete(&format!("{USERS}/{}", ids[1])).gives(204);
    add(&admin, "Abe", "abe@example.org");
    add(&admin, "Bob", "bob@example.org");
    let query = format!("sort=email&cursor={next}");
    let rest = admin.get(&format!("{USERS}?{query}")).gives(200).json();
    let rest: Vec<_> = rest["users"].as_array().unwrap().iter().collect();
    assert_eq!(rest.len(), 2);
    assert_eq!(rest[0]["email"], json!("bob@example.org"));
    assert_eq!(rest[1]["email"], json!("cleo@example.org"));
}

#[test]
fn an_account_says_how_many_live_tokens_it_has_and_when_one_was_last_used() {
    let server = Server::start();
    let admin = server.admin();
    let id = add(&admin, "Ana", "ana@example.org");
    let shown = || admin.get(&format!("{USERS}/{id}")).gives(200).json();
    assert_eq!(shown()["live_tokens"], json!(0));
    assert_eq!(shown()["last_used_at"], json!(null));

    let login = json!({"email": "ana@example.org", "password": PASSWORD});
    let answer = server.anyone().post("/v1/auth", login).gives(201);
    let session = server.anyone().with_token(&answer.string("/id"));
    server.anyone().log_in("ana@example.org", PASSWORD);
    server.user("ben@example.org");
    assert_eq!(shown()["live_tokens"], json!(2));
    server.pass(hours(2));
    session.get("/v1/user").gives(200);
    let now = server.now().rfc3339_millis();
    server.settle();
    assert_eq!(shown()["last_used_at"], json!(now));

    admin.delete(&format!("{USERS}/{id}/tokens")).gives(204);
    assert_eq!(shown()["live_tokens"], json!(0));
}
