//! Tests `doorward settings`.

use super::{fails, json, run, started_with};

#[test]
fn settings_are_shown_with_their_source_and_without_secrets() {
    let process = started_with("server.name = \"The door\"\n");
    let home = process.home();
    let all = json(home, "settings server");
    let all = all["settings"].as_array().unwrap();
    assert!(
        all.iter()
            .all(|it| it["key"].as_str().unwrap().starts_with("server."))
    );
    let name = all.iter().find(|it| it["key"] == "server.name").unwrap();
    assert_eq!(
        (&name["source"], &name["value"]),
        (&"file".into(), &"\"The door\"".into())
    );

    let table = run(home, "settings --from-file");
    let line = |key: &str| {
        let line = table.lines().find(|line| line.starts_with(key))?;
        Some(line.split_whitespace().skip(1).take(2).collect::<Vec<_>>())
    };
    assert_eq!(line("admin.password "), Some(vec!["(secret)", "file"]));
    assert!(!table.contains("the admin's password"), "{table}");
    assert_eq!(line("log.level"), None);
    assert!(run(home, "settings log.level").contains("default"));
    fails(
        home,
        "settings nothing",
        3,
        "no setting begins with nothing",
    );
}
