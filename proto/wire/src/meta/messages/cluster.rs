//! The cluster and its sessions.

use super::message;
use crate::convert::message;
use crate::meta::{
    FileSystemCounts, FileSystemStatus, GetMap, OpenSession, RegisterTargets, Registered,
    SessionOpened, SetLayout, TargetReport,
};

message!(FileSystemStatus = message::FileSystemStatus {});
message!(
    FileSystemCounts = message::FileSystemCounts {
        inodes_used,
        inodes_free,
        removals_queued,
    }
);
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
