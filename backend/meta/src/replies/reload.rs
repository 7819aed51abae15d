//! The index after a start, from the durable records.
//!
//! All records are read, up to 1 GB if there are as many as there may be: some seconds, once.

use std::sync::Arc;
use std::time::Duration;

use sluice_types::{Clock, Timestamp};

use super::index::Index;
use crate::error::MetaError;
use crate::kv::{Engine, Isolation, Key};
use crate::records::{CallHash, ReplyRecord, keys};

/// Records read at once.
const PAGE: usize = 1024;

/// The index of all records. Each keeps what is left of its time; by a clock that was set back meanwhile, all of it.
pub(super) async fn index(
    engine: &Arc<dyn Engine>,
    clock: &dyn Clock,
    kept: Duration,
) -> Result<Index, MetaError> {
    let (now, monotonic) = (clock.now(), clock.monotonic());
    let mut found: Vec<(Duration, CallHash)> = Vec::new();
    let mut range = keys::replies();
    loop {
        let page = engine.begin(Isolation::Latest).range(&range, PAGE).await?;
        let Some((last, _)) = page.last() else {
            break;
        };
        range.start = last.clone().successor();
        for (key, value) in page {
            let age = age(ReplyRecord::decode(&value)?.recorded_at, now);
            found.push((monotonic + kept.saturating_sub(age), call_of(&key)?));
        }
    }
    found.sort_unstable();
    let mut index = Index::default();
    for (expires, call) in found {
        index.insert(call, expires);
    }
    Ok(index)
}

fn call_of(key: &Key) -> Result<CallHash, MetaError> {
    keys::parse_reply(key).ok_or_else(|| MetaError::Damaged {
        record: "reply",
        expected: "a key of its kind",
        found: format!("{key:?}"),
    })
}

/// The time from `then` to `now`; zero if `then` is later.
fn age(then: Timestamp, now: Timestamp) -> Duration {
    let since_epoch = |time: Timestamp| {
        let seconds = u64::try_from(time.seconds()).unwrap_or(0);
        Duration::new(seconds, time.nanoseconds())
    };
    since_epoch(now).saturating_sub(since_epoch(then))
}
