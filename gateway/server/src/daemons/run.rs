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
    /// Stops in order: says it is not ready, takes no new work, finishes what is in work, makes everything durable.
    ///
    /// # Errors
    /// If something could not be made durable.
    async fn shutdown(self) -> anyhow::Result<()>;
}

/// Starts a daemon and runs it until SIGTERM or SIGINT; then stops it, within `deadline`. A second signal ends the
/// process at once.
///
/// # Errors
/// If it does not start, or does not stop in order.
pub async fn run<D: Daemon>(
    starting: impl Future<Output = anyhow::Result<D>>,
    deadline: Duration,
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
    signals.exit_on_the_next();
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

/// Ends the process although something hangs: leaving `main` would wait for its threads.
#[expect(
    clippy::disallowed_methods,
    reason = "nothing is left that could still be flushed in order"
)]
fn end_now() -> ! {
    std::process::exit(1)
}
