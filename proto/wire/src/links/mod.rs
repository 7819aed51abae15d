//! Links: connections inside the cluster, and how both ends prove that they belong to it before anything else is said.
//!
//! A member has the cluster key. Right after a connection is made, the one who asked for it and the one who accepted it
//! each send a number never used before (a nonce), and each proves that it has the key by an HMAC-SHA-256 over both
//! nonces:
//!
//! ```text
//! asker    -> accepter   Hello      the asker's nonce
//! accepter -> asker      Challenge  the accepter's nonce, the accepter's proof
//! asker    -> accepter   Proof      the asker's proof
//! either   -> the other  Refusal    why it ends here
//! ```
//!
//! Three messages, one round trip, once a connection; requests cost nothing more. A proof says for which role and which
//! service it is, so none can be played back to its maker or carried over to another port. It holds for this connection
//! only, since both nonces are in it.
//!
//! What it gives: nobody without the key is served, or served from. What it does not: bytes are neither encrypted nor
//! signed, so whoever can read or change what the network carries can do so after the proofs. That takes a network that
//! nobody else is in, or IPsec or WireGuard under it.
//!
//! Whoever is not known yet costs little: 5 s at most ([`HANDSHAKE_DEADLINE`]), 136 bytes, a small task; there are
//! [`HALF_OPEN_MAX`] of them at a time, and the oldest makes room for the newest.
//!
//! | module | holds |
//! |---|---|
//! | `key` | the key, and what is proved with it |
//! | `message` | the four messages in bytes |
//! | `exchange` | which message follows which, without I/O |
//! | `member` | the exchange over a socket; deadlines, logs, metrics |
//! | `acceptor` | a listener that yields members only |

mod acceptor;
mod error;
mod exchange;
mod key;
mod member;
mod message;

pub use acceptor::{Accept, Acceptor, HALF_OPEN_MAX};
pub use error::{LinkError, Refusal};
pub use key::LinkKey;
pub use member::{HANDSHAKE_DEADLINE, Links, Member};
pub use message::{HEAD_BYTES, LinkService, MessageHead, read_message};

#[cfg(test)]
mod tests;
