//! Running something until a signal comes.

use std::future::Future;
use std::process::ExitCode;
use std::time::Duration;

use async_trait::async_trait;
use tracing::{error, info};

use crate::signals::StopSignals;

/// Something that serves until it is told to stop.
#[async_trait]
pub trait Daemon: Sized + Send {
    /// Says that it is not ready, and goes on to serve. Only what load balancers send clients to has to say so early.
    fn retire(&self) {}

    /// Stops in order: says it is not ready, takes no new work, finishes what is in work, makes everything durable.
    ///
    /// # Errors
    /// If something could not be made durable.
    async fn shutdown(self) -> anyhow::Result<()>;
}

/// How long the steps of stopping take.
#[derive(Clone, Copy, Debug)]
pub struct StopTimes {
    /// How long it goes on to serve after it said that it is not ready, for load balancers to notice.
    pub drain_delay: Duration,
    /// How long stopping in order may take from then on.
    pub shutdown_deadline: Duration,
}

/// Starts a daemon and runs it until SIGTERM or SIGINT; then stops it in these `times`. A second signal ends the wait of
/// `drain_delay`; one after that ends the process at once.
///
/// # Errors
/// If it does not start, or does not stop in order.
pub async fn run<D: Daemon>(
    starting: impl Future<Output = anyhow::Result<D>>,
    times: StopTimes,
) -> anyhow::Result<ExitCode> {
    let mut signals = StopSignals::catch()?;
    let daemon = tokio::select! {
        started = starting => started?,
        signal = signals.stopped() => {
            // Nothing was acknowledged to anybody yet: there is nothing to wait for.
            info!(?signal, "stopped before serving");
            return Ok(ExitCode::SUCCESS);
        }
    };
    let signal = signals.stopped().await;
    info!(?signal, "stopping");
    daemon.retire();
    wait_to_be_noticed(times.drain_delay, &mut signals).await;
    signals.exit_on_the_next();
    let deadline = times.shutdown_deadline;
    match tokio::time::timeout(deadline, daemon.shutdown()).await {
        Ok(Ok(())) => {
            info!("stopped");
            Ok(ExitCode::SUCCESS)
        }
        Ok(Err(error)) => Err(error.context("not stopped in order")),
        Err(_) => {
            error!(?deadline, "not stopped in time: ending all the same");
            end_now()
        }
    }
}

/// Gives load balancers time to see that it is not ready, and to send new connections elsewhere.
async fn wait_to_be_noticed(delay: Duration, signals: &mut StopSignals) {
    if delay.is_zero() {
        return;
    }
    info!(
        ?delay,
        "not ready any more: serving on until load balancers have noticed"
    );
    tokio::select! {
        () = tokio::time::sleep(delay) => {}
        signal = signals.stopped() => info!(?signal, "not waiting for load balancers"),
    }
}

/// Ends the process although something hangs: leaving `main` would wait for its threads.
#[expect(
    clippy::disallowed_methods,
    reason = "nothing is left that could still be flushed in order"
)]
fn end_now() -> ! {
    std::process::exit(1)
}
