//! Making a symbolic link.

use bytes::Bytes;
use sluice_types::{FileName, FsError, InodeId, SetAttributes};
use sluice_wire::meta::{Made, MakeSymlink};

use crate::Caller;
use crate::core::Core;

impl Core {
    pub(crate) async fn make_symlink(
        &self,
        caller: &Caller,
        directory: InodeId,
        name: FileName,
        attributes: SetAttributes,
        target: Bytes,
    ) -> Result<Made, FsError> {
        caller.may_change()?;
        let changes = self.changing_entry(directory, &name);
        let make = MakeSymlink {
            directory,
            name,
            attributes,
            target,
        };
        self.change(&self.as_caller(caller), make, changes).await
    }
}
