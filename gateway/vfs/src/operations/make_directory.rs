//! Making a directory.

use sluice_types::{FileName, FsError, InodeId, SetAttributes};
use sluice_wire::meta::{Made, MakeDirectory};

use crate::Caller;
use crate::core::Core;

impl Core {
    pub(crate) async fn make_directory(
        &self,
        caller: &Caller,
        directory: InodeId,
        name: FileName,
        attributes: SetAttributes,
    ) -> Result<Made, FsError> {
        caller.may_change()?;
        let changes = self.changing_entry(directory, &name);
        let make = MakeDirectory {
            directory,
            name,
            attributes,
        };
        self.change(&self.as_caller(caller), make, changes).await
    }
}
