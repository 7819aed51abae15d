//! Making a fifo, socket or device node.

use sluice_types::{FileName, FsError, InodeId, SetAttributes};
use sluice_wire::meta::{Made, MakeNode, NodeKind};

use crate::Caller;
use crate::core::Core;

impl Core {
    pub(crate) async fn make_node(
        &self,
        caller: &Caller,
        directory: InodeId,
        name: FileName,
        attributes: SetAttributes,
        node: NodeKind,
    ) -> Result<Made, FsError> {
        caller.may_change()?;
        let changes = self.changing_entry(directory, &name);
        let make = MakeNode {
            directory,
            name,
            attributes,
            node,
        };
        self.change(&self.as_caller(caller), make, changes).await
    }
}
