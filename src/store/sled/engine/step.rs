//! One step of the writer: what it runs, and to whom its result goes.

use std::panic::{AssertUnwindSafe, catch_unwind};

use tokio::sync::oneshot;

use crate::store::sled::engine::disk_space::{DiskBudget, WriteCost};
use crate::store::sled::engine::group_state::GroupState;
use crate::store::sled::engine::queue::QueuedStep;
use crate::store::sled::engine::transaction::Transaction;
use crate::store::{Error, Result};

/// A step in the queue, with the place for its result.
pub(crate) struct Step<T, F> {
    cost: WriteCost,
    run: Option<F>,
    outcome: Result<T>,
    answer: oneshot::Sender<Result<T>>,
}

impl<T, F> Step<T, F> {
    /// A step that waits to be run and then to be answered.
    pub(crate) fn new(cost: WriteCost, run: F, answer: oneshot::Sender<Result<T>>) -> Step<T, F> {
        Step {
            cost,
            run: Some(run),
            outcome: Err(Error::Stopped("the step was not run".into())),
            answer,
        }
    }
}

impl<S, T, F> QueuedStep<S> for Step<T, F>
where
    S: GroupState,
    T: Send,
    F: FnOnce(&mut Transaction<'_>, &mut S) -> Result<T> + Send,
{
    fn cost(&self) -> WriteCost {
        self.cost
    }

    fn run(&mut self, tx: &mut Transaction<'_>, state: &mut S, budget: &mut DiskBudget) {
        let Some(run) = self.run.take() else { return };
        let outcome = catch_unwind(AssertUnwindSafe(|| run(tx, state)));
        self.outcome = match outcome {
            Ok(Ok(_)) if !budget.take(self.cost.class, tx.step_bytes() + state.step_bytes()) => {
                Err(Error::Full)
            }
            Ok(outcome) => outcome,
            Err(_) => Err(Error::Corrupt("a step panicked; see the log".into())),
        };
        if self.outcome.is_ok() {
            tx.keep();
            state.keep();
        } else {
            tx.roll_back();
            state.roll_back();
        }
    }

    fn answer(self: Box<Self>, group: Result<()>) {
        // The client may have disconnected. The step has happened anyway.
        let _ = self.answer.send(group.and(self.outcome));
    }
}
