//! What can be wrong with a message from outside.

use thiserror::Error;

/// What is wrong with a message from outside.
#[derive(Clone, Debug, PartialEq, Eq, Error)]
pub enum WireError {
    /// It is no protobuf message of the expected kind.
    #[error("not a {expected}: {reason}")]
    Malformed {
        /// The kind of message.
        expected: &'static str,
        /// What the decoder said.
        reason: String,
    },
    /// A field that must be there is not.
    #[error("{field} is missing")]
    Missing {
        /// The field.
        field: &'static str,
    },
    /// A field's value is not one it can have.
    #[error("{field} must be {expected}, not {found}")]
    Invalid {
        /// The field.
        field: &'static str,
        /// What it can be.
        expected: &'static str,
        /// What came.
        found: String,
    },
}

impl WireError {
    /// A field with a value it cannot have.
    #[expect(
        clippy::needless_pass_by_value,
        reason = "callers hand over numbers and text alike"
    )]
    pub(crate) fn invalid(
        field: &'static str,
        expected: &'static str,
        found: impl ToString,
    ) -> Self {
        Self::Invalid {
            field,
            expected,
            found: found.to_string(),
        }
    }

    /// Not a message of the expected kind.
    pub(crate) fn malformed(expected: &'static str, reason: &prost::DecodeError) -> Self {
        Self::Malformed {
            expected,
            reason: reason.to_string(),
        }
    }
}
