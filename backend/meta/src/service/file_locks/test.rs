//! Asks who is in the way of a lock.

use sluice_wire::meta::{CallContext, LockTested, TestLock};

use super::{MetaService, check_lockable};
use crate::error::MetaError;
use crate::file_locks::{LockTable, check_owner};
use crate::kv::Isolation;
use crate::namespace::Namespace;

impl MetaService {
    pub(super) async fn test_lock(
        &self,
        context: &CallContext,
        test: &TestLock,
    ) -> Result<LockTested, MetaError> {
        check_owner(&test.lock.owner)?;
        let mut namespace = Namespace::begin(&*self.engine, Isolation::Latest, &self.names);
        let record = namespace.find_inode(test.inode).await?;
        let table = LockTable::new(namespace.locks_of(test.inode).await?);
        self.until_durable(namespace.commit().await?).await?;
        check_lockable(record.as_ref(), &context.credentials)?;
        let holder = table.conflict(&test.lock);
        Ok(LockTested { holder })
    }
}
