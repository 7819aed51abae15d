//! What a gateway remembers, so that it need not ask twice: blocks of file data in memory and on NVMe
//! ([`BlockCache`]), inodes ([`AttributeCache`]) and names ([`NameCache`]) in memory.
//!
//! Every cache is bounded in bytes, and none ever decides by itself that something is still valid: blocks
//! are keyed by what never changes (inode, data version, block), and inodes and names are dropped by whoever changes
//! them ([`Change`]).

mod attributes;
mod block;
mod block_cache;
mod coherent;
mod config;
mod directory;
mod epochs;
mod error;
mod in_flight;
pub mod metrics;
mod names;
mod range_read;
#[cfg(test)]
mod tests;

pub use attributes::AttributeCache;
pub use block::{BLOCK_BYTES, BlockIndex, BlockKey, FileVersion};
pub use block_cache::BlockCache;
pub use coherent::Coherent;
pub use config::{CacheConfig, MEMORY_BYTES_MIN, NVME_BYTES_MIN};
pub use epochs::{Change, Ticket};
pub use error::CacheError;
pub use names::{NameCache, NameEntry, NameTicket};
pub use range_read::Fetched;
