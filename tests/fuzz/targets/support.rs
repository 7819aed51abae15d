//! What the targets share.

use std::fmt::Debug;

use sluice_proto_nfs::xdr::{Decode, Encode};

/// Decodes; where that succeeds, encoding gives as many bytes as were read, and they decode to the same
/// again. (Not the very same bytes: the values of padding are not kept.) Messages are `Copy`: they own no memory.
pub fn probe<'a, T: Copy + Encode + Decode<'a> + Debug>(bytes: &'a [u8]) -> Option<Vec<u8>> {
    let value = T::from_bytes(bytes).ok()?;
    let again = value.to_bytes();
    assert_eq!(again.len(), bytes.len(), "{value:?}");
    Some(again)
}

/// [`probe`] for each of the types.
#[macro_export]
macro_rules! probe_all {
    ($bytes:expr; $($kind:ty),* $(,)?) => {$(
        if let Some(again) = support::probe::<$kind>($bytes) {
            assert_eq!(support::probe::<$kind>(&again).as_ref(), Some(&again));
        }
    )*};
}
