//! Conversions between domain values and messages, both ways.
//!
//! A value goes out through [`Field::to_wire`], which cannot fail, and comes in through [`Field::from_wire`],
//! which checks everything a domain type promises: a domain value that exists is valid, wherever it
//! came from. Each type is converted in one place; [`message!`] strings fields together.

mod attributes;
mod cluster;
mod failure;
mod inode;
mod plain;

use crate::WireError;

/// A domain value that is a message's field of type `W`.
pub(crate) trait Field<W>: Sized {
    /// The field that carries the value.
    fn to_wire(self) -> W;

    /// The value in a field that came from outside; `field` names it in errors.
    fn from_wire(wire: W, field: &'static str) -> Result<Self, WireError>;
}

/// Ties a domain struct to its message, field by field, and makes it usable as a required, optional or
/// repeated field of other messages.
macro_rules! message {
    ($domain:ty = $message:ty { $($field:ident),* $(,)? }) => {
        impl From<$domain> for $message {
            #[allow(unused_variables, reason = "a message may have no fields")]
            fn from(value: $domain) -> Self {
                Self { $($field: $crate::convert::Field::to_wire(value.$field)),* }
            }
        }

        impl TryFrom<$message> for $domain {
            type Error = $crate::WireError;

            #[allow(unused_variables, reason = "a message may have no fields")]
            fn try_from(message: $message) -> Result<Self, $crate::WireError> {
                Ok(Self {
                    $($field: $crate::convert::Field::from_wire(message.$field, stringify!($field))?),*
                })
            }
        }

        $crate::convert::message_field!($domain = $message);
    };
}

/// Makes a domain type with both conversions usable as a field of other messages.
macro_rules! message_field {
    ($domain:ty = $message:ty) => {
        impl $crate::convert::Field<Option<$message>> for $domain {
            fn to_wire(self) -> Option<$message> {
                Some(self.into())
            }

            fn from_wire(
                wire: Option<$message>,
                field: &'static str,
            ) -> Result<Self, $crate::WireError> {
                wire.ok_or($crate::WireError::Missing { field })?.try_into()
            }
        }

        impl $crate::convert::Field<Option<$message>> for Option<$domain> {
            fn to_wire(self) -> Option<$message> {
                self.map(Into::into)
            }

            fn from_wire(
                wire: Option<$message>,
                _field: &'static str,
            ) -> Result<Self, $crate::WireError> {
                wire.map(TryInto::try_into).transpose()
            }
        }

        impl $crate::convert::Field<Vec<$message>> for Vec<$domain> {
            fn to_wire(self) -> Vec<$message> {
                self.into_iter().map(Into::into).collect()
            }

            fn from_wire(
                wire: Vec<$message>,
                _field: &'static str,
            ) -> Result<Self, $crate::WireError> {
                wire.into_iter().map(TryInto::try_into).collect()
            }
        }
    };
}

/// Ties a domain enum without data to the protobuf enum with the same variants.
macro_rules! enumeration {
    ($domain:ty = $message:ty, $expected:literal { $($variant:ident),* $(,)? }) => {
        impl $crate::convert::Field<i32> for $domain {
            fn to_wire(self) -> i32 {
                match self {
                    $(Self::$variant => <$message>::$variant as i32),*
                }
            }

            fn from_wire(wire: i32, field: &'static str) -> Result<Self, $crate::WireError> {
                match <$message>::try_from(wire) {
                    $(Ok(<$message>::$variant) => Ok(Self::$variant),)*
                    Ok(<$message>::Unspecified) | Err(_) => {
                        Err($crate::WireError::invalid(field, $expected, wire))
                    }
                }
            }
        }
    };
}

pub(crate) use {enumeration, message, message_field};
