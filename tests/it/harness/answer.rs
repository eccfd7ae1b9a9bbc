//! A checked answer of a server, and the assertions that tests make about it.

use serde_json::Value;

use super::client::Received;
use super::shape::Shape;

/// An answer. `ResponseChecker` has already checked its headers and its shape.
pub(crate) struct Answer {
    /// The method and path of the request, for failure messages.
    pub(crate) question: String,
    pub(crate) received: Received,
    /// The error shape of the API that serves the path; none if no API does.
    pub(crate) shape: Option<Shape>,
}

impl Answer {
    /// Asserts the status.
    #[track_caller]
    pub(crate) fn gives(self, status: u16) -> Answer {
        assert_eq!(self.status(), status, "{}: {}", self.question, self.text());
        self
    }

    /// Asserts the status, and that the error's message or its code is `reason`.
    #[track_caller]
    pub(crate) fn fails(self, status: u16, reason: &str) -> Answer {
        let answer = self.gives(status);
        let said = answer.reason();
        assert!(
            said == reason || answer.code().as_deref() == Some(reason),
            "{}: {said:?} is not {reason:?}",
            answer.question
        );
        answer
    }

    /// Asserts the status, and that the body contains `word`, usually the name of a field.
    #[track_caller]
    pub(crate) fn names(self, status: u16, word: &str) -> Answer {
        let answer = self.gives(status);
        assert!(
            answer.text().contains(word),
            "{}: {word:?} is not in {}",
            answer.question,
            answer.text()
        );
        answer
    }

    /// Asserts that the body is empty.
    #[track_caller]
    pub(crate) fn empty(self) -> Answer {
        assert_eq!(self.text(), "", "{}", self.question);
        self
    }

    /// The status.
    pub(crate) fn status(&self) -> u16 {
        self.received.status
    }

    /// The value of a header; its name in lower case.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.received.header(name)
    }

    /// The body as text.
    pub(crate) fn text(&self) -> String {
        String::from_utf8(self.received.body.clone()).unwrap()
    }

    /// The body as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.received.body)
            .unwrap_or_else(|error| panic!("{}: {error}: {}", self.question, self.text()))
    }

    /// The string at a JSON pointer.
    #[track_caller]
    pub(crate) fn string(&self, pointer: &str) -> String {
        let json = self.json();
        let found = json.pointer(pointer).and_then(Value::as_str);
        found
            .unwrap_or_else(|| panic!("no string at {pointer} in {json}"))
            .to_owned()
    }

    /// The number at a JSON pointer.
    #[track_caller]
    pub(crate) fn number(&self, pointer: &str) -> i64 {
        let json = self.json();
        let found = json.pointer(pointer).and_then(Value::as_i64);
        found.unwrap_or_else(|| panic!("no number at {pointer} in {json}"))
    }

    /// The error message, read from the error shape of the API; several are joined with `; `.
    #[track_caller]
    pub(crate) fn reason(&self) -> String {
        let shape = self
            .shape
            .unwrap_or_else(|| panic!("{}: no API answers", self.question));
        let json = || self.json();
        match shape {
            Shape::Text => self.text(),
            Shape::Angen => json()["reason"].as_str().unwrap_or_default().to_owned(),
            Shape::Message | Shape::CodeAndMessage => {
                json()["message"].as_str().unwrap_or_default().to_owned()
            }
            Shape::Fault => {
                let message = json()["error"]["message"].as_str().map(str::to_owned);
                message.unwrap_or_default()
            }
            Shape::Error => match json() {
                it if it["errors"].is_array() => {
                    let errors = it["errors"].as_array().unwrap().iter();
                    errors
                        .filter_map(Value::as_str)
                        .collect::<Vec<_>>()
                        .join("; ")
                }
                it => it["error"].as_str().unwrap_or_default().to_owned(),
            },
        }
    }

    fn code(&self) -> Option<String> {
        let is_coded = self.shape == Some(Shape::CodeAndMessage);
        is_coded.then(|| self.json()["code"].as_str().unwrap_or_default().to_owned())
    }
}
