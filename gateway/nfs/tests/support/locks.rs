//! Locks as a test wants them answered.

use std::time::Duration;

use parking_lot::Mutex;
use sluice_types::FsError;
use sluice_wire::meta::{HeldLock, LockAnswer, LockGrant, LockGrantEnd, LockGrants, Operation};

/// How often it is looked whether there is something to tell.
const PAUSE: Duration = Duration::from_millis(5);

/// What is asked of locks, and answered.
pub struct FakeLocks {
    /// What was asked.
    pub asked: Mutex<Vec<Operation>>,
    /// What is answered.
    pub answer: Mutex<Result<LockAnswer, FsError>>,
    /// Who is in the way.
    pub holder: Mutex<Option<HeldLock>>,
    /// What gateways are to tell of.
    pub grants: Mutex<Vec<LockGrant>>,
    /// What they said of it.
    pub ended: Mutex<Vec<LockGrantEnd>>,
}

impl Default for FakeLocks {
    fn default() -> Self {
        Self {
            asked: Mutex::default(),
            answer: Mutex::new(Ok(LockAnswer::Granted)),
            holder: Mutex::default(),
            grants: Mutex::default(),
            ended: Mutex::default(),
        }
    }
}

impl FakeLocks {
    pub fn ask(&self, operation: impl Into<Operation>) -> Result<LockAnswer, FsError> {
        self.asked.lock().push(operation.into());
        *self.answer.lock()
    }

    pub async fn await_grants(&self, ended: Vec<LockGrantEnd>) -> LockGrants {
        let refused = ended.iter().filter(|end| !end.accepted);
        let missed = refused.map(|end| end.grant).collect();
        self.ended.lock().extend(ended);
        tokio::time::sleep(PAUSE).await;
        let grants = std::mem::take(&mut *self.grants.lock());
        LockGrants { grants, missed }
    }
}
