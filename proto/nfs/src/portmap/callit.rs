//! CALLIT (RFC 1833 section 3.2): a call by proxy. Servers refuse it nowadays; see RFC 1833 for the
//! harm it does.

use super::Procedure;
use crate::rpc::call::remote_call;
use crate::xdr::{BoundedBytes, wire_struct};

/// Most bytes of the proxied arguments and results taken from the wire: CALLIT is for datagrams.
pub const CALLIT_LENGTH_MAX: usize = 65_536;

wire_struct! {
    /// Arguments of CALLIT.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct CallItArgs<'a> {
        /// Program to call.
        pub program: u32,
        /// Its version.
        pub version: u32,
        /// Its procedure.
        pub procedure: u32,
        /// Its arguments, encoded.
        pub arguments: BoundedBytes<'a, CALLIT_LENGTH_MAX>,
    }
}

wire_struct! {
    /// Result of CALLIT.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct CallItResult<'a> {
        /// The program's port.
        pub port: u32,
        /// The procedure's results, encoded.
        pub results: BoundedBytes<'a, CALLIT_LENGTH_MAX>,
    }
}

remote_call!(Portmap, Procedure::CallIt, CallItArgs<'_> => CallItResult<'reply>);
