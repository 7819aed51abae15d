//! Which boot each target was last heard in.
//!
//! A verifier must tell of every loss. So what an operation reports uses the boots of its own replies for the
//! targets that it asked: a write that target T took in boot 1 is reported with boot 1, even if T has been
//! heard in boot 2 meanwhile. Only for targets it did not ask do the boots remembered here stand in. If
//! two replies of one operation show two boots of one target, both go into the verifier, which then equals no
//! later one: what the first reply stood for is lost.

use dashmap::DashMap;
use sluice_types::{BootId, TargetId, WriteVerifier};

#[derive(Debug, Default)]
pub(crate) struct Boots(DashMap<TargetId, BootId>);

impl Boots {
    /// Notes a reply of `target`.
    pub(crate) fn heard(&self, target: TargetId, boot: BootId) {
        if boot != BootId::new(0) && self.known(target) != Some(boot) {
            self.0.insert(target, boot);
        }
    }

    pub(crate) fn known(&self, target: TargetId) -> Option<BootId> {
        self.0.get(&target).map(|boot| *boot)
    }

    /// The verifier of a file on `targets` after an operation with replies `own`; `Err` names a target that
    /// was never heard of.
    pub(crate) fn verifier(
        &self,
        targets: &[TargetId],
        own: &[(TargetId, BootId)],
    ) -> Result<WriteVerifier, TargetId> {
        let mut pairs = own.to_vec();
        for &target in targets {
            if !own.iter().any(|(asked, _)| *asked == target) {
                pairs.push((target, self.known(target).ok_or(target)?));
            }
        }
        Ok(WriteVerifier::of(pairs))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn own_replies_come_before_what_is_remembered() {
        let boots = Boots::default();
        let (a, b) = (TargetId::new(1), TargetId::new(2));
        let boot = BootId::new;
        assert_eq!(boots.verifier(&[a, b], &[(a, boot(1))]), Err(b));
        boots.heard(a, boot(2));
        boots.heard(b, boot(5));
        boots.heard(b, boot(0));
        let written = boots.verifier(&[a, b], &[(a, boot(1))]).unwrap();
        assert_eq!(written, WriteVerifier::of([(a, boot(1)), (b, boot(5))]));
        let torn = boots
            .verifier(&[a, b], &[(a, boot(1)), (a, boot(2))])
            .unwrap();
        let now = boots.verifier(&[a, b], &[]).unwrap();
        assert_ne!(torn, written);
        assert_ne!(torn, now);
    }
}
