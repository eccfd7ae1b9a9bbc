//! Locks that stay usable after a panic.
//!
//! A panic while a lock is held poisons it, and every later `lock()` fails. The values locked here
//! are consistent between any two statements, so the next holder can continue: one request may
//! fail, the server must not.

use std::sync::{LockResult, Mutex, MutexGuard, PoisonError};

/// The guard, whether its lock is poisoned or not.
pub(crate) fn recover<G>(held: LockResult<G>) -> G {
    held.unwrap_or_else(PoisonError::into_inner)
}

/// Locks a mutex, even if it is poisoned.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    recover(mutex.lock())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;

    #[test]
    fn a_lock_is_held_again_after_a_panic() {
        let value = Arc::new(Mutex::new(1));
        let shared = Arc::clone(&value);
        let panicked = std::thread::spawn(move || {
            let mut held = shared.lock().unwrap();
            *held = 2;
            panic!("while the lock is held");
        });
        assert!(panicked.join().is_err() && value.is_poisoned());
        assert_eq!(*lock(&value), 2);
    }
}
