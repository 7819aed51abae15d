//! What the service keeps in memory, shown page by page.

use std::time::Duration;

use sluice_types::InodeId;
use sluice_wire::meta::{
    ListSessions, ListWrites, SessionList, SessionStatus, WriteList, WriteStatus,
};

use super::MetaService;
use crate::error::MetaError;
use crate::kv::Isolation;
use crate::namespace::Namespace;
use crate::writes::Write;

/// At most so many of a list in one reply, whatever the caller asks for.
const PAGE_MAX: u32 = 4096;

impl MetaService {
    /// A page of the open sessions.
    pub(super) fn list_sessions(&self, list: &ListSessions) -> SessionList {
        let limit = page_length(list.limit);
        let after = |session: &SessionStatus| session.session > list.after;
        let all = self.sessions().into_iter();
        let all = all.map(|(session, name, silent)| SessionStatus {
            session,
            name,
            silent_ms: milliseconds(silent),
        });
        let mut rest = all.filter(after);
        let sessions: Vec<_> = rest.by_ref().take(limit).collect();
        let end = rest.next().is_none();
        SessionList { sessions, end }
    }

    /// A page of the files that are being written, each confirmed from its inode.
    pub(super) async fn list_writes(&self, list: &ListWrites) -> Result<WriteList, MetaError> {
        let limit = page_length(list.limit);
        let mut after = list.after;
        loop {
            let noted = self.writes.after(after, limit);
            let end = noted.len() < limit;
            after = noted.last().map(|(inode, _)| *inode);
            let writes = self.confirmed(noted).await?;
            // A page with nothing but what is over could not say where the next one begins.
            if end || !writes.is_empty() {
                return Ok(WriteList { writes, end });
            }
        }
    }

    async fn confirmed(&self, noted: Vec<(InodeId, Write)>) -> Result<Vec<WriteStatus>, MetaError> {
        let inodes: Vec<InodeId> = noted.iter().map(|(inode, _)| *inode).collect();
        let mut namespace = Namespace::begin(&*self.engine, Isolation::Latest, &self.names);
        let records = namespace.find_inodes(&inodes).await?;
        self.engine.durable(namespace.commit().await?).await?;
        let now = self.clock.monotonic();
        let mut writes = Vec::with_capacity(noted.len());
        for ((inode, write), record) in noted.into_iter().zip(records) {
            if record.is_some_and(|record| record.node.writer == write.session) {
                writes.push(WriteStatus {
                    inode,
                    session: write.session,
                    age_ms: milliseconds(now.saturating_sub(write.since)),
                });
            } else {
                self.writes.forget(inode, write);
            }
        }
        Ok(writes)
    }
}

fn page_length(limit: u32) -> usize {
    limit.clamp(1, PAGE_MAX) as usize
}

fn milliseconds(time: Duration) -> u64 {
    u64::try_from(time.as_millis()).unwrap_or(u64::MAX)
}
