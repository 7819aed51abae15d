//! ACCESS (RFC 1813 section 3.3.4): what the operation itself would say, in the six bits of the protocol.

use sluice_proto_nfs::nfs3::{AccessArgs, AccessOk, AccessResult, access_bits};
use sluice_types::{Access, FileKind};

use super::context::NfsCall;

pub(super) async fn serve(call: &NfsCall<'_>, arguments: &AccessArgs) -> AccessResult {
    let object = call.open(&arguments.object)?;
    match call.files().access(&object.caller, object.inode).await {
        Ok(checked) => {
            let kind = checked.node.attributes.kind;
            let mut granted = bits(kind, checked.granted);
            if object.export.read_only {
                granted &= !changing(kind);
            }
            Ok(AccessOk {
                attributes: Some(call.attributes(&checked.node)),
                access: granted & arguments.access,
            })
        }
        Err(error) => Err(call.failed(&object, error).await),
    }
}

fn bits(kind: FileKind, granted: Access) -> u32 {
    let mut bits = 0;
    let mut grant = |needed: Access, which: u32| {
        if granted.contains(needed) {
            bits |= which;
        }
    };
    grant(Access::READ, access_bits::READ);
    if kind == FileKind::Directory {
        grant(Access::EXECUTE, access_bits::LOOKUP);
        // To change entries one must be able to reach them.
        let change = Access::WRITE.and(Access::EXECUTE);
        grant(
            change,
            access_bits::MODIFY | access_bits::EXTEND | access_bits::DELETE,
        );
    } else {
        grant(Access::WRITE, access_bits::MODIFY | access_bits::EXTEND);
        grant(Access::EXECUTE, access_bits::EXECUTE);
    }
    bits
}

/// What a read-only export refuses. A pipe, socket or device is written to on the client, not here.
const fn changing(kind: FileKind) -> u32 {
    match kind {
        FileKind::Regular | FileKind::Directory | FileKind::Symlink => {
            access_bits::MODIFY | access_bits::EXTEND | access_bits::DELETE
        }
        FileKind::Fifo | FileKind::Socket | FileKind::BlockDevice | FileKind::CharacterDevice => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_and_files_have_their_own_bits() {
        let write = Access::WRITE;
        assert_eq!(bits(FileKind::Directory, Access::ALL), 0x1f);
        assert_eq!(bits(FileKind::Directory, write), 0);
        assert_eq!(
            bits(FileKind::Directory, Access::EXECUTE),
            access_bits::LOOKUP
        );
        assert_eq!(bits(FileKind::Regular, Access::ALL), 0x2d);
        assert_eq!(bits(FileKind::Regular, write), 0x0c);
        assert_eq!(bits(FileKind::Regular, Access::NONE), 0);
    }
}
