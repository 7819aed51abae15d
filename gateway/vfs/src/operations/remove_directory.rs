//! Removing an empty directory.

use sluice_types::{FileName, FsError, InodeId};
use sluice_wire::meta::{RemoveDirectory, Removed};

use crate::Caller;
use crate::core::Core;

impl Core {
    pub(crate) async fn remove_directory(
        &self,
        caller: &Caller,
        directory: InodeId,
        name: FileName,
    ) -> Result<Removed, FsError> {
        caller.may_change()?;
        let removed = self.named(caller, directory, &name).await?;
        let mut changes = self.changing_entry(directory, &name);
        // If the answer is lost, it is not remembered as it was.
        changes.extend(removed.map(|removed| self.changing(removed)));
        let remove = RemoveDirectory { directory, name };
        let removed = self
            .change(&self.as_caller(caller), remove, changes)
            .await?;
        self.attributes.invalidate(&removed.node.id);
        Ok(removed)
    }
}
