//! What ties the metadata of a file to its data on storage.

use super::message;
use crate::convert::message;
use crate::meta::{
    BeginWrite, Done, FinishRemovals, FinishTrim, ListRemovals, Removal, Removals, UpdateWritten,
};

message!(BeginWrite = message::BeginWrite { inode });
message!(
    UpdateWritten = message::UpdateWritten {
        inode,
        data_version,
        size_bytes_min,
        used_bytes,
        modified,
        end,
    }
);
message!(
    FinishTrim = message::FinishTrim {
        inode,
        data_version,
        trimmed_to,
        end,
    }
);
message!(ListRemovals = message::ListRemovals { after, limit });
message!(Removal = message::Removal { inode, layout });
message!(Removals = message::Removals { removals });
message!(FinishRemovals = message::FinishRemovals { inodes });
message!(Done = message::Done {});
