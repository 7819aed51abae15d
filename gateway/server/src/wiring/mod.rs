//! The crates below put together into the parts that processes are made of. [`crate::up`] puts all parts into one process,
//! [`crate::daemons`] one into each; neither repeats what is here.

mod background;
mod client;
mod fabric;
mod front;
mod links;
mod meta;
mod storage;
mod watch;

pub use background::Background;
pub use client::{open_gateway_client, reclaim_in_background};
pub use fabric::{remote_metadata, tcp_transport};
pub use front::{Front, FrontConfig};
pub use links::{check_link, insecure_links, keyed_links, links};
pub use meta::{MetaServer, close_meta, open_meta};
pub use storage::{
    Storage, failed_targets, open_storage, report_in_background, serve_storage, storage_state,
};
pub use watch::{FrontConditions, watch_in_background};
