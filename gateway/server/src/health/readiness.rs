//! Whether this process serves, and if not, why.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// All conditions that must hold for the process to serve clients. Cheap to clone; clones share.
#[derive(Clone, Debug, Default)]
pub struct Readiness {
    reasons: Arc<Mutex<BTreeMap<&'static str, String>>>,
}

/// One condition; it does not hold until it is met, and dropping it changes nothing.
#[derive(Clone, Debug)]
pub struct Condition {
    name: &'static str,
    readiness: Readiness,
}

impl Readiness {
    /// With no conditions: ready.
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a condition that is not met yet.
    pub fn condition(&self, name: &'static str) -> Condition {
        let condition = Condition {
            name,
            readiness: self.clone(),
        };
        condition.unmet("starting");
        condition
    }

    /// Whether all conditions are met.
    pub fn is_ready(&self) -> bool {
        self.reasons().is_empty()
    }

    /// Why it is not ready, a line each: `metadata: not reachable`.
    pub fn explanation(&self) -> String {
        let lines = self.reasons();
        let lines = lines.iter().map(|(name, why)| format!("{name}: {why}\n"));
        lines.collect()
    }

    fn reasons(&self) -> MutexGuard<'_, BTreeMap<&'static str, String>> {
        self.reasons.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Condition {
    /// It holds.
    pub fn met(&self) {
        if self.readiness.reasons().remove(self.name).is_some() {
            tracing::debug!(condition = self.name, "met");
        }
    }

    /// It does not hold, for this reason.
    pub fn unmet(&self, why: impl Into<String>) {
        let why = why.into();
        let before = self.readiness.reasons().insert(self.name, why.clone());
        if before.as_ref() != Some(&why) {
            tracing::debug!(condition = self.name, why, "not met");
        }
    }

    /// It holds, or does not for this reason.
    pub fn set(&self, state: Result<(), String>) {
        match state {
            Ok(()) => self.met(),
            Err(why) => self.unmet(why),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ready_when_every_condition_is_met() {
        let readiness = Readiness::new();
        let (meta, serving) = (readiness.condition("metadata"), readiness.condition("nfs"));
        assert!(!readiness.is_ready());
        meta.met();
        assert_eq!(readiness.explanation(), "nfs: starting\n");
        serving.met();
        assert!(readiness.is_ready());
        serving.unmet("stopping");
        assert_eq!(readiness.explanation(), "nfs: stopping\n");
    }
}
