//! Mistakes that several settings make together, or that files and directories make.

use std::fs;
use std::os::unix::fs::DirBuilderExt;

use super::{NOW, file_with, load, mistakes, parse, repository};

/// Settings with these TLS files from `fixtures`.
fn tls(cert: &str, key: &str) -> String {
    let fixture = |name: &str| repository("tests/it/fixtures").join(name);
    format!(
        "[server.tls]\ncert = {:?}\nkey = {:?}\n",
        fixture(cert),
        fixture(key)
    )
}

#[test]
fn an_address_is_listened_on_once() {
    for (list, expected) in [
        (
            r#""127.0.0.1:80", "127.0.0.1:80""#,
            "names 127.0.0.1:80 twice",
        ),
        (r#""[::1]:80", "[::0001]:80""#, "names [::1]:80 twice"),
        (
            r#""[::]:80", "127.0.0.1:80""#,
            "names [::]:80 and 127.0.0.1:80, but [::]:80 is every address already",
        ),
        (
            r#""0.0.0.0:80", "[::]:80""#,
            "names 0.0.0.0:80 and [::]:80, but [::]:80 is every address already",
        ),
        (
            r#""10.0.0.1:80", "0.0.0.0:80""#,
            "names 10.0.0.1:80 and 0.0.0.0:80, but 0.0.0.0:80 is every IPv4 address already",
        ),
        (
            r#""127.0.0.1:80", "[::ffff:127.0.0.1]:80""#,
            "names 127.0.0.1:80 twice",
        ),
    ] {
        let said = mistakes(&format!("[server]\nlisten = [{list}]"));
        assert_eq!(said, [format!("line 2: `server.listen` {expected}")]);
    }
    for list in [
        r#""127.0.0.1:80", "127.0.0.1:81", "[::1]:80", "10.0.0.1:80""#,
        r#""127.0.0.1:0", "127.0.0.1:0", "[::]:0""#,
        r#""0.0.0.0:80", "[::1]:80""#,
    ] {
        parse(&format!("server.listen = [{list}]"));
    }
    let three = r#"server.listen = ["1.2.3.4:1", "1.2.3.4:1", "nonsense", "0.0.0.0:1"]"#;
    assert_eq!(mistakes(three).len(), 3, "all are reported");
}

#[test]
fn the_metrics_have_an_address_of_their_own() {
    for (metrics, served) in [("127.0.0.1:80", "[::]:80"), ("0.0.0.0:80", "10.0.0.1:80")] {
        let said = mistakes(&format!(
            "server.listen = \"{served}\"\nmetrics.listen = \"{metrics}\""
        ));
        assert_eq!(said.len(), 1, "{said:?}");
        assert!(
            said[0].starts_with("line 2: `metrics.listen` is"),
            "{said:?}"
        );
    }
    assert_eq!(mistakes("metrics.listen = \"9464\"").len(), 1);
    parse("server.listen = \"127.0.0.1:0\"\nmetrics.listen = \"127.0.0.1:0\"");
}

#[test]
fn an_ipv4_address_in_ipv6_is_that_ipv4_address() {
    let config = parse(
        r#"
        server.listen = ["[::ffff:127.0.0.1]:80"]
        server.trusted_proxies = ["::ffff:10.0.0.1", "::ffff:10.1.0.0/112", "::ffff:0:0/96", "fd00::/8"]
        "#,
    );
    assert_eq!(config.server.listen, ["127.0.0.1:80".parse().unwrap()]);
    let shown: Vec<String> = config
        .server
        .trusted_proxies
        .iter()
        .map(ToString::to_string)
        .collect();
    assert_eq!(
        shown,
        ["10.0.0.1/32", "10.1.0.0/16", "0.0.0.0/0", "fd00::/8"]
    );
}

#[test]
fn the_public_url_has_no_slash_at_its_end() {
    let config = parse(r#"server.public_url = "http://localhost/door//""#);
    assert_eq!(config.server.public_url, "http://localhost/door");
    assert_eq!(mistakes(r#"server.public_url = "https:///""#).len(), 1);
}

#[test]
fn tls_files_are_read_and_belong_together() {
    parse(&tls("cert.pem", "key.pem"));
    for (cert, key, line, expected) in [
        (
            "key.pem",
            "key.pem",
            2,
            "which holds no certificate in PEM form",
        ),
        (
            "cert.pem",
            "cert.pem",
            3,
            "which holds no private key in PEM form",
        ),
        (
            "cert.pem",
            "foreign-key.pem",
            3,
            "which cannot be used with the certificate in",
        ),
    ] {
        let said = mistakes(&tls(cert, key));
        assert_eq!(said.len(), 1, "{said:#?}");
        assert!(said[0].starts_with(&format!("line {line}: ")), "{said:?}");
        assert!(said[0].contains(expected), "{said:?}");
    }
    assert_eq!(mistakes(&tls("key.pem", "cert.pem")).len(), 2);
}

#[test]
fn a_reset_link_leads_where_clients_can_follow() {
    let text = "[server]\npublic_url = \"https://door.example.org\"\n";
    let expected = "`reset.reset_link` leads to 127.0.0.1, which only this machine reaches, but \
                    `server.public_url` is https://door.example.org; name the page where people \
                    choose a new password";
    assert_eq!(mistakes(text), [format!("line 2: {expected}")]);
    for link in [
        "http://localhost/{token}",
        "https://[::1]:443/?code={token}",
    ] {
        let said = mistakes(&format!("{text}[reset]\nreset_link = \"{link}\""));
        assert!(
            said[0].starts_with("line 4: `reset.reset_link` leads to"),
            "{said:?}"
        );
    }
    parse(&format!(
        "{text}[reset]\nreset_link = \"https://example.org/{{token}}\""
    ));
    parse("server.public_url = \"http://localhost:8080\"");
}

#[test]
fn a_sender_is_one_that_mail_accepts() {
    parse(r#"mail.from = "\"Müller, Observatory\" <door@example.org>""#);
    for sender in [
        "a, b <door@example.org>",
        "a <b@example.org> <door@example.org>",
        "a@-b-.org",
    ] {
        let said = mistakes(&format!("mail.from = \"{sender}\""));
        assert!(said[0].contains("`mail.from` must be a sender"), "{said:?}");
    }
}

#[test]
fn a_directory_can_be_made_and_written_and_is_not_made_by_the_check() {
    let (directory, path) = file_with("", 0o600);
    let said = |text: &str| {
        fs::write(&path, text).unwrap();
        load(&path, None, NOW)
            .err()
            .map(|it| it.to_string())
            .unwrap_or_default()
    };
    assert_eq!(said("storage.path = \"new/data\""), "");
    assert!(!directory.path().join("new").exists());
    let file = said("\nstorage.path = \"file\"");
    assert!(
        file.contains(":2: `storage.path` names") && file.contains("is not a directory"),
        "{file}"
    );
    let below = said("mail.transport = \"file\"\nmail.path = \"file/mail\"");
    assert!(below.contains(":2: `mail.path` names"), "{below}");
    let closed = directory.path().join("closed");
    fs::DirBuilder::new().mode(0o500).create(&closed).unwrap();
    let below = said("\nstorage.path = \"closed/data\"");
    // Root writes wherever it wants.
    if !rustix::process::geteuid().is_root() {
        let refusal = ":2: `storage.path` names";
        assert!(
            below.contains(refusal) && below.contains("Permission denied"),
            "{below}"
        );
    }
    assert_eq!(
        said("mail.path = \"file\""),
        "",
        "the transport `log` writes nothing"
    );
}

#[test]
fn what_can_be_known_of_a_mail_server_is_checked() {
    let host = "mail.host = \"smtp.example.org\"\n";
    for (settings, expected) in [
        (
            "mail.transport = \"smtp\"",
            "`mail.transport` is \"smtp\", which needs `mail.host` beside it",
        ),
        (
            "mail.username = \"ana\"",
            "`mail.username` needs `mail.password` or `mail.password_file` beside it",
        ),
        (
            "mail.password = \"a password of mine\"",
            "a password for the mail server needs `mail.username` beside it",
        ),
        (
            "mail.security = \"none\"",
            "`mail.security` is \"none\", but smtp.example.org is another machine: use \"tls\" or \
             \"starttls\", or set `mail.allow_plain = true`",
        ),
        (
            "mail.security = \"ssl\"",
            "`mail.security` must be \"tls\", \"starttls\" or \"none\", not \"ssl\"",
        ),
        (
            "mail.port = 0",
            "`mail.port` must be a whole number from 1 to 65535, not 0",
        ),
        (
            "mail.helo = \"my box\"",
            "`mail.helo` must be the name or the address of a host, such as \"smtp.example.org\", \
             not \"my box\"",
        ),
        (
            "mail.timeout = \"0s\"",
            "`mail.timeout` must be at least \"1s\", not \"0s\"",
        ),
        (
            "mail.ca_file = \"none.pem\"",
            "`mail.ca_file` names \"/base/none.pem\": No such file or directory (os error 2)",
        ),
    ] {
        let with_host = if expected.contains("needs `mail.host`") {
            settings.to_owned()
        } else {
            format!("{host}{settings}")
        };
        let said = mistakes(&with_host).join("\n");
        assert!(said.ends_with(expected), "{said}");
    }
    parse("mail.transport = \"smtp\"\nmail.host = \"localhost\"\nmail.security = \"none\"");
    parse(&format!(
        "{host}mail.security = \"none\"\nmail.allow_plain = true"
    ));
}
