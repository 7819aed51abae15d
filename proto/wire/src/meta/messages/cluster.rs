//! The cluster.

use super::message;
use crate::convert::message;
use crate::meta::{
    FileSystemCounts, FileSystemStatus, GetMap, RegisterTargets, Registered, SetLayout,
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
message!(
    Registered = message::Registered {
        targets,
        map,
        sessions
    }
);
