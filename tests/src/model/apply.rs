//! Doing an operation on the model, and comparing what a client sees with it.

use sluice_types::{FileKind, Stability, Timestamp};

use super::expect::{in_group, is_dots};
use super::operation::{Action, Change, CreateMode, Operation, TimeChange, USERS};
use super::subject::{Seen, SeenBefore};
use super::tree::{Inode, Model, Node, Time, Touch};
use crate::nfs_client::User;

const SET_ID_BITS: u16 = 0o6000;

impl Model {
    /// Does an operation that succeeded; the node that it found or made.
    pub fn apply(&mut self, operation: &Operation<Node>) -> Option<Node> {
        use Action as A;
        let user = USERS[operation.user]();
        match &operation.action {
            A::GetAttributes { .. } | A::Access { .. } | A::Commit { .. } => None,
            A::Read { node, .. }
            | A::ReadSymlink { node }
            | A::List {
                directory: node, ..
            } => {
                self.at_mut(*node).accessed.touch(Touch::Maybe);
                None
            }
            A::Lookup { directory, name } => Some(self.found(*directory, name)),
            A::SetAttributes { node, change, .. } => {
                self.change(&user, *node, change);
                None
            }
            A::Write {
                node,
                offset,
                data,
                stability,
            } => {
                self.write(&user, *node, *offset, data, *stability);
                None
            }
            A::Create {
                directory,
                name,
                how,
            } => Some(self.create(&user, *directory, name, *how)),
            A::MakeDirectory {
                directory,
                name,
                mode,
            } => Some(self.make(&user, *directory, name, FileKind::Directory, *mode)),
            A::MakeSymlink {
                directory,
                name,
                target,
            } => {
                let made = self.make(&user, *directory, name, FileKind::Symlink, 0o777);
                self.at_mut(made).target.clone_from(target);
                self.at_mut(made).open_bits = 0o7777;
                Some(made)
            }
            A::MakeNode {
                directory,
                name,
                kind,
                mode,
                ..
            } => Some(self.make(&user, *directory, name, *kind, *mode)),
            A::Link {
                node,
                directory,
                name,
            } => {
                self.at_mut(*node).names += 1;
                self.at_mut(*node).changed.touch(Touch::Yes);
                self.insert(*directory, name, *node);
                None
            }
            A::Remove { directory, name } | A::RemoveDirectory { directory, name } => {
                self.take_out(*directory, name);
                None
            }
            A::Rename {
                from,
                from_name,
                to,
                to_name,
            } => {
                self.rename((*from, from_name), (*to, to_name));
                None
            }
        }
    }

    fn found(&self, directory: Node, name: &[u8]) -> Node {
        match name {
            b"." => directory,
            b".." => self.at(directory).parent,
            _ => self.at(directory).entries[name],
        }
    }

    fn create(&mut self, user: &User, directory: Node, name: &[u8], how: CreateMode) -> Node {
        let there = self.entry(directory, name).filter(|_| !is_dots(name));
        match (there, how) {
            (Some(node), CreateMode::Unchecked { truncate, .. }) => {
                let size = truncate.then_some(0);
                self.change(
                    user,
                    node,
                    &Change {
                        size,
                        ..Change::default()
                    },
                );
                node
            }
            (Some(node), _) => node,
            (None, CreateMode::Unchecked { mode, .. } | CreateMode::Guarded { mode }) => {
                self.make(user, directory, name, FileKind::Regular, mode)
            }
            (None, CreateMode::Exclusive { verifier }) => {
                let made = self.make(user, directory, name, FileKind::Regular, 0);
                let inode = self.at_mut(made);
                // Attributes are the client's to set next (RFC 1813 3.3.8).
                inode.open_bits = 0o7777;
                inode.exclusive_verifier = Some(verifier);
                made
            }
        }
    }

    fn make(
        &mut self,
        user: &User,
        directory: Node,
        name: &[u8],
        kind: FileKind,
        mode: u16,
    ) -> Node {
        let inherits = self.at(directory).mode & 0o2000 != 0;
        let gid = if inherits {
            self.at(directory).gid
        } else {
            user.gid
        };
        let made = self.add(kind, mode, user.uid, gid);
        let inode = self.at_mut(made);
        if kind == FileKind::Directory {
            inode.parent = directory;
            if inherits {
                inode.mode |= 0o2000;
            } else {
                // POSIX leaves set-id bits of a new directory to the file system.
                inode.open_bits = mode & SET_ID_BITS;
            }
        } else if user.uid != 0 && !in_group(user, gid) {
            inode.open_bits = 0o2000; // May be refused to somebody outside the group.
        }
        self.insert(directory, name, made);
        made
    }

    fn insert(&mut self, directory: Node, name: &[u8], node: Node) {
        let inode = self.at_mut(directory);
        inode.entries.insert(name.to_vec(), node);
        inode.modified.touch(Touch::Yes);
        inode.changed.touch(Touch::Yes);
    }

    fn take_out(&mut self, directory: Node, name: &[u8]) {
        let inode = self.at_mut(directory);
        inode.modified.touch(Touch::Yes);
        inode.changed.touch(Touch::Yes);
        if let Some(node) = inode.entries.remove(name) {
            self.unlink(node);
        }
    }

    fn unlink(&mut self, node: Node) {
        let inode = self.at_mut(node);
        inode.names -= 1;
        inode.alive = inode.names > 0;
        inode.changed.touch(Touch::Yes);
    }

    fn rename(&mut self, (from, from_name): (Node, &[u8]), (to, to_name): (Node, &[u8])) {
        let Some(moved) = self.entry(from, from_name) else {
            return;
        };
        let replaced = self.entry(to, to_name);
        if replaced == Some(moved) {
            return; // Two names of one file: nothing is done.
        }
        if let Some(replaced) = replaced {
            self.unlink(replaced);
        }
        self.at_mut(from).entries.remove(from_name);
        self.at_mut(from).modified.touch(Touch::Yes);
        self.at_mut(from).changed.touch(Touch::Yes);
        self.insert(to, to_name, moved);
        let inode = self.at_mut(moved);
        inode.changed.touch(Touch::Yes);
        if inode.kind == FileKind::Directory {
            inode.parent = to;
            inode.modified.touch(Touch::Maybe);
        }
    }

    fn write(&mut self, user: &User, node: Node, offset: u64, data: &[u8], stability: Stability) {
        let inode = self.at_mut(node);
        // The verifier is not known here: the checker notes it when it is.
        match stability {
            Stability::Unstable => {}
            _ => inode.data.write_stable(offset as usize, data),
        }
        let touch = if data.is_empty() {
            Touch::Maybe
        } else {
            Touch::Yes
        };
        inode.modified.touch(touch);
        inode.changed.touch(touch);
        if user.uid != 0 {
            inode.open_bits |= inode.mode & SET_ID_BITS;
        }
    }

    /// Whether it is a write that also takes set-id bits away.
    pub(super) fn clears_set_id_bits(&self, operation: &Operation<Node>) -> bool {
        let Action::Write { node, .. } = &operation.action else {
            return false;
        };
        USERS[operation.user]().uid != 0 && self.at(*node).mode & SET_ID_BITS != 0
    }

    fn change(&mut self, user: &User, node: Node, change: &Change) {
        let inode = self.at_mut(node);
        let nothing = *change == Change::default();
        let ignored = inode.kind == FileKind::Symlink && change.mode.is_some();
        let touch = if nothing || ignored {
            Touch::Maybe
        } else {
            Touch::Yes
        };
        inode.changed.touch(touch);
        let before = inode.data.len() as u64;
        if let Some(size) = change.size {
            let touch = if size == before {
                Touch::Maybe
            } else {
                Touch::Yes
            };
            inode.modified.touch(touch);
            inode.data.resize(size as usize);
            if user.uid != 0 {
                inode.open_bits |= inode.mode & SET_ID_BITS;
            }
        }
        if change.uid.is_some() || change.gid.is_some() {
            inode.open_bits |= inode.mode & SET_ID_BITS;
        }
        inode.uid = change.uid.unwrap_or(inode.uid);
        inode.gid = change.gid.unwrap_or(inode.gid);
        if let Some(mode) = change.mode {
            inode.mode = mode;
            let outside = user.uid != 0 && !in_group(user, inode.gid);
            inode.open_bits = match inode.kind {
                FileKind::Symlink => 0o7777, // POSIX has no lchmod.
                _ if outside => mode & 0o2000,
                _ => 0,
            };
            if change.uid.is_some() || change.gid.is_some() {
                inode.open_bits |= mode & SET_ID_BITS;
            }
        }
        for (time, to) in [
            (&mut inode.accessed, change.accessed),
            (&mut inode.modified, change.modified),
        ] {
            match to {
                None => {}
                Some(TimeChange::Now) => time.touch(Touch::Yes),
                Some(TimeChange::To(value)) => time.set(value),
            }
        }
    }

    /// Compares what an answer says a node was before the action with the model, on which it was not yet done.
    ///
    /// # Errors
    /// What differs.
    pub fn observe_before(&mut self, node: Node, seen: &SeenBefore) -> Result<(), String> {
        let size = self.size(node);
        let inode = self.at_mut(node);
        if inode.has_size() {
            same("size", &seen.size, &size)?;
        }
        inode.see_changed(seen.changed)?;
        inode.see_modified(seen.modified)
    }

    /// Compares what a client sees of a node with the model, and takes over what POSIX leaves open.
    ///
    /// # Errors
    /// What differs.
    pub fn observe(&mut self, node: Node, seen: &Seen) -> Result<(), String> {
        let (links, size) = (self.link_count(node), self.size(node));
        let inode = self.at_mut(node);
        let fixed = !inode.open_bits;
        let octal = |mode: u16| format!("{:o}", mode & fixed);
        same("kind", &seen.kind, &inode.kind)?;
        same("mode", &octal(seen.mode), &octal(inode.mode))?;
        same("links", &seen.link_count, &links)?;
        same("uid", &seen.uid, &inode.uid)?;
        same("gid", &seen.gid, &inode.gid)?;
        if inode.has_size() {
            same("size", &seen.size, &size)?;
        }
        let file_id = inode.file_id.unwrap_or(seen.file_id);
        same("inode number", &seen.file_id, &file_id)?;
        inode.see_changed(seen.changed)?;
        inode.see_modified(seen.modified)?;
        if inode.kind == FileKind::Symlink {
            inode.accessed.touch(Touch::Maybe); // Followed by whoever likes to.
        }
        see("atime", &mut inode.accessed, seen.accessed, |_, _| true)?;
        inode.mode = (inode.mode & fixed) | (seen.mode & inode.open_bits);
        inode.open_bits = 0;
        inode.file_id = Some(seen.file_id);
        Ok(())
    }
}

impl Inode {
    /// Whether its size is told by what is in it: a directory's is the file system's own affair.
    fn has_size(&self) -> bool {
        matches!(self.kind, FileKind::Regular | FileKind::Symlink)
    }

    fn see_changed(&mut self, seen: Timestamp) -> Result<(), String> {
        see("ctime", &mut self.changed, seen, |seen, known| seen > known)
    }

    /// A time that a client set may lie in the future: a later write need not be later.
    fn see_modified(&mut self, seen: Timestamp) -> Result<(), String> {
        let moved_on = |seen, known| seen != known;
        see("mtime", &mut self.modified, seen, moved_on)
    }
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, seen: &T, expected: &T) -> Result<(), String> {
    if seen == expected {
        Ok(())
    } else {
        Err(format!("{what} is {seen:?}, not {expected:?}"))
    }
}

fn see(
    what: &str,
    time: &mut Time,
    seen: Timestamp,
    moved_on: impl Fn(Timestamp, Timestamp) -> bool,
) -> Result<(), String> {
    if let Some(known) = time.known {
        let right = match time.touch {
            Touch::No => seen == known,
            Touch::Maybe => seen == known || moved_on(seen, known),
            Touch::Yes => moved_on(seen, known),
        };
        if !right {
            return Err(format!(
                "{what} is {seen:?}; it was {known:?}, changed: {:?}",
                time.touch
            ));
        }
    }
    time.set(seen);
    Ok(())
}
