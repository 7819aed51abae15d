//! What the client does with files' data, one file each.

mod commit;
mod file_status;
mod read;
mod remove;
mod scrub;
mod target_request;
mod truncate;
mod verifier;
mod write;

pub use commit::{CommitReceipt, CommitScope};
pub use write::WriteReceipt;

#[cfg(test)]
mod away_tests;
#[cfg(test)]
mod tests;
