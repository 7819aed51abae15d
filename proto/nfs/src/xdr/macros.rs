//! Macros that write the codecs of plain structures and enumerations.

/// Defines a structure whose wire form is its fields in order.
macro_rules! wire_struct {
    (
        $(#[$attribute:meta])*
        pub struct $name:ident $(<$life:lifetime>)? {
            $( $(#[$field_attribute:meta])* pub $field:ident: $kind:ty, )*
        }
    ) => {
        $(#[$attribute])*
        pub struct $name $(<$life>)? {
            $( $(#[$field_attribute])* pub $field: $kind, )*
        }

        impl $(<$life>)? $crate::xdr::Encode for $name $(<$life>)? {
            #[allow(unused_variables, reason = "structures without fields")]
            fn encode(&self, encoder: &mut $crate::xdr::Encoder) {
                $( $crate::xdr::Encode::encode(&self.$field, encoder); )*
            }
        }

        $crate::xdr::wire_struct!(@decode $name $(<$life>)? { $($field),* });
    };
    (@decode $name:ident <$life:lifetime> { $($field:ident),* }) => {
        impl<$life> $crate::xdr::Decode<$life> for $name<$life> {
            fn decode(
                decoder: &mut $crate::xdr::Decoder<$life>,
            ) -> Result<Self, $crate::XdrError> {
                Ok(Self { $( $field: $crate::xdr::Decode::decode(decoder)?, )* })
            }
        }
    };
    (@decode $name:ident { $($field:ident),* }) => {
        impl<'record> $crate::xdr::Decode<'record> for $name {
            #[allow(unused_variables, reason = "structures without fields")]
            fn decode(
                decoder: &mut $crate::xdr::Decoder<'record>,
            ) -> Result<Self, $crate::XdrError> {
                Ok(Self { $( $field: $crate::xdr::Decode::decode(decoder)?, )* })
            }
        }
    };
}

/// Defines an enumeration with its numbers and its names in the protocol's words.
macro_rules! wire_enum {
    (
        $(#[$attribute:meta])*
        pub enum $name:ident {
            $( $(#[$case_attribute:meta])* $case:ident = $number:literal => $text:literal, )*
        }
    ) => {
        $(#[$attribute])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
        #[repr(u32)]
        pub enum $name {
            $( $(#[$case_attribute])* $case = $number, )*
        }

        impl $name {
            /// Every case, in the order of their numbers.
            pub const ALL: &'static [Self] = &[$(Self::$case),*];

            /// The case that has this number on the wire.
            pub const fn from_number(number: u32) -> Option<Self> {
                match number {
                    $( $number => Some(Self::$case), )*
                    _ => None,
                }
            }

            /// The number on the wire.
            pub const fn number(self) -> u32 {
                self as u32
            }

            /// The name, as the specification has it, in lower case: for labels and logs.
            pub const fn name(self) -> &'static str {
                match self {
                    $( Self::$case => $text, )*
                }
            }
        }

        impl $crate::xdr::Encode for $name {
            fn encode(&self, encoder: &mut $crate::xdr::Encoder) {
                encoder.u32(self.number());
            }
        }

        impl<'record> $crate::xdr::Decode<'record> for $name {
            fn decode(
                decoder: &mut $crate::xdr::Decoder<'record>,
            ) -> Result<Self, $crate::XdrError> {
                decoder.enumeration(stringify!($name), Self::from_number)
            }
        }
    };
}

pub(crate) use {wire_enum, wire_struct};
