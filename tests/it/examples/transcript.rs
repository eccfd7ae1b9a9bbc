//! Sends the requests of a story, and writes them down with their answers.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;

use serde_json::Value;

use crate::harness::{Answer, Request, Server};

const HEAD: &str = "# Examples

One example of each endpoint: requests of one story, with the answers that a server gave. The test
`examples` tells the story again and compares every word. What is too long for a line ends with `…`, and
so do figures that are others each time.

A name before a request says whose token it carries, in `Authorization: Bearer`. In the story the
server is `https://door.example.org`, Ana and Ben have accounts, `probe` is a machine token.
";

/// The settings of the story.
const SETTINGS: &str = "server.name = \"The door\"
server.trusted_proxies = [\"127.0.0.1\"]
tokens.user_machine_tokens = true
limits.rates = true
limits.wrong_passwords = \"3, then 1 per 60s\"";

/// Longer texts are shortened, above all secrets.
const LONGEST_TEXT: usize = 44;
/// Longer lines are cut off.
const LONGEST_LINE: usize = 600;
/// How many lines of an answer that is no JSON are shown.
const LINES: usize = 4;

/// Endpoints whose figures depend on the machine and on the time of day.
const FIGURES: [&str; 3] = ["show_status", "storage", "metrics"];

/// What was told so far.
pub(super) struct Transcript {
    pub(super) server: Server,
    /// Tokens, by the names of their holders.
    tokens: BTreeMap<&'static str, String>,
    /// Texts of earlier answers, by the names that requests use.
    kept: BTreeMap<&'static str, String>,
    /// The routes that have an example.
    shown: BTreeSet<&'static str>,
    /// The examples, by API.
    apis: BTreeMap<usize, (&'static str, String)>,
}

impl Transcript {
    pub(super) fn new() -> Transcript {
        Transcript {
            server: Server::with(SETTINGS),
            tokens: BTreeMap::new(),
            kept: BTreeMap::new(),
            shown: BTreeSet::new(),
            apis: BTreeMap::new(),
        }
    }

    /// Sends a request with somebody's token. `{name}` in it stands for a text that was kept.
    #[track_caller]
    pub(super) fn ask(&mut self, who: &str, request: &str, body: Value, status: u16) -> Answer {
        let (method, pattern) = request.split_once(' ').unwrap();
        let path = self.filled(pattern);
        let body = match body {
            Value::Null => None,
            body => Some(self.filled(&body.to_string())),
        };
        let mut sent = Request::new(method, &path);
        if let Some(body) = &body {
            let json: Value = serde_json::from_str(body).unwrap();
            sent = sent.body(json);
        }
        let actor = match self.tokens.get(who) {
            Some(token) => self.server.anyone().with_token(token),
            None => self.server.anyone(),
        };
        let answer = actor.send(sent).gives(status);
        self.write(who, method, &path, body.as_deref(), &answer);
        answer
    }

    /// Keeps a text of an answer for later requests.
    pub(super) fn keep(&mut self, name: &'static str, answer: &Answer, pointer: &str) {
        self.kept.insert(name, answer.string(pointer));
    }

    /// Keeps the token in an answer.
    pub(super) fn hold(&mut self, who: &'static str, answer: &Answer, pointer: &str) {
        let token = answer.string(pointer);
        self.kept.insert(who, token.clone());
        self.tokens.insert(who, token);
    }

    /// Keeps a text that no answer holds.
    pub(super) fn note(&mut self, name: &'static str, text: &str) {
        self.kept.insert(name, text.to_owned());
    }

    fn filled(&self, text: &str) -> String {
        let fill = |text: String, (name, value): (&&'static str, &String)| {
            text.replace(&format!("{{{name}}}"), value)
        };
        self.kept.iter().fold(text.to_owned(), fill)
    }

    fn write(&mut self, who: &str, method: &str, path: &str, body: Option<&str>, answer: &Answer) {
        let served = self.server.served();
        let (place, found) = served
            .routes
            .iter()
            .enumerate()
            .find(|(_, it)| it.is_at(path) && it.answers(method))
            .unwrap();
        let api = found.api.name;
        let first = served.routes.iter().position(|it| it.api.name == api);
        let (_, text) = self
            .apis
            .entry(first.unwrap_or(place))
            .or_insert_with(|| (api, String::new()));
        let name = found.route.name;
        self.shown.insert(name);
        let whose = if who.is_empty() {
            String::new()
        } else {
            format!("{who}: ")
        };
        let path = shortened_path(path);
        let body = body.map_or(String::new(), |it| format!(" {}", shortened(it)));
        let said = match answer.text() {
            said if FIGURES.contains(&name) => without_figures(&said),
            said => said,
        };
        let lines: Vec<String> = said.lines().map(shortened).collect();
        let _ = writeln!(text, "\n`{name}`: {}\n\n```", found.route.about);
        let _ = writeln!(
            text,
            "> {whose}{method} {path}{body}\n< {}",
            answer.status()
        );
        for line in lines.iter().take(LINES) {
            let _ = writeln!(text, "< {line}");
        }
        if lines.len() > LINES {
            text.push_str("< …\n");
        }
        text.push_str("```\n");
    }

    /// The whole guide. Every route must have an example.
    pub(super) fn finish(self) -> String {
        let served = self.server.served();
        let all = served.routes.iter().map(|it| it.route.name);
        let missing: BTreeSet<_> = all.filter(|name| !self.shown.contains(name)).collect();
        assert!(missing.is_empty(), "no example of {missing:?}");
        let mut text = HEAD.to_owned();
        for (api, examples) in self.apis.into_values() {
            let _ = write!(text, "\n## {api}\n{examples}");
        }
        text
    }
}

/// A line with long texts in quotes cut off.
fn shortened(line: &str) -> String {
    let cut = |(at, part): (usize, &str)| {
        let is_text = at % 2 == 1;
        if is_text && part.chars().count() > LONGEST_TEXT {
            let head: String = part.chars().take(12).collect();
            format!("{head}…")
        } else {
            part.to_owned()
        }
    };
    let parts: Vec<String> = line.split('"').enumerate().map(cut).collect();
    let line = parts.join("\"");
    match line.char_indices().nth(LONGEST_LINE) {
        Some((end, _)) => format!("{}…", &line[..end]),
        None => line,
    }
}

/// A path with long parameters cut off.
fn shortened_path(path: &str) -> String {
    let cut = |part: &str| match part.split_once('=') {
        Some((name, value)) if value.len() > LONGEST_TEXT => {
            format!("{name}={}…", &value[..12])
        }
        _ => part.to_owned(),
    };
    path.split('&').map(cut).collect::<Vec<_>>().join("&")
}

/// An answer with `…` for each number outside of quotes.
fn without_figures(text: &str) -> String {
    let hide = |(at, part): (usize, &str)| {
        if at % 2 == 1 {
            return part.to_owned();
        }
        let mut hidden = String::new();
        for character in part.chars() {
            let is_figure = character.is_ascii_digit() || character == '.';
            match (is_figure, hidden.ends_with('…')) {
                (true, true) => {}
                (true, false) => hidden.push('…'),
                (false, _) => hidden.push(character),
            }
        }
        hidden
    };
    text.split('"')
        .enumerate()
        .map(hide)
        .collect::<Vec<_>>()
        .join("\"")
}
