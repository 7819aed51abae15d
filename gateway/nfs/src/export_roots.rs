//! Which directories are the roots of exports: nothing above them is given out.
//!
//! An export is a path, but clients hold handles. A directory that was found at the path stays a root for those who have
//! its handle, though it was renamed since, or another one has its name now. What a gateway has not seen
//! since it started it does not know: this is no wall between exports of one file system, of which NFS has none. But where
//! it knows no root of an export at all, it takes no directory for one that is below it.

use std::collections::{HashMap, VecDeque};

use parking_lot::Mutex;
use sluice_types::{Credentials, ExportId, FsError, InodeId};
use sluice_vfs::{Caller, Export};

use crate::engine::Engine;

/// How many roots are remembered of an export, the newest ones.
const ROOTS_MAX: usize = 8;

/// The directories found at the exports' paths.
#[derive(Debug, Default)]
pub(crate) struct ExportRoots(Mutex<HashMap<ExportId, VecDeque<InodeId>>>);

impl ExportRoots {
    fn contains(&self, export: ExportId, inode: InodeId) -> bool {
        let roots = self.0.lock();
        roots.get(&export).is_some_and(|of| of.contains(&inode))
    }

    fn knows_any(&self, export: ExportId) -> bool {
        self.0.lock().contains_key(&export)
    }

    fn note(&self, export: ExportId, inode: InodeId) {
        let mut roots = self.0.lock();
        let of_export = roots.entry(export).or_default();
        if of_export.contains(&inode) {
            return;
        }
        if of_export.len() == ROOTS_MAX {
            of_export.pop_front();
        }
        of_export.push_back(inode);
    }
}

impl Engine {
    /// The directory that is at an export's path now.
    pub(crate) async fn find_export_root(&self, export: &Export) -> Result<InodeId, FsError> {
        if export.path == b"/" {
            return Ok(InodeId::ROOT);
        }
        let root = Caller::new(Credentials::root());
        let inode = self.files.resolve(&root, &export.path).await?.id;
        self.export_roots.note(export.id, inode);
        Ok(inode)
    }

    /// Whether a directory is, or was, an export's root.
    ///
    /// # Errors
    ///
    /// [`leads_nowhere`], if nothing has the export's path now and this gateway never saw anything there: the directory may
    /// be what had the path before the gateway started. Else what kept it from looking.
    pub(crate) async fn is_export_root(
        &self,
        export: &Export,
        inode: InodeId,
    ) -> Result<bool, FsError> {
        if self.export_roots.contains(export.id, inode) {
            return Ok(true);
        }
        match self.find_export_root(export).await {
            Ok(root) => Ok(root == inode),
            // Nothing has the path now, so this has not; and what had it is known.
            Err(error) if leads_nowhere(error) && self.export_roots.knows_any(export.id) => {
                Ok(false)
            }
            Err(error) => Err(error),
        }
    }
}

/// Whether an error of an export's path says that nothing is there.
pub(crate) fn leads_nowhere(error: FsError) -> bool {
    matches!(
        error,
        FsError::NotFound | FsError::NotDirectory | FsError::Stale
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_roots_of_each_export_are_remembered() {
        let roots = ExportRoots::default();
        let (one, two) = (ExportId::new(1), ExportId::new(2));
        let inode = |number: usize| InodeId::new(number as u64 + 10).unwrap();
        for number in 0..=ROOTS_MAX {
            roots.note(one, inode(number));
            roots.note(one, inode(number));
        }
        let kept = (0..=ROOTS_MAX).filter(|&number| roots.contains(one, inode(number)));
        assert!(kept.eq(1..=ROOTS_MAX));
        assert!(!roots.contains(two, inode(1)));
    }
}
