//! Moving a name, perhaps over another.
//!
//! Nothing fails after the metadata service has moved it: a client that was told of a failure would send the call again, and
//! learn that there is no such name.

use sluice_types::{FileName, FsError, InodeId};
use sluice_wire::meta::{Rename, Renamed};

use crate::Caller;
use crate::core::Core;

impl Core {
    pub(crate) async fn rename(
        &self,
        caller: &Caller,
        from_directory: InodeId,
        from_name: FileName,
        to_directory: InodeId,
        to_name: FileName,
    ) -> Result<Renamed, FsError> {
        caller.may_change()?;
        // What has the new name may go; see `remove`.
        let held = self.hold_named(caller, to_directory, &to_name).await?;
        let mut changes = self.changing_entry(from_directory, &from_name);
        changes.extend(self.changing_entry(to_directory, &to_name));
        changes.extend(self.changing_held(held.as_ref()));
        let moved = self.named(caller, from_directory, &from_name).await?;
        changes.extend(moved.map(|moved| self.changing(moved)));
        let rename = Rename {
            from_directory,
            from_name,
            to_directory,
            to_name,
        };
        let renamed = self
            .change(&self.as_caller(caller), rename, changes)
            .await?;
        self.attributes.invalidate(&renamed.node.id);
        match &renamed.replaced {
            Some(replaced) => self.lost_name(replaced, held).await,
            None => drop(held),
        }
        self.note_changed(&renamed.node);
        Ok(renamed)
    }
}
