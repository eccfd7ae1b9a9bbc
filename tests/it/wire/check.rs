//! Tests that `check-config` and `serve` judge a configuration alike.

use std::process::Command;

use serde_json::Value;

use super::process::{Process, checks, refuses};

#[test]
fn a_wrong_configuration_is_2_and_every_mistake_in_it_is_reported() {
    let settings = r#"
server.listen = ["127.0.0.1:0", "[::]:1", "127.0.0.1:1"]
server.lissten = "x"
server.public_url = "https://door.example.org"
limits.body = "tiny"
mail.from = "a, b <door@example.org>"
server.tls.cert = "check.toml"
"#;
    for (code, said) in [refuses(settings), checks(settings)] {
        assert_eq!(code, Some(2), "{said}");
        for part in [
            ".toml:5: `server.listen` names [::]:1 and 127.0.0.1:1",
            ".toml:6: unknown key `server.lissten`; did you mean `server.listen`?",
            ".toml:7: `reset.reset_link` leads to 127.0.0.1",
            ".toml:8: `limits.body` must be",
            ".toml:9: `mail.from` must be a sender",
            ".toml:10: `server.tls.cert` names",
        ] {
            assert!(said.contains(part), "{part}: {said}");
        }
    }
}

#[test]
fn what_works_but_is_seldom_meant_is_a_warning() {
    let settings = "server.trusted_proxies = [\"0.0.0.0/0\"]\n";
    let warning = ".toml:4: `server.trusted_proxies` trusts every address";
    let (code, said) = checks(&format!("{settings}server.listen = \"127.0.0.1:0\"\n"));
    assert_eq!(code, Some(0), "{said}");
    assert!(
        said.starts_with("doorward: warning: ") && said.contains(warning),
        "{said}"
    );
    let said = Process::start(settings).said();
    let warning = ".toml:5: `server.trusted_proxies` trusts every address";
    assert!(
        said.starts_with("doorward: warning: ") && said.contains(warning),
        "{said}"
    );
}

#[test]
fn the_openapi_document_is_printed_without_a_configuration() {
    let printed = |arguments: &[&str]| {
        let program = env!("CARGO_BIN_EXE_doorward");
        let output = Command::new(program).args(arguments).output().unwrap();
        (output.status.code(), output.stdout, output.stderr)
    };
    let paths = |document: &[u8]| {
        let document: Value = serde_json::from_slice(document).unwrap();
        document["paths"].as_object().unwrap().len()
    };
    let (code, all, _) = printed(&["openapi"]);
    assert_eq!(code, Some(0));
    let (code, hub, _) = printed(&["openapi", "--api", "hub"]);
    assert_eq!((code, paths(&hub)), (Some(0), 3));
    assert!(paths(&all) > 40);
    let (code, _, said) = printed(&["openapi", "--api", "hubb"]);
    assert_eq!(code, Some(1));
    assert!(
        String::from_utf8(said)
            .unwrap()
            .contains("there are admin, angen, core")
    );
}
