//! Finding a name in a directory.

use sluice_cache::NameEntry;
use sluice_types::{Access, FileKind, FileName, FsError, InodeId, may};
use sluice_wire::meta::{Looked, Lookup, LookupName};

use crate::Caller;
use crate::core::Core;
use crate::nodes::ATTEMPTS_MAX;

impl Core {
    pub(crate) async fn lookup(
        &self,
        caller: &Caller,
        directory: InodeId,
        entry: LookupName,
    ) -> Result<Looked, FsError> {
        if let LookupName::Name(name) = &entry
            && let Some(looked) = self.lookup_cached(caller, directory, name).await?
        {
            return Ok(looked);
        }
        for _ in 0..ATTEMPTS_MAX {
            let mut looked = self.lookup_asked(caller, directory, &entry).await?;
            match self.shown(looked.node).await {
                Ok(node) => {
                    looked.node = node;
                    return Ok(looked);
                }
                // Removed since, perhaps by a rename over it: the name may lead to another inode now.
                Err(FsError::Stale) => {}
                Err(error) => return Err(error),
            }
        }
        Err(FsError::Busy)
    }

    /// The lookup by the metadata service, which is remembered.
    async fn lookup_asked(
        &self,
        caller: &Caller,
        directory: InodeId,
        entry: &LookupName,
    ) -> Result<Looked, FsError> {
        let key = match entry {
            LookupName::Name(name) => Some((directory, name.clone())),
            LookupName::Current | LookupName::Parent => None,
        };
        let key = key.map(|key| (self.names.ticket(&key), key));
        let entry = entry.clone();
        let lookup = Lookup { directory, entry };
        let context = self.as_helper(caller);
        let context = match &key {
            Some(_) => Self::leasing(context),
            None => context,
        };
        let looked = self.ask(&context, lookup).await;
        let remembered = match &looked {
            Ok(looked) => Some(NameEntry::Found(looked.node.id)),
            Err(FsError::NotFound) => Some(NameEntry::Absent),
            Err(_) => None,
        };
        if let (Some((ticket, key)), Some(entry)) = (key, remembered) {
            self.names.insert(ticket, &key, entry);
        }
        looked
    }

    /// The lookup from memory, if the name is remembered; the permission check is that of the metadata service.
    async fn lookup_cached(
        &self,
        caller: &Caller,
        directory: InodeId,
        name: &FileName,
    ) -> Result<Option<Looked>, FsError> {
        let Some(entry) = self.remembered_name(&(directory, name.clone())) else {
            return Ok(None);
        };
        let attributes = self.node(directory).await?.attributes;
        if attributes.kind != FileKind::Directory {
            return Err(FsError::NotDirectory);
        }
        if !may(&attributes, &caller.credentials, Access::EXECUTE) {
            return Err(FsError::AccessDenied);
        }
        let inode = match entry {
            NameEntry::Found(inode) => inode,
            NameEntry::Absent => return Err(FsError::NotFound),
        };
        match self.node(inode).await {
            Ok(node) => Ok(Some(Looked {
                node,
                directory: attributes,
            })),
            // Removed since: the metadata service says what the name leads to now.
            Err(FsError::Stale) => Ok(None),
            Err(error) => Err(error),
        }
    }
}
