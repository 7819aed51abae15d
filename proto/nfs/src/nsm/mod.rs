//! The network status monitor, version 1 (X/Open XNFS chapter 11): who has rebooted.

mod monitor;
mod notify;
mod procedure;
#[cfg(test)]
mod tests;

pub use monitor::{
    CallbackAddress, MonitorArgs, MonitorId, MonitorResult, SimulateCrashArgs, StatArgs, State,
    StatusResult, UnmonitorAllArgs, UnmonitorArgs,
};
pub use notify::{NotifyArgs, StatusCallback};
pub use procedure::Procedure;

use crate::xdr::BoundedBytes;

/// The version.
pub const VERSION: u32 = 1;
/// Most bytes of a name (SM_MAXSTRLEN).
pub const NAME_LENGTH_MAX: usize = 1024;
/// Bytes that a monitor keeps for whoever asked it to watch (SM_PRIV_SIZE).
pub const PRIVATE_LENGTH: usize = 16;

/// A host's name.
pub type HostName<'a> = BoundedBytes<'a, NAME_LENGTH_MAX>;
