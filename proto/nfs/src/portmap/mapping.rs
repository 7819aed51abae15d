//! SET, UNSET, GETPORT and DUMP (RFC 1833 section 3.2): all about mappings.

use super::Procedure;
use crate::rpc::call::remote_call;
use crate::xdr::{List, wire_struct};

/// A transport's IP protocol number; numbers without a constant are transports not known here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Transport(pub u32);

impl Transport {
    /// TCP.
    pub const TCP: Self = Self(6);
    /// UDP.
    pub const UDP: Self = Self(17);
}

impl crate::xdr::Encode for Transport {
    fn encode(&self, encoder: &mut crate::xdr::Encoder) {
        encoder.u32(self.0);
    }
}

impl<'a> crate::xdr::Decode<'a> for Transport {
    fn decode(decoder: &mut crate::xdr::Decoder<'a>) -> Result<Self, crate::XdrError> {
        decoder.u32().map(Self)
    }
}

wire_struct! {
    /// A program's port.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct Mapping {
        /// Program number.
        pub program: u32,
        /// Its version.
        pub version: u32,
        /// Over which transport.
        pub transport: Transport,
        /// The port; not looked at by GETPORT and UNSET.
        pub port: u32,
    }
}

wire_struct! {
    /// Arguments of SET; the result is whether it was done.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct SetArgs {
        /// What to register.
        pub mapping: Mapping,
    }
}

remote_call!(Portmap, Procedure::Set, SetArgs => bool);

wire_struct! {
    /// Arguments of UNSET; the result is whether it was done.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct UnsetArgs {
        /// What to forget, on all transports.
        pub mapping: Mapping,
    }
}

remote_call!(Portmap, Procedure::Unset, UnsetArgs => bool);

wire_struct! {
    /// Arguments of GETPORT; the result is the port, or 0 when the program is not registered.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct GetPortArgs {
        /// What to find.
        pub mapping: Mapping,
    }
}

remote_call!(Portmap, Procedure::GetPort, GetPortArgs => u32);

wire_struct! {
    /// Arguments of DUMP: none.
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct DumpArgs {}
}

wire_struct! {
    /// Result of DUMP.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct DumpResult<'a> {
        /// All registrations.
        pub mappings: List<'a, Mapping>,
    }
}

remote_call!(Portmap, Procedure::Dump, DumpArgs => DumpResult<'reply>);
