//! Who calls: flavours of authentication (RFC 5531 section 8 and appendix A).
//!
//! AUTH_NONE and AUTH_SYS are understood. Any other flavour is carried as [`Credential::Unsupported`], so
//! that the call can still be answered, with a rejection.

use crate::XdrError;
use crate::xdr::{BoundedBytes, Decode, Decoder, Encode, Encoder, U32Array};

/// Most bytes of a credential's or verifier's body.
pub const AUTH_BODY_LENGTH_MAX: usize = 400;
/// Most bytes of a machine name in AUTH_SYS.
pub const MACHINE_NAME_LENGTH_MAX: usize = 255;
/// Most supplementary groups in AUTH_SYS.
pub const GROUPS_MAX: usize = 16;

/// The name that a client gives itself.
pub type MachineName<'a> = BoundedBytes<'a, MACHINE_NAME_LENGTH_MAX>;
/// Supplementary groups.
pub type GroupList = U32Array<GROUPS_MAX>;

/// A flavour's number; numbers that have no constant here are flavours that are not spoken here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct AuthFlavor(pub u32);

impl AuthFlavor {
    /// Nobody in particular.
    pub const NONE: Self = Self(0);
    /// Unix ids, on trust.
    pub const SYS: Self = Self(1);
}

/// A flavour and its body, not looked into.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct OpaqueAuth<'a> {
    /// The flavour.
    pub flavor: AuthFlavor,
    /// What the flavour wants to say.
    pub body: BoundedBytes<'a, AUTH_BODY_LENGTH_MAX>,
}

impl OpaqueAuth<'_> {
    /// The verifier of every reply here.
    pub fn none() -> Self {
        Self {
            flavor: AuthFlavor::NONE,
            body: BoundedBytes::default(),
        }
    }
}

impl Encode for OpaqueAuth<'_> {
    fn encode(&self, encoder: &mut Encoder) {
        encoder.u32(self.flavor.0);
        self.body.encode(encoder);
    }
}

impl<'a> Decode<'a> for OpaqueAuth<'a> {
    fn decode(decoder: &mut Decoder<'a>) -> Result<Self, XdrError> {
        Ok(Self {
            flavor: AuthFlavor(decoder.u32()?),
            body: BoundedBytes::decode(decoder)?,
        })
    }
}

crate::xdr::wire_struct! {
    /// What AUTH_SYS says of the caller (RFC 5531 appendix A, `authsys_parms`).
    #[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
    pub struct AuthSys<'a> {
        /// Arbitrary; often the time.
        pub stamp: u32,
        /// The client's name for itself.
        pub machine_name: MachineName<'a>,
        /// Effective user id.
        pub uid: u32,
        /// Effective group id.
        pub gid: u32,
        /// Supplementary groups.
        pub groups: GroupList,
    }
}

/// A call's credential.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Credential<'a> {
    /// AUTH_NONE.
    None,
    /// AUTH_SYS.
    Sys(AuthSys<'a>),
    /// A flavour that is not spoken here.
    Unsupported(OpaqueAuth<'a>),
}

impl<'a> Credential<'a> {
    /// Looks into a credential.
    ///
    /// # Errors
    ///
    /// [`XdrError`] when an AUTH_SYS body is not one.
    pub fn from_opaque(opaque: OpaqueAuth<'a>) -> Result<Self, XdrError> {
        Ok(match opaque.flavor {
            AuthFlavor::NONE => Self::None,
            AuthFlavor::SYS => Self::Sys(AuthSys::from_bytes(opaque.body.bytes())?),
            _ => Self::Unsupported(opaque),
        })
    }
}

impl Encode for Credential<'_> {
    fn encode(&self, encoder: &mut Encoder) {
        match self {
            Self::None => OpaqueAuth::none().encode(encoder),
            Self::Sys(sys) => {
                encoder.u32(AuthFlavor::SYS.0);
                encoder.opaque(&sys.to_bytes());
            }
            Self::Unsupported(opaque) => opaque.encode(encoder),
        }
    }
}
