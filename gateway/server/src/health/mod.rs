//! Metrics and health on one HTTP port: `/metrics`, `/healthz`, `/readyz`.
//!
//! `/healthz` says that the process is alive; `/readyz` that it serves clients now, with the reasons if it does not. It is
//! what a load balancer asks, so answering it asks nobody else: whoever learns something tells [`Readiness`].

mod http;
mod readiness;

pub use http::HealthServer;
pub use readiness::{Condition, Readiness};
