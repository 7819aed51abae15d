//! Where time comes in. Everything else that wants to know the time takes a [`Clock`], so that
//! tests and simulations own it.

use std::fmt;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use rustix::time::{ClockId, clock_gettime};

use crate::Timestamp;

/// A source of time.
pub trait Clock: Send + Sync + fmt::Debug {
    /// Wall-clock time, which may jump; for time stamps only.
    fn now(&self) -> Timestamp;

    /// Time since an arbitrary start, which never runs backwards; for deadlines and durations. It goes on while the machine
    /// or the process is stopped: a lease that ran out meanwhile has run out.
    fn monotonic(&self) -> Duration;
}

/// The machine's clocks.
#[derive(Clone, Copy, Debug)]
pub struct SystemClock {
    start: Duration,
}

impl SystemClock {
    /// A clock whose monotonic time starts now.
    pub fn new() -> Self {
        Self {
            start: since_boot(),
        }
    }
}

impl Default for SystemClock {
    fn default() -> Self {
        Self::new()
    }
}

impl Clock for SystemClock {
    #[expect(clippy::disallowed_methods, reason = "the one place time comes in")]
    fn now(&self) -> Timestamp {
        match SystemTime::now().duration_since(UNIX_EPOCH) {
            Ok(since) => Timestamp::default().plus(since),
            Err(_) => Timestamp::default(),
        }
    }

    fn monotonic(&self) -> Duration {
        since_boot().saturating_sub(self.start)
    }
}

/// The machine's age, time in suspension included.
fn since_boot() -> Duration {
    let time = clock_gettime(ClockId::Boottime);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
}
