//! Counts logins by the kind of token that they bring, and how they ended.

use super::Counter;

/// How a login ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LoginOutcome {
    /// It brought a token.
    Right,
    /// The account is unknown or the password wrong.
    Wrong,
    /// A limit or a full queue refused it, and no password was compared.
    Refused,
    /// A fault of the server.
    Failed,
}

impl LoginOutcome {
    /// Every outcome, in the order of the enum.
    pub const ALL: [LoginOutcome; 4] = [
        LoginOutcome::Right,
        LoginOutcome::Wrong,
        LoginOutcome::Refused,
        LoginOutcome::Failed,
    ];

    /// Its name in the metrics.
    pub const fn as_str(self) -> &'static str {
        match self {
            LoginOutcome::Right => "right",
            LoginOutcome::Wrong => "wrong",
            LoginOutcome::Refused => "refused",
            LoginOutcome::Failed => "failed",
        }
    }
}

/// How logins ended since the start.
#[derive(Debug, Default)]
pub struct Logins([Counter; LoginOutcome::ALL.len()]);

impl Logins {
    /// Counts a login.
    pub fn count(&self, outcome: LoginOutcome) {
        if let Some(counter) = self.0.get(outcome as usize) {
            counter.increment();
        }
    }

    /// How many ended in each way.
    pub fn read(&self) -> impl Iterator<Item = (LoginOutcome, u64)> {
        LoginOutcome::ALL
            .into_iter()
            .zip(self.0.iter().map(Counter::get))
    }
}
