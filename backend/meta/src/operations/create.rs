//! Makes a regular file, or uses the one that is there (RFC 1813 3.3.8).

use sluice_types::{FileKind, FsError, SetAttributes};
use sluice_wire::meta::{Create, CreateHow, Made};

use super::attributes::{apply_changes, check_size};
use super::context::OperationContext;
use super::new_inode::{Blank, make_in, open_directory};
use super::permission::check_write_data;
use super::times::unchanged_directory;
use crate::error::MetaError;
use crate::namespace::{Found, Namespace};
use crate::records::InodeRecord;

pub(super) async fn run(
    namespace: &mut Namespace<'_>,
    context: &OperationContext<'_>,
    create: &Create,
) -> Result<Made, MetaError> {
    let (directory, found) =
        open_directory(namespace, context, create.directory, &create.name).await?;
    match (found, &create.how) {
        (Some(_), CreateHow::Guarded(_)) => Err(FsError::Exists.into()),
        (Some(found), CreateHow::Unchecked(wishes)) => {
            use_existing(namespace, context, &directory, found, wishes).await
        }
        (Some(found), CreateHow::Exclusive(verifier)) => {
            repeat_exclusive(namespace, &directory, found, verifier).await
        }
        (None, how) => make_file(namespace, context, directory, create, how).await,
    }
}

async fn make_file(
    namespace: &mut Namespace<'_>,
    context: &OperationContext<'_>,
    directory: InodeRecord,
    create: &Create,
    how: &CreateHow,
) -> Result<Made, MetaError> {
    let mut blank = Blank::new(FileKind::Regular);
    let (wishes, verifier) = match how {
        CreateHow::Unchecked(wishes) | CreateHow::Guarded(wishes) => (*wishes, None),
        CreateHow::Exclusive(verifier) => (SetAttributes::default(), Some(*verifier)),
    };
    blank.size_bytes = wishes.size_bytes.unwrap_or(0);
    if blank.size_bytes > sluice_types::FILE_SIZE_MAX {
        return Err(FsError::FileTooLarge.into());
    }
    let made = make_in(namespace, context, directory, &create.name, blank, &wishes).await?;
    if verifier.is_some() {
        namespace.put_inode(&InodeRecord {
            node: made.node.clone(),
            entry_count: 0,
            create_verifier: verifier,
        });
    }
    Ok(made)
}

/// Opens with `O_CREAT` what is there: of the wishes, only the size is applied.
async fn use_existing(
    namespace: &mut Namespace<'_>,
    context: &OperationContext<'_>,
    directory: &InodeRecord,
    found: Found,
    wishes: &SetAttributes,
) -> Result<Made, MetaError> {
    let mut record = namespace.entry_inode(found.inode).await?;
    match record.node.attributes.kind {
        FileKind::Regular => {}
        FileKind::Directory => return Err(FsError::IsDirectory.into()),
        _ => return Err(FsError::Exists.into()),
    }
    if let Some(size_bytes) = wishes.size_bytes {
        check_size(&record.node.attributes, size_bytes)?;
        check_write_data(&record.node.attributes, context.credentials)?;
        let only_size = SetAttributes {
            size_bytes: Some(size_bytes),
            ..SetAttributes::default()
        };
        apply_changes(&mut record, context.credentials, &only_size, context.now);
        namespace.put_inode(&record);
    }
    Ok(existing(record, directory))
}

/// The same exclusive create again is the same success, as long as nobody changed the file's attributes.
async fn repeat_exclusive(
    namespace: &mut Namespace<'_>,
    directory: &InodeRecord,
    found: Found,
    verifier: &[u8; 8],
) -> Result<Made, MetaError> {
    let record = namespace.entry_inode(found.inode).await?;
    if record.create_verifier.as_ref() != Some(verifier) {
        return Err(FsError::Exists.into());
    }
    Ok(existing(record, directory))
}

fn existing(record: InodeRecord, directory: &InodeRecord) -> Made {
    Made {
        node: record.node,
        directory: unchanged_directory(directory),
        existed: true,
    }
}
