//! A change of inodes, from before its commit until nobody answers from memory as if it had not been.

use sluice_types::{InodeId, SessionId};
use smallvec::SmallVec;

use super::{Leases, Sent};

/// Inodes that are being changed, marked as long as this lives.
#[derive(Debug)]
pub struct Change<'a> {
    leases: &'a Leases,
    inodes: SmallVec<[InodeId; 4]>,
}

impl<'a> Change<'a> {
    pub(super) fn new(leases: &'a Leases, inodes: SmallVec<[InodeId; 4]>) -> Self {
        Self { leases, inodes }
    }

    /// Recalls the read leases that sessions other than `changer` hold on them; the commit must be visible.
    pub fn recall(&self, changer: SessionId) -> Vec<Sent> {
        let inodes = self.inodes.iter();
        inodes
            .flat_map(|inode| self.leases.recall_reads(*inode, changer))
            .collect()
    }
}

impl Drop for Change<'_> {
    fn drop(&mut self) {
        self.leases.end_change(&self.inodes);
    }
}
