//! What can go wrong in a key-value engine.

use thiserror::Error;

/// Why a transaction or a flush did not succeed.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum KvError {
    /// Something that the transaction read has changed; run it again.
    #[error("the transaction conflicts with another")]
    Conflict,
    /// The engine failed earlier and takes no more commits; a restart recovers what is durable.
    #[error("the engine has failed and must be restarted: {reason}")]
    Failed {
        /// The failure that came first.
        reason: String,
    },
    /// The disk is full.
    #[error("no space left while {doing}")]
    NoSpace {
        /// What was being done.
        doing: &'static str,
    },
    /// The engine's own error.
    #[error("{doing}: {reason}")]
    Engine {
        /// What was being done.
        doing: &'static str,
        /// The engine's words.
        reason: String,
    },
}
