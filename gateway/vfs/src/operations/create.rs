//! Making a regular file, or finding it there and perhaps cutting it.
//!
//! A file that is there is cut by a call of its own, in the way of every truncation: its writes are told first, nobody uses
//! it meanwhile, and a call that was given up cannot cut later what was written since. It is recorded as the second change of the
//! client's call, so that a call that comes again makes neither twice.

use sluice_types::{CallId, FILE_SIZE_MAX, FileName, FsError, InodeId, SetAttributes};
use sluice_wire::meta::{Create, CreateHow, Made};

use crate::Caller;
use crate::core::Core;

impl Core {
    pub(crate) async fn create(
        &self,
        caller: &Caller,
        directory: InodeId,
        name: FileName,
        mut how: CreateHow,
    ) -> Result<Made, FsError> {
        caller.may_change()?;
        let wishes = match &mut how {
            CreateHow::Unchecked(wishes) => {
                let asked = *wishes;
                wishes.size_bytes = None;
                asked
            }
            CreateHow::Guarded(_) | CreateHow::Exclusive(_) => SetAttributes::default(),
        };
        if wishes.size_bytes > Some(FILE_SIZE_MAX) {
            return Err(FsError::FileTooLarge);
        }
        let changes = self.changing_entry(directory, &name);
        let create = Create {
            directory,
            name,
            how,
        };
        let context = self.as_caller(caller);
        let mut made = self.change(&context, create, changes).await?;
        if let Some(size_bytes) = wishes.size_bytes
            && (made.existed || size_bytes > 0)
        {
            let set = SetAttributes {
                size_bytes: Some(size_bytes),
                // Else the cut would set it.
                modified: wishes.modified.filter(|_| !made.existed),
                ..SetAttributes::default()
            };
            let caller = Caller {
                call: caller.call.as_ref().map(CallId::second_change),
                ..caller.clone()
            };
            let changed = self.set_attributes(&caller, made.node.id, set, None);
            made.node = changed.await?.after;
        }
        Ok(made)
    }
}
