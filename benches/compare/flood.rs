//! What a flood of wrong logins does to other requests, beside what as many busy threads do to the
//! floor.

use std::num::NonZero;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::JoinHandle;

use crate::figures::{Figure, Goal, figure, median, number};
use crate::floor;
use crate::measure::{Furnished, good, logins_with};
use crate::outcome::Outcome;
use crate::subject::Client;
use crate::wrk;

/// doorward has a hashing thread for each core, and at most so many.
const HASHING_THREADS: usize = 4;
/// The priority of the busy threads beside the floor (nice(2)): what a program would choose that
/// gives way without thinking about it.
const NICE: i32 = 10;

/// Threads that keep the cores busy until this is dropped.
struct BusyThreads {
    stop: Arc<AtomicBool>,
    threads: Vec<JoinHandle<()>>,
}

impl BusyThreads {
    fn start() -> BusyThreads {
        let stop = Arc::new(AtomicBool::new(false));
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        let busy = |_| {
            let stop = Arc::clone(&stop);
            std::thread::spawn(move || {
                // On Linux this applies to the thread alone.
                let _ = rustix::process::nice(NICE);
                while !stop.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            })
        };
        let threads = (0..cores.min(HASHING_THREADS)).map(busy).collect();
        BusyThreads { stop, threads }
    }
}

impl Drop for BusyThreads {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        for thread in self.threads.drain(..) {
            // A thread that only spins cannot panic.
            let _ = thread.join();
        }
    }
}

impl Furnished {
    /// The p99 of token checks during a flood of wrong logins, in turns with the floor.
    pub(crate) fn flood(&self) -> Outcome<Vec<Figure>> {
        let (check, wrong) = (self.token_check(), logins_with("wrong"));
        let mut client = Client::connect(self.server.port)?;
        let answer = client.call(check.method, &check.path, None, "")?;
        let floor = floor::start(answer.len())?;
        let seconds = self.pace.seconds;
        let p99 = |port| Ok(good(wrk::run(&check, port, 64, seconds)?)?.p99_ms) as Outcome<f64>;
        let (mut bare, mut idle, mut flooded, mut refused) = (vec![], vec![], vec![], vec![]);
        for _ in 0..self.pace.rounds {
            let busy = BusyThreads::start();
            bare.push(p99(floor.port)?);
            drop(busy);
            idle.push(p99(self.server.port)?);
            let guesses = wrk::start(&wrong, self.server.port, 16, seconds + 1)?;
            flooded.push(p99(self.server.port)?);
            refused.push(guesses.finish()?.per_second);
        }
        let [bare, idle, flooded, refused] = [bare, idle, flooded, refused].map(median);
        let beside = format!(
            "{} ms of {} ms; idle {} ms; {} wrong logins/s",
            number(flooded),
            number(bare),
            number(idle),
            number(refused)
        );
        Ok(vec![figure(
            "token check p99 during a flood of wrong logins, beside a floor with busy threads",
            Goal::AtMost(0.5),
            flooded / bare,
            " × floor",
            beside,
        )])
    }
}
