//! SIGTERM and SIGINT: the first asks the process to finish, the second ends it at once.

use std::io;

use tokio::signal::unix::{Signal, SignalKind, signal};

/// The two signals that ask a process to stop.
#[derive(Debug)]
pub struct StopSignals {
    interrupt: Signal,
    terminate: Signal,
}

/// Which signal came.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StopSignal {
    /// SIGINT: Ctrl-C.
    Interrupt,
    /// SIGTERM: a service manager.
    Terminate,
}

impl StopSignal {
    /// The status of a process that such a signal ended, as shells count it.
    pub fn exit_status(self) -> i32 {
        match self {
            Self::Interrupt => 130,
            Self::Terminate => 143,
        }
    }
}

impl StopSignals {
    /// Catches the signals from now on.
    ///
    /// # Errors
    /// If the system refuses.
    pub fn catch() -> io::Result<Self> {
        Ok(Self {
            interrupt: signal(SignalKind::interrupt())?,
            terminate: signal(SignalKind::terminate())?,
        })
    }

    /// Waits for one.
    pub async fn stopped(&mut self) -> StopSignal {
        tokio::select! {
            _ = self.interrupt.recv() => StopSignal::Interrupt,
            _ = self.terminate.recv() => StopSignal::Terminate,
        }
    }

    /// Ends the process at once when the next one comes.
    #[expect(
        clippy::disallowed_methods,
        reason = "somebody wants the end without what shutting down does"
    )]
    pub fn exit_on_the_next(mut self) {
        tokio::spawn(async move {
            let signal = self.stopped().await;
            tracing::warn!(?signal, "a second signal: ending at once");
            std::process::exit(signal.exit_status());
        });
    }
}
