//! Runs calls at a fixed number in flight and takes the time of each.

use std::future::Future;
use std::time::{Duration, Instant};

use anyhow::Result;
use futures::stream::{self, StreamExt as _};

use crate::server::Server;

/// What a run of calls took.
#[derive(Debug)]
pub struct Measured {
    /// From the first call to the end.
    pub elapsed: Duration,
    /// Of each call, ascending.
    pub latencies: Vec<Duration>,
    /// CPU time of the server, if its process is known.
    pub cpu_seconds: Option<f64>,
}

/// Makes calls `0..count`, `in_flight` at a time, then `finish`, which counts too.
///
/// # Errors
/// The first error of a call.
pub async fn calls<F, Fut, G>(
    server: &Server,
    count: u64,
    in_flight: usize,
    call: F,
    finish: G,
) -> Result<Measured>
where
    F: Fn(u64) -> Fut,
    Fut: Future<Output = Result<()>>,
    G: Future<Output = Result<()>>,
{
    let cpu_before = server.cpu_seconds();
    let start = Instant::now();
    let mut latencies = Vec::with_capacity(usize::try_from(count)?);
    let mut running = stream::iter(0..count)
        .map(|index| {
            let call = call(index);
            async {
                let start = Instant::now();
                call.await.map(|()| start.elapsed())
            }
        })
        .buffer_unordered(in_flight);
    while let Some(latency) = running.next().await {
        latencies.push(latency?);
    }
    drop(running);
    finish.await?;
    let elapsed = start.elapsed();
    latencies.sort_unstable();
    let cpu_seconds = server
        .cpu_seconds()
        .zip(cpu_before)
        .map(|(after, before)| after - before);
    Ok(Measured {
        elapsed,
        latencies,
        cpu_seconds,
    })
}

impl Measured {
    /// The latency that `share` (0 to 1) of the calls did not exceed.
    pub fn percentile(&self, share: f64) -> Duration {
        let last = self.latencies.len().saturating_sub(1);
        let index = ((last as f64) * share).round() as usize;
        self.latencies.get(index).copied().unwrap_or_default()
    }
}
