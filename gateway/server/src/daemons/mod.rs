//! The daemons of a real cluster, each a start and a shutdown; and what it means to run one.

mod gateway;
mod meta;
mod run;
mod storage;

pub use gateway::Gateway;
pub use meta::Meta;
pub use run::{Daemon, StopTimes, run};
pub use storage::Storage;
