//! What operations on directory entries have in common: which caches they make old, and how a file that may lose its name
//! or its data to one is held still.

use sluice_cache::{Change, NameEntry};
use sluice_types::{FileName, FsError, Inode, InodeId};
use sluice_wire::meta::{Lookup, LookupName};

use crate::Caller;
use crate::core::Core;
use crate::file_state::ExclusiveGuard;
use crate::file_table::FileRef;

/// A file that nobody reads or writes as long as this lives.
pub(crate) struct Held {
    pub(crate) file: FileRef,
    _guard: ExclusiveGuard,
}

impl Core {
    /// Says that a name, and with it its directory, is about to change.
    pub(crate) fn changing_entry(&self, directory: InodeId, name: &FileName) -> Vec<Change> {
        let entry = self.names.begin_change(&(directory, name.clone()));
        vec![entry, self.changing(directory)]
    }

    /// Says that the inode that loses its name is about to change: if the answer is lost, it is not remembered as it was.
    pub(crate) fn changing_held(&self, held: Option<&Held>) -> Option<Change> {
        held.map(|held| self.changing(held.file.inode()))
    }

    /// The inode that a name leads to now, if it leads to one. It may lead elsewhere by the time it is used; callers
    /// compare.
    pub(crate) async fn named(
        &self,
        caller: &Caller,
        directory: InodeId,
        name: &FileName,
    ) -> Result<Option<InodeId>, FsError> {
        match self.remembered_name(&(directory, name.clone())) {
            Some(NameEntry::Found(inode)) => return Ok(Some(inode)),
            Some(NameEntry::Absent) => return Ok(None),
            None => {}
        }
        let entry = LookupName::Name(name.clone());
        let lookup = Lookup { directory, entry };
        // As patiently as the operation itself, which may have been done before: nobody is to be told that it was not.
        match self.ask(&self.as_caller(caller), lookup).await {
            Ok(looked) => Ok(Some(looked.node.id)),
            Err(error) if error.is_transient() => Err(error),
            // The operation itself finds out the same and says so.
            Err(_) => Ok(None),
        }
    }

    /// Holds the inode that a name leads to; see [`Core::named`].
    pub(crate) async fn hold_named(
        &self,
        caller: &Caller,
        directory: InodeId,
        name: &FileName,
    ) -> Result<Option<Held>, FsError> {
        match self.named(caller, directory, name).await? {
            Some(inode) => Ok(Some(self.hold(inode).await)),
            None => Ok(None),
        }
    }

    async fn hold(&self, inode: InodeId) -> Held {
        let file = self.files.acquire(inode);
        let _guard = file.exclude().await;
        Held { file, _guard }
    }

    /// Takes into account that an inode lost a name. Without `held`, because the name led elsewhere when it was asked
    /// for, it is held now.
    pub(crate) async fn lost_name(&self, node: &Inode, held: Option<Held>) {
        if node.attributes.link_count == 0 {
            let held = match held.filter(|held| held.file.inode() == node.id) {
                Some(held) => held,
                None => self.hold(node.id).await,
            };
            held.file.remove();
        } else if let Some(file) = self.files.find(node.id) {
            file.with_session(|session| session.merge(node));
        }
        self.attributes.invalidate(&node.id);
    }
}
