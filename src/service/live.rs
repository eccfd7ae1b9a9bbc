//! Listening to events while they are stored.

use std::time::Duration;

use super::question::{given, user};
use super::{Bearer, Error, Services, history};
use crate::model::{Invalid, LiveQuery, Timestamp, TokenStatus};
use crate::store::EventListener;

/// When to come back after as many listened as may.
const LATER: Duration = Duration::from_secs(10);

/// What is listened for, unchecked. What is none or empty asks for nothing in particular.
#[derive(Debug, Clone, Copy, Default)]
pub struct LiveQuestion<'a> {
    /// Events of this name.
    pub name: Option<&'a str>,
    /// Events about this user.
    pub user_id: Option<&'a str>,
    /// The id of the last event that was heard before.
    pub last_event_id: Option<&'a str>,
}

impl Services {
    /// Begins to listen.
    pub async fn listen(
        &self,
        question: LiveQuestion<'_>,
    ) -> Result<Box<dyn EventListener>, Error> {
        let listener = self.store.listen(parse(&question)?).await?;
        listener.ok_or(Error::Busy { retry_after: LATER })
    }

    /// Whether a token that was good still is. Looking is no use of it. A store that cannot say counts as no.
    pub async fn is_still_good(&self, bearer: &Bearer, now: Timestamp) -> bool {
        match self.store.find_token(&bearer.digest).await {
            Ok(Some(found)) => found.token.status(found.epoch, now) == TokenStatus::Live,
            Ok(None) | Err(_) => false,
        }
    }
}

fn parse(question: &LiveQuestion<'_>) -> Result<LiveQuery, Invalid> {
    Ok(LiveQuery {
        name: given(question.name).map(str::to_owned),
        subject: given(question.user_id)
            .map(|text| user("user_id", text))
            .transpose()?,
        after: given(question.last_event_id)
            .map(|text| history::position("Last-Event-ID", text))
            .transpose()?,
    })
}
