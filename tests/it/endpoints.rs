//! The index of endpoints in `docs/api.md`, generated from the tables of routes.
//!
//! `DOORWARD_BLESS=1 cargo test` rewrites it.

use std::collections::BTreeSet;
use std::fmt::Write;
use std::fs;
use std::path::Path;

use doorward::api;
use doorward::config;
use doorward::http::{Api, Error, Route};

const BEGIN: &str = "<!-- endpoints:begin -->\n";
const END: &str = "<!-- endpoints:end -->";

fn index() -> String {
    let config = config::parse("", Path::new("")).unwrap();
    let mut text = String::new();
    let apis = api::served(&config.apis).into_iter();
    let of_control = api::control::served().into_iter().take(1);
    let mut last = "";
    for api in apis.chain(of_control) {
        // Tables with one name are parts of one API.
        if api.name != last {
            last = api.name;
            // Writing to a string cannot fail.
            let _ = writeln!(
                text,
                "\n### {last}\n\n| endpoint | who | what it does | answers | errors |\n|---|---|---|---|---|"
            );
        }
        for route in api.routes {
            let paths = api.mounts.iter().map(|mount| endpoint(mount, route));
            let _ = writeln!(
                text,
                "| {} | {} | {} | {} | {} |",
                paths.collect::<Vec<_>>().join("<br>"),
                who(api, route),
                route.about,
                answers(route),
                errors(api, route),
            );
        }
    }
    text + "\n"
}

fn endpoint(mount: &str, route: &Route) -> String {
    let endpoint = format!("`{} {mount}{}`", route.method.as_str(), route.path);
    let parameters = route.query.names().iter().map(|name| format!("`{name}`"));
    let parameters = parameters.collect::<Vec<_>>().join(", ");
    if parameters.is_empty() {
        endpoint
    } else {
        format!("{endpoint}<br>with {parameters}")
    }
}

fn who(api: &Api, route: &Route) -> String {
    match api.name {
        "control" => "who can open the control socket".to_owned(),
        _ => route.run.who(),
    }
}

fn answers(route: &Route) -> String {
    let answers = route.responses.iter();
    let answers = answers.map(|it| format!("{}: {}", it.status, it.about));
    answers.collect::<Vec<_>>().join("<br>")
}

/// The status of every possible error, with the messages of the errors that the route declares.
fn errors(api: &Api, route: &Route) -> String {
    let status = |code| (api.render_error)(&Error::new(code)).status.as_u16();
    let possible = route.possible_errors().into_iter().map(status);
    let possible: BTreeSet<u16> = possible.collect();
    let described = possible.into_iter().map(|it| {
        let own = route.errors.iter().filter(|code| status(**code) == it);
        let own: BTreeSet<&str> = own.map(|code| code.message()).collect();
        if own.is_empty() {
            return it.to_string();
        }
        let own = own.into_iter().collect::<Vec<_>>().join("; ");
        format!("{it} ({own})")
    });
    described.collect::<Vec<_>>().join(", ")
}

#[test]
fn the_guide_holds_the_index_of_endpoints() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/api.md");
    let guide = fs::read_to_string(&path).unwrap();
    let (before, rest) = guide.split_once(BEGIN).unwrap();
    let (table, after) = rest.split_once(END).unwrap();
    let expected = index();
    if std::env::var_os("DOORWARD_BLESS").is_some() {
        fs::write(&path, format!("{before}{BEGIN}{expected}{END}{after}")).unwrap();
    } else {
        assert_eq!(table, expected);
    }
}
