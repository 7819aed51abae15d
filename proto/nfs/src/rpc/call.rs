//! The header of a call, and what to answer when it is not as it should be.

use super::{AuthStatus, Credential, OpaqueAuth, Program, RPC_VERSION, ReplyHeader, ReplyStatus};
use crate::XdrError;
use crate::xdr::{Decode, Decoder, Encode, Encoder};

pub(super) const MESSAGE_CALL: u32 = 0;
pub(super) const MESSAGE_REPLY: u32 = 1;

/// The header of a call; the procedure's arguments follow it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct CallHeader<'a> {
    /// Names the call on its connection; the reply repeats it.
    pub xid: u32,
    /// Program number; see [`Program`].
    pub program: u32,
    /// Version of the program.
    pub version: u32,
    /// Procedure of that version.
    pub procedure: u32,
    /// Who calls.
    pub credential: Credential<'a>,
    /// Proof of it; none of the flavours spoken here has one.
    pub verifier: OpaqueAuth<'a>,
}

/// Why a record is not a call that can be served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CallFault {
    /// Not a call at all: nothing can be answered, and the connection is best closed.
    NotACall(XdrError),
    /// A call that gets this answer.
    Rejected(ReplyHeader),
}

impl<'a> CallHeader<'a> {
    /// Reads a call's header; the decoder then stands at the arguments.
    ///
    /// # Errors
    ///
    /// [`CallFault`], with the answer to give where one is possible (RFC 5531 section 9).
    pub fn parse(decoder: &mut Decoder<'a>) -> Result<Self, CallFault> {
        let xid = Self::xid_of_call(decoder).map_err(CallFault::NotACall)?;
        let reject = |status| CallFault::Rejected(ReplyHeader { xid, status });
        let garbage = |_| reject(ReplyStatus::GarbageArguments);
        if decoder.u32().map_err(garbage)? != RPC_VERSION {
            return Err(reject(ReplyStatus::RpcMismatch {
                low: RPC_VERSION,
                high: RPC_VERSION,
            }));
        }
        let program = decoder.u32().map_err(garbage)?;
        let version = decoder.u32().map_err(garbage)?;
        let procedure = decoder.u32().map_err(garbage)?;
        let refused = |status| reject(ReplyStatus::AuthError(status));
        let credential =
            OpaqueAuth::decode(decoder).map_err(|_| refused(AuthStatus::BadCredential))?;
        let verifier = OpaqueAuth::decode(decoder).map_err(|_| refused(AuthStatus::BadVerifier))?;
        let credential = match Credential::from_opaque(credential) {
            Ok(Credential::Unsupported(_)) => {
                return Err(refused(AuthStatus::RejectedCredential));
            }
            Ok(credential) => credential,
            Err(_) => return Err(refused(AuthStatus::BadCredential)),
        };
        Ok(Self {
            xid,
            program,
            version,
            procedure,
            credential,
            verifier,
        })
    }

    fn xid_of_call(decoder: &mut Decoder<'a>) -> Result<u32, XdrError> {
        let xid = decoder.u32()?;
        decoder.enumeration("call", |kind| (kind == MESSAGE_CALL).then_some(()))?;
        Ok(xid)
    }
}

impl Encode for CallHeader<'_> {
    fn encode(&self, encoder: &mut Encoder) {
        for number in [
            self.xid,
            MESSAGE_CALL,
            RPC_VERSION,
            self.program,
            self.version,
            self.procedure,
        ] {
            encoder.u32(number);
        }
        self.credential.encode(encoder);
        self.verifier.encode(encoder);
    }
}

/// Arguments that say by their type which procedure they are for: what a client sends.
pub trait RemoteCall: Encode {
    /// The program.
    const PROGRAM: Program;
    /// The procedure's number.
    const PROCEDURE: u32;
    /// What comes back, borrowing from the reply.
    type Results<'reply>: Decode<'reply>;
}

/// A whole call message: header and arguments, without record marking.
pub fn encode_call<C: RemoteCall>(xid: u32, credential: Credential<'_>, call: &C) -> Vec<u8> {
    let mut encoder = Encoder::with_capacity(256);
    let header = CallHeader {
        xid,
        program: C::PROGRAM.number(),
        version: C::PROGRAM.version(),
        procedure: C::PROCEDURE,
        credential,
        verifier: OpaqueAuth::none(),
    };
    header.encode(&mut encoder);
    call.encode(&mut encoder);
    encoder.into_bytes()
}

/// Implements [`RemoteCall`]: `remote_call!(Nfs, Procedure::Lookup, LookupArgs<'_> => LookupResult<'reply>)`.
macro_rules! remote_call {
    ($program:ident, $procedure:expr, $arguments:ty => $results:ty) => {
        impl $crate::rpc::RemoteCall for $arguments {
            const PROGRAM: $crate::rpc::Program = $crate::rpc::Program::$program;
            const PROCEDURE: u32 = $procedure.number();
            type Results<'reply> = $results;
        }
    };
}

pub(crate) use remote_call;
