//! The cluster and its administration.

use super::message;
use crate::convert::message;
use crate::meta::{
    CheckMetadata, FileSystemCounts, FileSystemStatus, GetMap, InodeList, ListInodes,
    MetadataProblems, OpenSession, RegisterTargets, Registered, SessionOpened, SetLayout,
    TargetReport,
};

message!(FileSystemStatus = message::FileSystemStatus {});
message!(
    FileSystemCounts = message::FileSystemCounts {
        inodes_used,
        inodes_free,
        removals_queued,
    }
);
message!(ListInodes = message::ListInodes { after, limit });
message!(InodeList = message::InodeList { nodes, end });
message!(SetLayout = message::SetLayout { directory, layout });
message!(GetMap = message::GetMap { known });
message!(
    TargetReport = message::TargetReport {
        uuid,
        capacity_bytes,
        used_bytes,
        failed
    }
);
message!(RegisterTargets = message::RegisterTargets { address, targets });
message!(Registered = message::Registered { targets, map });
message!(OpenSession = message::OpenSession { session, name });
message!(
    SessionOpened = message::SessionOpened {
        session,
        lifetime_ms,
        map_version
    }
);
message!(CheckMetadata = message::CheckMetadata {});
message!(MetadataProblems = message::MetadataProblems { problems });
