//! The header of a reply: how a call ended, as far as RPC is concerned.

use super::OpaqueAuth;
use super::call::MESSAGE_REPLY;
use crate::XdrError;
use crate::xdr::{Decode, Decoder, Encode, Encoder, wire_enum};

const ACCEPTED: u32 = 0;
const DENIED: u32 = 1;

const SUCCESS: u32 = 0;
const PROGRAM_UNAVAILABLE: u32 = 1;
const PROGRAM_MISMATCH: u32 = 2;
const PROCEDURE_UNAVAILABLE: u32 = 3;
const GARBAGE_ARGUMENTS: u32 = 4;
const SYSTEM_ERROR: u32 = 5;

const RPC_MISMATCH: u32 = 0;
const AUTH_ERROR: u32 = 1;

wire_enum! {
    /// Why a credential was not accepted (`auth_stat`).
    pub enum AuthStatus {
        /// Nothing wrong.
        Ok = 0 => "ok",
        /// Malformed credential.
        BadCredential = 1 => "badcred",
        /// A credential, or a flavour, that is not accepted here.
        RejectedCredential = 2 => "rejectedcred",
        /// Malformed verifier.
        BadVerifier = 3 => "badverf",
        /// A verifier that expired.
        RejectedVerifier = 4 => "rejectedverf",
        /// Not strong enough for what is asked.
        TooWeak = 5 => "tooweak",
        /// The client did not like the server's verifier.
        InvalidResponse = 6 => "invalidresp",
        /// Unknown reason.
        Failed = 7 => "failed",
    }
}

/// How a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReplyStatus {
    /// The procedure ran; its results follow.
    Success,
    /// No such program here.
    ProgramUnavailable,
    /// The program has other versions.
    ProgramMismatch {
        /// The lowest.
        low: u32,
        /// The highest.
        high: u32,
    },
    /// The program has no such procedure.
    ProcedureUnavailable,
    /// The arguments could not be decoded.
    GarbageArguments,
    /// The server failed for reasons of its own.
    SystemError,
    /// Another version of RPC.
    RpcMismatch {
        /// The lowest.
        low: u32,
        /// The highest.
        high: u32,
    },
    /// The caller's identity was not accepted.
    AuthError(AuthStatus),
}

/// The header of a reply; results follow when the status is [`ReplyStatus::Success`].
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ReplyHeader {
    /// The call that this answers.
    pub xid: u32,
    /// How it ended.
    pub status: ReplyStatus,
}

impl ReplyHeader {
    /// The header of a reply with results.
    pub const fn success(xid: u32) -> Self {
        Self {
            xid,
            status: ReplyStatus::Success,
        }
    }
}

impl Encode for ReplyHeader {
    fn encode(&self, encoder: &mut Encoder) {
        encoder.u32(self.xid);
        encoder.u32(MESSAGE_REPLY);
        match self.status {
            ReplyStatus::Success => accepted(encoder, &[SUCCESS]),
            ReplyStatus::ProgramUnavailable => accepted(encoder, &[PROGRAM_UNAVAILABLE]),
            ReplyStatus::ProgramMismatch { low, high } => {
                accepted(encoder, &[PROGRAM_MISMATCH, low, high]);
            }
            ReplyStatus::ProcedureUnavailable => accepted(encoder, &[PROCEDURE_UNAVAILABLE]),
            ReplyStatus::GarbageArguments => accepted(encoder, &[GARBAGE_ARGUMENTS]),
            ReplyStatus::SystemError => accepted(encoder, &[SYSTEM_ERROR]),
            ReplyStatus::RpcMismatch { low, high } => {
                numbers(encoder, &[DENIED, RPC_MISMATCH, low, high]);
            }
            ReplyStatus::AuthError(status) => {
                numbers(encoder, &[DENIED, AUTH_ERROR, status.number()]);
            }
        }
    }
}

fn accepted(encoder: &mut Encoder, body: &[u32]) {
    encoder.u32(ACCEPTED);
    OpaqueAuth::none().encode(encoder);
    numbers(encoder, body);
}

fn numbers(encoder: &mut Encoder, body: &[u32]) {
    for number in body {
        encoder.u32(*number);
    }
}

impl<'a> Decode<'a> for ReplyHeader {
    fn decode(decoder: &mut Decoder<'a>) -> Result<Self, XdrError> {
        let xid = decoder.u32()?;
        decoder.enumeration("reply", |kind| (kind == MESSAGE_REPLY).then_some(()))?;
        let is_accepted = decoder.enumeration("reply_stat", |value| match value {
            ACCEPTED => Some(true),
            DENIED => Some(false),
            _ => None,
        })?;
        let status = if is_accepted {
            OpaqueAuth::decode(decoder)?;
            decode_accepted(decoder)?
        } else {
            decode_denied(decoder)?
        };
        Ok(Self { xid, status })
    }
}

fn decode_accepted(decoder: &mut Decoder<'_>) -> Result<ReplyStatus, XdrError> {
    let status = decoder.enumeration("accept_stat", |value| {
        Some(match value {
            SUCCESS => ReplyStatus::Success,
            PROGRAM_UNAVAILABLE => ReplyStatus::ProgramUnavailable,
            PROGRAM_MISMATCH => ReplyStatus::ProgramMismatch { low: 0, high: 0 },
            PROCEDURE_UNAVAILABLE => ReplyStatus::ProcedureUnavailable,
            GARBAGE_ARGUMENTS => ReplyStatus::GarbageArguments,
            SYSTEM_ERROR => ReplyStatus::SystemError,
            _ => return None,
        })
    })?;
    match status {
        ReplyStatus::ProgramMismatch { .. } => Ok(ReplyStatus::ProgramMismatch {
            low: decoder.u32()?,
            high: decoder.u32()?,
        }),
        other => Ok(other),
    }
}

fn decode_denied(decoder: &mut Decoder<'_>) -> Result<ReplyStatus, XdrError> {
    let is_mismatch = decoder.enumeration("reject_stat", |value| match value {
        RPC_MISMATCH => Some(true),
        AUTH_ERROR => Some(false),
        _ => None,
    })?;
    Ok(if is_mismatch {
        ReplyStatus::RpcMismatch {
            low: decoder.u32()?,
            high: decoder.u32()?,
        }
    } else {
        ReplyStatus::AuthError(AuthStatus::decode(decoder)?)
    })
}
