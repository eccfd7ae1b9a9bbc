//! The clients of a test server. Tests call methods on them: `ana.post(…)`, `session.get(…)`.

use std::sync::Arc;

use serde_json::{Value, json};

use super::client::Body;
use super::{Answer, PASSWORD, Request, TestServer};

/// A client that sends requests, with or without a token.
#[derive(Clone)]
pub(crate) struct Actor {
    inner: Arc<TestServer>,
    /// Headers that are sent with every request.
    headers: Vec<(String, String)>,
    /// The token; empty if there is none.
    pub(crate) token: String,
    /// Angen: the renewal code of the token; empty for other tokens.
    pub(crate) renewal: String,
}

impl Actor {
    pub(crate) fn new(inner: &Arc<TestServer>) -> Actor {
        let (token, renewal) = (String::new(), String::new());
        Actor {
            inner: Arc::clone(inner),
            headers: Vec::new(),
            token,
            renewal,
        }
    }

    /// A copy that sends this token as a bearer token.
    pub(crate) fn with_token(&self, token: &str) -> Actor {
        let mut actor = self.with_header("Authorization", &format!("Bearer {token}"));
        token.clone_into(&mut actor.token);
        actor
    }

    /// A copy that sends one more header with every request.
    pub(crate) fn with_header(&self, name: &str, value: &str) -> Actor {
        let mut actor = self.clone();
        actor.headers.push((name.to_owned(), value.to_owned()));
        actor
    }

    /// A copy that seems to come from another address, if the server trusts the proxy (127.0.0.1).
    pub(crate) fn at_address(&self, address: &str) -> Actor {
        self.with_header("X-Forwarded-For", address)
    }

    /// Sends a request with the actor's headers, and checks the answer against its declaration.
    #[track_caller]
    pub(crate) fn send(&self, mut request: Request) -> Answer {
        let (address, checker) = self.inner.door();
        request.headers.extend(self.headers.iter().cloned());
        let received = request.send(address);
        checker.check(&request, &received);
        let shape = checker.shape_of(&request.path);
        Answer {
            question: format!("{} {}", request.method, request.path),
            received,
            shape,
        }
    }

    #[track_caller]
    pub(crate) fn get(&self, path: &str) -> Answer {
        self.send(Request::new("GET", path))
    }

    #[track_caller]
    pub(crate) fn post(&self, path: &str, body: impl Body) -> Answer {
        self.send(Request::new("POST", path).body(body))
    }

    #[track_caller]
    pub(crate) fn patch(&self, path: &str, body: impl Body) -> Answer {
        self.send(Request::new("PATCH", path).body(body))
    }

    #[track_caller]
    pub(crate) fn delete(&self, path: &str) -> Answer {
        self.send(Request::new("DELETE", path))
    }

    /// Ephemeride: logs in.
    #[track_caller]
    pub(crate) fn log_in(&self, email: &str, password: &str) -> Answer {
        self.post("/v1/auth", json!({"email": email, "password": password}))
    }

    /// Ephemeride: signs up.
    #[track_caller]
    pub(crate) fn sign_up(&self, email: &str) -> Answer {
        self.post(
            "/v1/user",
            json!({"name": "Somebody", "email": email, "password": PASSWORD}),
        )
    }

    /// Core: asks for a reset mail.
    #[track_caller]
    pub(crate) fn ask_reset(&self, email: &str) {
        self.post("/api/password", json!({"email": email}))
            .gives(201)
            .empty();
    }

    /// Core: sets a password with a code.
    #[track_caller]
    pub(crate) fn redeem(&self, code: &str, password: &str) -> Answer {
        let body = json!({"token": code, "password": password, "password_confirmation": password});
        self.patch("/api/password", body)
    }

    /// Core: exchanges the access token for its successor.
    #[track_caller]
    pub(crate) fn refresh(&self) -> Answer {
        self.send(Request::new("POST", "/api/auth/refresh"))
    }

    /// Angen: exchanges the token and its renewal code for a new pair.
    #[track_caller]
    pub(crate) fn renew_pair(&self) -> Answer {
        self.post("/api/renew_token", json!({"renewal_code": self.renewal}))
    }

    /// Angen: reports simple events.
    #[track_caller]
    pub(crate) fn report(&self, names: &[&str]) -> Answer {
        let events: Vec<Value> = names.iter().map(|name| json!({"name": name})).collect();
        self.post("/api/events/simple_clientapp", json!({"events": events}))
    }

    /// Whether the server accepts the token: an empty report of events gives 201, not 401.
    pub(crate) fn is_let_in(&self) -> bool {
        match self
            .post("/api/events/simple_clientapp", json!({"events": []}))
            .status()
        {
            201 => true,
            401 => false,
            other => panic!("neither in nor out: {other}"),
        }
    }
}

/// An account, and how to log in to it.
pub(crate) struct User {
    stranger: Actor,
    pub(crate) id: String,
    pub(crate) email: String,
    pub(crate) password: String,
}

impl User {
    pub(crate) fn sign_up(stranger: &Actor, email: &str) -> User {
        let id = stranger.sign_up(email).gives(201).string("/user_id");
        let (email, password) = (email.to_owned(), PASSWORD.to_owned());
        User {
            stranger: stranger.clone(),
            id,
            email,
            password,
        }
    }

    /// Logs in to Ephemeride: a client with a session.
    #[track_caller]
    pub(crate) fn session(&self) -> Actor {
        let session = self.stranger.log_in(&self.email, &self.password).gives(201);
        self.stranger.with_token(&session.string("/id"))
    }

    /// Logs in to Core: a client with an access token.
    #[track_caller]
    pub(crate) fn access(&self) -> Actor {
        let login = json!({"email": self.email, "password": self.password});
        let token = self
            .stranger
            .post("/api/auth", login)
            .gives(200)
            .string("/token");
        self.stranger.with_token(&token)
    }

    /// Logs in to Angen: a client with a token and its renewal code.
    #[track_caller]
    pub(crate) fn angen(&self) -> Actor {
        let login = json!({"id": self.id, "password": self.password, "user_agent": "a client"});
        let pair = self.stranger.post("/api/request_token", login).gives(201);
        let mut actor = self
            .stranger
            .with_token(&pair.string("/token/identifier_code"));
        actor.renewal = pair.string("/token/renewal_code");
        actor
    }
}
