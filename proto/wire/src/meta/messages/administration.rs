//! What administrators and consistency checks ask.

use super::message;
use crate::convert::message;
use crate::meta::{
    CheckMetadata, FindRemoval, InodeList, ListInodes, ListSessions, ListWrites, MetadataProblems,
    RemovalFound, SessionList, SessionStatus, WriteList, WriteStatus,
};

message!(ListInodes = message::ListInodes { after, limit });
message!(InodeList = message::InodeList { nodes, end });
message!(FindRemoval = message::FindRemoval { inode });
message!(RemovalFound = message::RemovalFound { queued });
message!(ListSessions = message::ListSessions { after, limit });
message!(
    SessionStatus = message::SessionStatus {
        session,
        name,
        silent_ms
    }
);
message!(SessionList = message::SessionList { sessions, end });
message!(ListWrites = message::ListWrites { after, limit });
message!(
    WriteStatus = message::WriteStatus {
        inode,
        session,
        age_ms
    }
);
message!(WriteList = message::WriteList { writes, end });
message!(CheckMetadata = message::CheckMetadata {});
message!(MetadataProblems = message::MetadataProblems { problems });
