//! Who is there, and who writes what.

use serde::Serialize;
use sluice_types::{FsError, SessionId};
use sluice_wire::meta::{CallContext, ListSessions, ListWrites, MetadataExt as _};

use super::Cluster;

/// Asked for at once.
const PAGE: u32 = 1000;
/// Shown at most.
const WRITES_MAX: usize = 10_000;

/// An open session.
#[derive(Clone, Debug, Serialize)]
pub struct SessionLine {
    /// Its number.
    pub session: u64,
    /// Who has it: `gateway on host-a`.
    pub name: String,
    /// Time since it was renewed, in seconds; one that is well renews every second.
    pub silent_seconds: f64,
}

/// A file that is being written.
#[derive(Clone, Debug, Serialize)]
pub struct WriteLine {
    /// The file's inode, as `ls -i` and `find -inum` know it.
    pub inode: u64,
    /// The session that writes it.
    pub session: u64,
    /// Who has that session; nothing if it is gone.
    pub gateway: Option<String>,
    /// Since when, in seconds before now.
    pub age_seconds: f64,
}

/// All open sessions.
///
/// # Errors
/// If the metadata service does not answer.
pub(super) async fn sessions(cluster: &Cluster) -> Result<Vec<SessionLine>, FsError> {
    let mut lines = Vec::new();
    let mut after = SessionId::new(0);
    loop {
        let list = ListSessions { after, limit: PAGE };
        let page = cluster.meta.run(&CallContext::internal(), list).await?;
        let last = page.sessions.last().map(|session| session.session);
        lines.extend(page.sessions.into_iter().map(|status| SessionLine {
            session: status.session.raw(),
            name: status.name,
            silent_seconds: seconds(status.silent_ms),
        }));
        match last {
            Some(last) if !page.end => after = last,
            _ => return Ok(lines),
        }
    }
}

/// The first files that are being written, and whether there are more.
///
/// # Errors
/// If the metadata service does not answer.
pub(super) async fn writes(
    cluster: &Cluster,
    sessions: &[SessionLine],
) -> Result<(Vec<WriteLine>, bool), FsError> {
    let mut lines = Vec::new();
    let mut after = None;
    loop {
        let list = ListWrites { after, limit: PAGE };
        let page = cluster.meta.run(&CallContext::internal(), list).await?;
        let last = page.writes.last().map(|write| write.inode);
        for write in page.writes {
            let session = write.session.raw();
            // Sessions come in the order of their numbers.
            let of = sessions.binary_search_by_key(&session, |line| line.session);
            lines.push(WriteLine {
                inode: write.inode.raw(),
                session,
                gateway: of.ok().map(|index| sessions[index].name.clone()),
                age_seconds: seconds(write.age_ms),
            });
        }
        if page.end || last.is_none() {
            return Ok((lines, false));
        }
        if lines.len() >= WRITES_MAX {
            return Ok((lines, true));
        }
        after = last;
    }
}

fn seconds(milliseconds: u64) -> f64 {
    milliseconds as f64 / 1000.0
}
