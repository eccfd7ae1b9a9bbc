//! What works but is seldom meant: a warning, and no mistake.

use super::{NOW, file_with, load, repository};

/// The warnings of a configuration, without the file's name.
fn warnings_at(text: &str, now: &str) -> Vec<String> {
    let (_directory, path) = file_with(text, 0o600);
    let warnings = load(&path, None, now)
        .unwrap_or_else(|it| panic!("{it}"))
        .warnings;
    let file = format!("{}:", path.display());
    warnings
        .iter()
        .map(|it| it.strip_prefix(&file).unwrap().to_owned())
        .collect()
}

fn warnings(text: &str) -> Vec<String> {
    warnings_at(text, NOW)
}

/// Settings with the certificate for `localhost`, and with a key that only its owner can read.
fn with_tls(more: &str, now: &str) -> Vec<String> {
    let fixture = |name: &str| repository("tests/it/fixtures").join(name);
    let key = std::fs::read_to_string(fixture("key.pem")).unwrap();
    let (_directory, key) = file_with(&key, 0o600);
    let cert = fixture("cert.pem");
    warnings_at(
        &format!("{more}\n[server.tls]\ncert = {cert:?}\nkey = {key:?}"),
        now,
    )
}

#[test]
fn the_defaults_earn_no_warning() {
    assert_eq!(warnings(""), [""; 0]);
    assert_eq!(
        warnings("server.trusted_proxies = [\"10.0.0.0/8\", \"fd00::/8\"]"),
        [""; 0]
    );
}

#[test]
fn metrics_that_others_reach_earn_a_warning() {
    for (address, count) in [
        ("127.0.0.1:9464", 0),
        ("[::1]:9464", 0),
        ("0.0.0.0:9464", 1),
    ] {
        let said = warnings(&format!("metrics.listen = \"{address}\""));
        assert_eq!(said.len(), count, "{said:?}");
        assert!(said.iter().all(|it| it.contains("without a token")));
    }
}

#[test]
fn trust_in_every_address_earns_a_warning() {
    let said = warnings(
        "[server]\ntrusted_proxies = [\n\"0.0.0.0/0\",\n\"10.0.0.1\",\n\"::/0\",\n\"::ffff:0:0/96\",\n]",
    );
    let lines: Vec<&str> = said
        .iter()
        .map(|it| it.split_once(": ").unwrap().0)
        .collect();
    assert_eq!(lines, ["3", "5", "6"], "{said:#?}");
    assert!(
        said[0].contains("`server.trusted_proxies` trusts every address"),
        "{said:?}"
    );
}

#[test]
fn addresses_that_do_not_fit_each_other_earn_a_warning() {
    let public = "public_url = \"https://a.org\"";
    for (text, part) in [
        (
            "listen = \"0.0.0.0:0\"",
            "1: `server.public_url` is http://127.0.0.1:8080, which only this machine reaches",
        ),
        (
            &format!("{public}\nreset = {{ reset_link = \"http://a.org/{{token}}\" }}"),
            "reset codes cross the network in clear",
        ),
        (
            &format!(
                "{public}\nreset.reset_link = \"https://a.org/{{token}}\"\nmail.transport = \"file\""
            ),
            "`mail.from` is doorward <doorward@localhost>, which other mail servers refuse",
        ),
        (
            "allowed_origins = [\"*\", \"https://a.org\"]",
            "its other origins mean nothing",
        ),
        (
            "listen = \"192.0.2.1:80\"\npublic_url = \"https://a.org\"\nreset.reset_link = \"https://a.org/{token}\"",
            "names 192.0.2.1, which this machine does not have now",
        ),
    ] {
        let text = text
            .replace("listen", "server.listen")
            .replace("public_url", "server.public_url")
            .replace("allowed_origins", "server.allowed_origins");
        let said = warnings(&text);
        assert_eq!(said.len(), 1, "{said:#?}");
        assert!(said[0].contains(part), "{said:?}");
    }
}

#[test]
fn what_lets_nobody_in_earns_a_warning() {
    let said = warnings("accounts.invite_required = true");
    assert_eq!(
        said,
        ["1: `accounts.invite_required` is true, but `accounts.invites` holds none"]
    );
    let said = warnings(
        "[apis]\nangen = false\ntoken = false\nhub = false\nephemeride = false\ncore = false",
    );
    assert!(said[0].contains("every API is switched off"), "{said:?}");
}

#[test]
fn a_certificate_that_clients_refuse_earns_a_warning() {
    let local = "server.public_url = \"https://localhost\"";
    assert_eq!(with_tls(local, NOW), [""; 0]);
    for (settings, now, part) in [
        (local, "2121-01-01T00:00:00Z", "which has expired at 21"),
        (
            local,
            "1970-01-01T00:00:01Z",
            "which is not valid before 20",
        ),
        (
            "server.public_url = \"https://127.0.0.1\"",
            NOW,
            "which is not for 127.0.0.1, the host of `server.public_url`",
        ),
        (
            "server.public_url = \"http://localhost\"",
            NOW,
            "begins with http://, but `server.tls` makes it https://",
        ),
    ] {
        let said = with_tls(settings, now);
        assert_eq!(said.len(), 1, "{said:#?}");
        assert!(said[0].contains(part), "{said:?}");
    }
}

#[test]
fn a_tls_key_that_everybody_can_read_earns_a_warning() {
    let fixture = |name: &str| repository("tests/it/fixtures").join(name);
    let text = std::fs::read_to_string(fixture("key.pem")).unwrap();
    for (mode, count) in [(0o644, 1), (0o640, 0), (0o600, 0)] {
        let (_directory, key) = file_with(&text, mode);
        let said = warnings(&format!(
            "server.public_url = \"https://localhost\"\nserver.tls = {{ cert = {:?}, key = {key:?} }}",
            fixture("cert.pem")
        ));
        assert_eq!(said.len(), count, "{said:?}");
    }
}
