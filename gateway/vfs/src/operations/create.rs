//! Making a regular file, or finding it there and perhaps cutting it.

use sluice_types::{FileName, FsError, Inode, InodeId, SetAttributes};
use sluice_wire::meta::{Create, CreateHow, Made};

use crate::Caller;
use crate::core::Core;
use crate::directory_entries::Held;

impl Core {
    pub(crate) async fn create(
        &self,
        caller: &Caller,
        directory: InodeId,
        name: FileName,
        how: CreateHow,
    ) -> Result<Made, FsError> {
        caller.may_change()?;
        let size_bytes = match &how {
            CreateHow::Unchecked(attributes) => attributes.size_bytes,
            CreateHow::Guarded(_) | CreateHow::Exclusive(_) => None,
        };
        // A file that is there already is cut: as at any truncation, nobody uses it meanwhile, and the metadata service
        // must know its size first.
        let held = match size_bytes {
            Some(_) => self.hold_to_cut(caller, directory, &name).await?,
            None => None,
        };
        let mut changes = self.changing_entry(directory, &name);
        changes.extend(self.changing_held(held.as_ref()));
        let create = Create {
            directory,
            name,
            how,
        };
        let context = self.as_caller(caller);
        let made = self.change(&context, create, changes).await;
        if let Some(held) = &held {
            held.file.doubt_if_unknown(&made);
        }
        let mut made = made?;
        if made.existed {
            self.attributes.invalidate(&made.node.id);
        }
        made.node = match size_bytes {
            Some(size_bytes) if made.existed => {
                self.cut_existing(caller, made.node, size_bytes, held)
                    .await?
            }
            _ => {
                drop(held);
                self.shown(made.node).await?
            }
        };
        Ok(made)
    }

    async fn hold_to_cut(
        &self,
        caller: &Caller,
        directory: InodeId,
        name: &FileName,
    ) -> Result<Option<Held>, FsError> {
        let held = self.hold_named(caller, directory, name).await?;
        if let Some(held) = &held {
            match self.settle_guarded(&held.file).await {
                Ok(_) => self.flush(&held.file).await?,
                // Removed meanwhile: the name leads elsewhere now.
                Err(FsError::Stale) => return Ok(None),
                Err(error) => return Err(error),
            }
        }
        Ok(held)
    }

    /// Carries the truncation out on storage. The recorded reply of a call that came before is no order to cut:
    /// what is pending now is.
    async fn cut_existing(
        &self,
        caller: &Caller,
        node: Inode,
        size_bytes: u64,
        held: Option<Held>,
    ) -> Result<Inode, FsError> {
        match held.filter(|held| held.file.inode() == node.id) {
            Some(held) => self.trim(&held.file).await,
            // The name led elsewhere when it was asked for: the metadata service may have cut less than was
            // written, so it is done once more, in order.
            None => {
                let caller = Caller {
                    call: None,
                    ..caller.clone()
                };
                let changes = SetAttributes {
                    size_bytes: Some(size_bytes),
                    ..SetAttributes::default()
                };
                let changed = self.set_attributes(&caller, node.id, changes, None).await?;
                Ok(changed.after)
            }
        }
    }
}
