//! How durable a write is, and the verifier by which a client learns that it was lost.

use crate::{BootId, TargetId};

/// When a write must be durable (RFC 1813 3.3.7 `stable_how`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Stability {
    /// At the next commit.
    Unstable,
    /// Before the reply: the data and what is needed to read it back.
    DataSync,
    /// Before the reply: data and all attributes.
    FileSync,
}

/// Changes whenever storage may have lost unstable data of a file: a digest of the boot ids
/// of the targets that hold it. The same at every gateway.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WriteVerifier(pub [u8; 8]);

impl WriteVerifier {
    /// The verifier of a file that lies on `targets`, in any order and with repeats.
    pub fn of(targets: impl IntoIterator<Item = (TargetId, BootId)>) -> Self {
        let mut boots: Vec<_> = targets.into_iter().collect();
        boots.sort_unstable();
        boots.dedup();
        // FNV-1a: the same at every gateway and in every version; nobody gains by a collision.
        let mut digest = 0xcbf2_9ce4_8422_2325_u64;
        for (target, boot) in boots {
            let bytes = target.raw().to_le_bytes().into_iter();
            for byte in bytes.chain(boot.raw().to_le_bytes()) {
                digest = (digest ^ u64::from(byte)).wrapping_mul(0x0100_0000_01b3);
            }
        }
        Self(digest.to_be_bytes())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn verifier_depends_on_boots_not_on_order() {
        let (a, b) = (TargetId::new(1), TargetId::new(2));
        let (x, y) = (BootId::new(10), BootId::new(20));
        let verifier = WriteVerifier::of([(a, x), (b, y)]);
        assert_eq!(verifier, WriteVerifier::of([(b, y), (a, x), (a, x)]));
        assert_ne!(verifier, WriteVerifier::of([(a, y), (b, x)]));
        assert_ne!(verifier, WriteVerifier::of([(a, x), (b, BootId::new(21))]));
    }
}
