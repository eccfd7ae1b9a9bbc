//! Names that fields and query parameters share in all APIs: each is described once, with an
//! example and its limits. A name that is not here is a text without limits.

use serde_json::{Value, json};

use crate::model::{AuditAction, AuditOutcome, Granularity, TokenKind, limits};

/// An example of an id.
pub(super) const ID: &str = "0b0e2c9c-5f0e-4b8e-9d55-9d0f8a6d8f10";

const MOMENT: &str = "2026-11-27T10:04:00.000Z";

/// A name and its meaning.
pub(super) struct Known {
    name: &'static str,
    about: &'static str,
    /// An example of its value as text.
    pub(super) example: &'static str,
    /// The most characters in a request, or the largest number; none if there is no limit.
    most: Option<usize>,
    kind: Kind,
}

/// How the text of a value is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Kind {
    Text,
    /// In a query: a whole number from 1.
    Count,
    /// In a query: `true` or `false`.
    Flag,
    /// In a query: one of these.
    OneOf(&'static [&'static str]),
}

const fn text(name: &'static str, example: &'static str, about: &'static str) -> Known {
    Known {
        name,
        about,
        example,
        most: None,
        kind: Kind::Text,
    }
}

impl Known {
    const fn most(self, most: usize) -> Known {
        Known {
            most: Some(most),
            ..self
        }
    }

    const fn read_as(self, kind: Kind) -> Known {
        Known { kind, ..self }
    }

    /// The most characters of the value in a request.
    pub(super) fn most_chars(&self) -> Option<usize> {
        self.most.filter(|_| self.kind == Kind::Text)
    }
}

const ORDER: Kind = Kind::OneOf(&["asc", "desc"]);

const KNOWN: &[Known] = &[
    text("action", "log_in", "Only entries with this action.")
        .read_as(Kind::OneOf(AuditAction::WORDS)),
    text("actor", "admin", "Only what this actor did."),
    text("address", "10.0.0.7", "The address of a client."),
    text("at", MOMENT, "A moment (RFC 3339)."),
    text(
        "before",
        MOMENT,
        "Only what is older than this moment (RFC 3339).",
    ),
    text("by", "day", "How long each bucket is.").read_as(Kind::OneOf(Granularity::WORDS)),
    text("code", "invalid", "A code."),
    text("created_at", MOMENT, "When it was created."),
    text(
        "cursor",
        "bjE",
        "The place after which the page begins: `next` of the page before.",
    ),
    text(
        "disabled",
        "true",
        "Only accounts that are, or are not, disabled.",
    )
    .read_as(Kind::Flag),
    text("email", "ana@example.org", "An e-mail address.").most(limits::EMAIL_BYTES),
    text("except", ID, "The public id of the token that stays."),
    text("expires_at", "2030-01-01T00:00:00Z", "When it expires."),
    text("format", "ndjson", "The format of the lines.").read_as(Kind::OneOf(&["ndjson", "csv"])),
    text("from", MOMENT, "The first moment (RFC 3339)."),
    text(
        "holder",
        "admin",
        "Only tokens of this holder: admin, hub or the id of a user.",
    ),
    text("issued_at", MOMENT, "When it was issued."),
    text("invite", "JUNE", "The code of an invite."),
    text("kind", "session", "Only tokens of this kind.").read_as(Kind::OneOf(TokenKind::WORDS)),
    text("last_used_at", MOMENT, "When it was last used."),
    text("lifetime_seconds", "86400", "How long it works."),
    text("limit", "100", "The most rows of the page.")
        .most(limits::PAGE_ROWS_MOST)
        .read_as(Kind::Count),
    text("message", "Bad request", "A sentence for people."),
    text("name", "Ana", "A name.").most(limits::NAME_CHARS),
    text(
        "networks",
        "10.0.0.0/8",
        "Networks from which it is accepted.",
    ),
    text("order", "asc", "The order of the rows.").read_as(ORDER),
    text("outcome", "success", "Only entries with this outcome.")
        .read_as(Kind::OneOf(AuditOutcome::WORDS)),
    text(
        "overlap_seconds",
        "3600",
        "How long two tokens work side by side.",
    ),
    text("own", "true", "Whether the own token may be ended.").read_as(Kind::Flag),
    text("password", "a long password", "A password.").most(limits::PASSWORD_CHARS),
    text(
        "current_password",
        "a long password",
        "The password so far.",
    )
    .most(limits::PASSWORD_CHARS),
    text(
        "password_confirmation",
        "a long password",
        "The password again.",
    ),
    text(
        "q",
        "ana",
        "Only accounts whose address or name begins with this text.",
    ),
    text(
        "reporter_id",
        ID,
        "Who reported: admin, hub or the id of a user.",
    ),
    text("request", "4f2a9c01d3e8b756", "The id of a request."),
    text("sort", "name", "By what to sort; not together with q.")
        .read_as(Kind::OneOf(&["created", "email", "name"])),
    text("status", "ok", "A state in one word."),
    text("to", MOMENT, "The moment after the last (RFC 3339)."),
    text("token", "0123456789abcdef", "A token."),
    text("tz", "Europe/Berlin", "The time zone of days and hours."),
    text("updated_at", MOMENT, "When it was last changed."),
    text("user_agent", "Firefox", "The program of a client."),
    text("user_id", ID, "The id of a user."),
    text("username", "admin", "The name of the administrator."),
];

/// What is known of a name.
pub(super) fn find(name: &str) -> Option<&'static Known> {
    KNOWN.iter().find(|known| known.name == name)
}

/// A query parameter. All are optional in the tables; a handler may require one of several.
pub(super) fn parameter(name: &str) -> Value {
    let Some(known) = find(name) else {
        return json!({ "name": name, "in": "query", "schema": { "type": "string", "minLength": 1 } });
    };
    let (schema, example) = match known.kind {
        Kind::Text => (
            json!({ "type": "string", "minLength": 1 }),
            json!(known.example),
        ),
        Kind::Flag => (json!({ "type": "boolean" }), json!(true)),
        Kind::OneOf(words) => (
            json!({ "type": "string", "enum": words }),
            json!(known.example),
        ),
        Kind::Count => (
            json!({ "type": "integer", "minimum": 1, "maximum": known.most }),
            json!(known.most),
        ),
    };
    json!({
        "name": name, "in": "query", "required": false, "description": known.about,
        "schema": schema, "example": example,
    })
}
