//! Makes a fifo, socket or device node (RFC 1813 3.3.11). Devices are the superuser's to make.

use sluice_types::{Device, FileKind, FsError};
use sluice_wire::meta::{Made, MakeNode, NodeKind};

use super::context::OperationContext;
use super::new_inode::{Blank, make_in, open_directory};
use super::permission::check_change_entries;
use crate::error::MetaError;
use crate::namespace::Namespace;

pub(super) async fn run(
    namespace: &mut Namespace<'_>,
    context: &OperationContext<'_>,
    op: &MakeNode,
) -> Result<Made, MetaError> {
    let (kind, device) = match op.node {
        NodeKind::Fifo => (FileKind::Fifo, None),
        NodeKind::Socket => (FileKind::Socket, None),
        NodeKind::BlockDevice(device) => (FileKind::BlockDevice, Some(device)),
        NodeKind::CharacterDevice(device) => (FileKind::CharacterDevice, Some(device)),
    };
    let (directory, found) = open_directory(namespace, context, op.directory, &op.name).await?;
    if found.is_some() {
        return Err(FsError::Exists.into());
    }
    check_change_entries(&directory, context.credentials)?;
    if device.is_some() && !context.credentials.is_root() {
        return Err(FsError::NotPermitted.into());
    }
    let mut blank = Blank::new(kind);
    blank.device = device.unwrap_or(Device::default());
    make_in(
        namespace,
        context,
        directory,
        &op.name,
        blank,
        &op.attributes,
    )
    .await
}
