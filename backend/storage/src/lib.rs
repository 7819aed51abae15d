//! A storage daemon without its socket: the targets of one process, the requests of the data plane served from
//! their stores, and the reports that keep the metadata service informed.
//!
//! ```text
//!   fabric (local | tcp)  ->  StorageService: Handler  ->  Store of the target asked
//!   metadata service     <-   reporter: RegisterTargets every second
//! ```

mod error;
mod fences;
pub mod metrics;
mod operations;
mod reporter;
mod service;
mod targets;
#[cfg(test)]
mod tests;

pub use error::StorageError;
pub use reporter::{ReporterConfig, run_reporter};
pub use service::StorageService;
pub use targets::{TargetConfig, TargetHealth, Targets};
