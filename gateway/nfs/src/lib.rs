//! The NFS protocol engine: NFSv3, MOUNT v3, NLM v4, NSM and portmap v2 over TCP, and all but NFS over UDP.
//!
//! A connection has one task that cuts records off the stream ([`connection`]) and hands each call to a
//! task of its own, and one task that sends replies as they are finished: calls do not wait for one
//! another. A procedure is one file under [`procedures`]: decode, ask the file service, answer. Nothing is
//! kept here that a restart loses: file handles carry all they need, and replies of calls that must not be
//! done twice are kept by the metadata service.
//!
//! | module | holds |
//! |---|---|
//! | `gateway` | sockets, start and shutdown |
//! | `connection` | records, replies, back-pressure |
//! | `proxies` | load balancers, and whose connections they pass on |
//! | `call`, `reply`, `dispatch` | one call from its bytes to its answer |
//! | `in_flight` | calls that must not be in work twice |
//! | `datagrams` | the same over UDP |
//! | `procedures` | one file per procedure |
//! | `client_key`, `admission`, `places`, `limits` | what a client and all together may take |
//! | `files` | what the engine needs of the file service |
//! | `handle` | file handles: their bytes, and who may make them |
//! | `attributes`, `status` | the file system's words in the protocol's |
//! | `lock_callbacks` | telling clients of locks that they waited for |
//! | `export_roots`, `mount_table` | what is remembered of exports and mounts |
//! | `registration`, `local_services` | the machine's rpcbind; being its port mapper |

mod admission;
mod attributes;
mod call;
mod client_key;
mod config;
mod connection;
mod datagram_socket;
mod datagrams;
mod dispatch;
mod engine;
mod error;
mod export_roots;
mod files;
mod gateway;
mod handle;
mod in_flight;
mod limits;
mod local_services;
mod lock_callbacks;
pub mod metrics;
mod mount_table;
mod places;
mod procedures;
mod proxies;
mod registration;
mod reply;
mod status;

pub use config::{ClusterKey, NfsConfig, PortmapMode};
pub use error::NfsError;
pub use files::FileService;
pub use gateway::{Gateway, PortmapState};
pub use handle::{HandleContents, HandleFault, HandleMaker};
pub use limits::Limits;
pub use status::{lock_status, mount_status, nfs_status};
