//! Codecs for everything an NFSv3 client says to a server, and the answers: ONC RPC v2 with record
//! marking (RFC 5531), XDR (RFC 4506), NFSv3 and MOUNT v3 (RFC 1813), NLM v4, NSM and portmap v2.
//!
//! Decoders borrow from the record and check every length, against the protocol's limit and against
//! the bytes that are there, before anything is made of it: no decoder takes memory. Each message can be
//! encoded and decoded, so that a test's or a bench's client speaks through the same code as the
//! gateway. No I/O happens here.
//!
//! | module | holds |
//! |---|---|
//! | [`xdr`] | encoder, decoder, lists, bounded strings |
//! | [`rpc`] | record marking, call and reply headers, credentials |
//! | [`nfs3`] | the 22 procedures, one file each or per family |
//! | [`mount`] | MOUNT v3 |
//! | [`nlm`] | the network lock manager, version 4 |
//! | [`nsm`] | the status monitor, and the callback by which it tells NLM |
//! | [`portmap`] | the port mapper, version 2 |
//! | [`proxy`] | the PROXY protocol, version 2, by which a load balancer says whose connection it passes on |
//!
//! Statuses, file types and attributes are `nfsserve`'s (re-exported by [`nfs3`]).

mod error;
pub mod mount;
pub mod nfs3;
pub mod nlm;
pub mod nsm;
pub mod portmap;
pub mod proxy;
pub mod rpc;
pub mod xdr;

pub use error::XdrError;
