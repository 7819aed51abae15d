//! How an operation must end.

use sluice_types::{FileKind, FsError};

use super::operation::{Action, Change, CreateMode, Operation, TimeChange, USERS};
use super::tree::{Inode, Model, Node};
use crate::nfs_client::User;

/// The longest name, in bytes.
const NAME_BYTES_MAX: usize = 255;

/// Bits of access.
pub(super) const READ: u8 = 4;
pub(super) const WRITE: u8 = 2;
pub(super) const SEARCH: u8 = 1;

/// How an operation must end.
#[derive(Clone, Debug, PartialEq)]
pub enum Expect {
    /// Well.
    Success,
    /// With one of these errors: POSIX leaves open which of several reasons wins.
    Failure(Vec<FsError>),
    /// Well, or with one of these errors: POSIX leaves it open.
    Either(Vec<FsError>),
}

/// Reasons against an operation.
#[derive(Default)]
struct Reasons {
    /// Each of these alone makes it fail.
    certain: Vec<FsError>,
    /// These may make it fail.
    possible: Vec<FsError>,
}

impl Reasons {
    fn when(&mut self, applies: bool, errors: &[FsError]) {
        if applies {
            self.certain.extend(errors);
        }
    }

    fn maybe_when(&mut self, applies: bool, errors: &[FsError]) {
        if applies {
            self.possible.extend(errors);
        }
    }

    fn into_expect(mut self) -> Expect {
        match (self.certain.is_empty(), self.possible.is_empty()) {
            (true, true) => Expect::Success,
            (true, false) => Expect::Either(self.possible),
            (false, _) => {
                self.certain.extend(self.possible);
                Expect::Failure(self.certain)
            }
        }
    }
}

impl Model {
    /// How `operation` must end if it is done now.
    pub fn expect(&self, operation: &Operation<Node>) -> Expect {
        let user = USERS[operation.user]();
        let mut reasons = Reasons::default();
        self.judge(&mut reasons, &user, &operation.action);
        reasons.into_expect()
    }

    fn judge(&self, reasons: &mut Reasons, user: &User, action: &Action<Node>) {
        use Action as A;
        match action {
            A::GetAttributes { node } | A::Access { node } => self.judge_alive(reasons, *node),
            A::SetAttributes {
                node,
                change,
                stale_guard,
            } => {
                self.judge_change(reasons, user, *node, change);
                reasons.when(*stale_guard, &[FsError::GuardMismatch]);
            }
            A::Lookup { directory, name } => self.judge_lookup(reasons, user, *directory, name),
            A::ReadSymlink { node } => {
                self.judge_alive(reasons, *node);
                let inode = self.at(*node);
                reasons.when(inode.kind != FileKind::Symlink, &[FsError::Invalid]);
                reasons.maybe_when(!may(inode, user, READ), &[FsError::AccessDenied]);
            }
            A::Read { node, .. } => self.judge_data(reasons, user, *node, READ),
            A::Write { node, .. } => self.judge_data(reasons, user, *node, WRITE),
            A::Commit { node } => {
                self.judge_alive(reasons, *node);
                self.judge_regular(reasons, *node);
                let denied = !may(self.at(*node), user, WRITE);
                reasons.maybe_when(denied, &[FsError::AccessDenied]);
            }
            A::Create {
                directory,
                name,
                how,
            } => {
                self.judge_create(reasons, user, *directory, name, *how);
            }
            A::MakeDirectory {
                directory, name, ..
            } => {
                self.judge_new_name(reasons, user, *directory, name);
            }
            A::MakeSymlink {
                directory,
                name,
                target,
            } => {
                self.judge_new_name(reasons, user, *directory, name);
                reasons.when(target.len() > 4095, &[FsError::NameTooLong]);
            }
            A::MakeNode {
                directory,
                name,
                kind,
                ..
            } => {
                self.judge_new_name(reasons, user, *directory, name);
                let device = matches!(kind, FileKind::BlockDevice | FileKind::CharacterDevice);
                reasons.when(device && user.uid != 0, &[FsError::NotPermitted]);
            }
            A::Link {
                node,
                directory,
                name,
            } => {
                self.judge_alive(reasons, *node);
                let is_directory = self.at(*node).kind == FileKind::Directory;
                let refusals = [
                    FsError::IsDirectory,
                    FsError::NotPermitted,
                    FsError::Invalid,
                ];
                reasons.when(is_directory, &refusals);
                self.judge_new_name(reasons, user, *directory, name);
            }
            A::Remove { directory, name } => self.judge_remove(reasons, user, *directory, name),
            A::RemoveDirectory { directory, name } => {
                self.judge_remove_directory(reasons, user, *directory, name);
            }
            A::Rename {
                from,
                from_name,
                to,
                to_name,
            } => {
                self.judge_rename(reasons, user, (*from, from_name), (*to, to_name));
            }
            A::List { directory, .. } => {
                self.judge_directory(reasons, user, *directory, READ);
            }
        }
    }

    fn judge_alive(&self, reasons: &mut Reasons, node: Node) {
        reasons.when(!self.at(node).alive, &[FsError::Stale]);
    }

    fn judge_regular(&self, reasons: &mut Reasons, node: Node) {
        match self.at(node).kind {
            FileKind::Regular => {}
            FileKind::Directory => reasons.when(true, &[FsError::IsDirectory, FsError::Invalid]),
            _ => reasons.when(true, &[FsError::Invalid]),
        }
    }

    fn judge_data(&self, reasons: &mut Reasons, user: &User, node: Node, wanted: u8) {
        self.judge_alive(reasons, node);
        self.judge_regular(reasons, node);
        let inode = self.at(node);
        // RFC 1813 4.4: the owner may always, as its client checked when it opened the file; and what
        // may be executed may be read.
        let executable = wanted == READ && may(inode, user, SEARCH);
        let allowed = user.uid == inode.uid || may(inode, user, wanted) || executable;
        reasons.when(!allowed, &[FsError::AccessDenied]);
    }

    fn judge_change(&self, reasons: &mut Reasons, user: &User, node: Node, change: &Change) {
        self.judge_alive(reasons, node);
        let inode = self.at(node);
        let owner = user.uid == 0 || user.uid == inode.uid;
        reasons.when(change.mode.is_some() && !owner, &[FsError::NotPermitted]);
        let gives_away = change.uid.is_some_and(|uid| uid != inode.uid);
        reasons.when(gives_away && user.uid != 0, &[FsError::NotPermitted]);
        reasons.maybe_when(
            change.uid.is_some() && user.uid != 0,
            &[FsError::NotPermitted],
        );
        let foreign = change
            .gid
            .is_some_and(|gid| gid != inode.gid && !in_group(user, gid));
        let regroups = change.gid.is_some_and(|gid| gid != inode.gid);
        reasons.when(
            regroups && user.uid != 0 && (!owner || foreign),
            &[FsError::NotPermitted],
        );
        reasons.maybe_when(change.gid.is_some() && !owner, &[FsError::NotPermitted]);
        if change.size.is_some() {
            self.judge_regular(reasons, node);
            let allowed = may(inode, user, WRITE);
            reasons.when(!allowed && !owner, &[FsError::AccessDenied]);
            reasons.maybe_when(!allowed && owner, &[FsError::AccessDenied]);
        }
        for time in [change.accessed, change.modified].into_iter().flatten() {
            let to_now = time == TimeChange::Now;
            let allowed = owner || (to_now && may(inode, user, WRITE));
            let refusals: &[FsError] = if to_now {
                &[FsError::AccessDenied, FsError::NotPermitted]
            } else {
                &[FsError::NotPermitted]
            };
            reasons.when(!allowed, refusals);
        }
        // POSIX has no lchmod.
        let odd = inode.kind == FileKind::Symlink && change.mode.is_some();
        reasons.maybe_when(odd, &[FsError::NotSupported, FsError::Invalid]);
    }

    /// What every operation in a directory needs.
    fn judge_directory(&self, reasons: &mut Reasons, user: &User, directory: Node, wanted: u8) {
        self.judge_alive(reasons, directory);
        let inode = self.at(directory);
        reasons.when(inode.kind != FileKind::Directory, &[FsError::NotDirectory]);
        reasons.when(!may(inode, user, wanted), &[FsError::AccessDenied]);
    }

    fn judge_lookup(&self, reasons: &mut Reasons, user: &User, directory: Node, name: &[u8]) {
        self.judge_directory(reasons, user, directory, SEARCH);
        reasons.when(name.len() > NAME_BYTES_MAX, &[FsError::NameTooLong]);
        let missing = !is_dots(name) && self.entry(directory, name).is_none();
        reasons.when(missing, &[FsError::NotFound]);
    }

    /// A name that is to be made and must not be there.
    fn judge_new_name(&self, reasons: &mut Reasons, user: &User, directory: Node, name: &[u8]) {
        self.judge_directory(reasons, user, directory, SEARCH | WRITE);
        reasons.when(name.len() > NAME_BYTES_MAX, &[FsError::NameTooLong]);
        reasons.when(
            is_dots(name),
            &[FsError::Exists, FsError::Invalid, FsError::IsDirectory],
        );
        reasons.when(self.entry(directory, name).is_some(), &[FsError::Exists]);
    }

    fn judge_create(
        &self,
        reasons: &mut Reasons,
        user: &User,
        directory: Node,
        name: &[u8],
        how: CreateMode,
    ) {
        let there = self.entry(directory, name).map(|node| self.at(node));
        let (Some(there), false) = (there, is_dots(name)) else {
            return self.judge_new_name(reasons, user, directory, name);
        };
        match how {
            CreateMode::Guarded { .. } => self.judge_new_name(reasons, user, directory, name),
            CreateMode::Exclusive { verifier } => {
                let same = there.exclusive_verifier == Some(verifier);
                reasons.when(!same, &[FsError::Exists]);
                // Only the retransmission of a CREATE must be known; a later one may be.
                reasons.maybe_when(same, &[FsError::Exists, FsError::AccessDenied]);
                self.judge_directory(reasons, user, directory, SEARCH);
            }
            CreateMode::Unchecked { truncate, .. } => {
                self.judge_directory(reasons, user, directory, SEARCH);
                let no_write = !may(self.at(directory), user, WRITE);
                reasons.maybe_when(no_write, &[FsError::AccessDenied]);
                let regular = there.kind == FileKind::Regular;
                let refusals = [FsError::Exists, FsError::IsDirectory, FsError::Invalid];
                reasons.when(!regular, &refusals);
                let denied = !may(there, user, WRITE);
                let certainly = denied && truncate && user.uid != there.uid;
                reasons.when(certainly, &[FsError::AccessDenied]);
                reasons.maybe_when(denied, &[FsError::AccessDenied]);
            }
        }
    }

    fn judge_remove(&self, reasons: &mut Reasons, user: &User, directory: Node, name: &[u8]) {
        self.judge_old_name(reasons, user, directory, name);
        let there = self.entry(directory, name).map(|node| self.at(node));
        let is_directory = there.is_some_and(|there| there.kind == FileKind::Directory);
        reasons.when(is_directory, &[FsError::IsDirectory, FsError::NotPermitted]);
    }

    fn judge_remove_directory(
        &self,
        reasons: &mut Reasons,
        user: &User,
        directory: Node,
        name: &[u8],
    ) {
        self.judge_old_name(reasons, user, directory, name);
        if let Some(there) = self.entry(directory, name).map(|node| self.at(node)) {
            reasons.when(there.kind != FileKind::Directory, &[FsError::NotDirectory]);
            reasons.when(
                !there.entries.is_empty(),
                &[FsError::NotEmpty, FsError::Exists],
            );
        }
    }

    /// A name that is to go and must be there.
    fn judge_old_name(&self, reasons: &mut Reasons, user: &User, directory: Node, name: &[u8]) {
        self.judge_directory(reasons, user, directory, SEARCH | WRITE);
        reasons.when(name.len() > NAME_BYTES_MAX, &[FsError::NameTooLong]);
        let dots = [
            FsError::Invalid,
            FsError::NotEmpty,
            FsError::Exists,
            FsError::IsDirectory,
            FsError::NotPermitted,
        ];
        reasons.when(is_dots(name), &dots);
        match self.entry(directory, name) {
            None => reasons.when(!is_dots(name), &[FsError::NotFound]),
            Some(node) => self.judge_sticky(reasons, user, directory, node),
        }
    }

    fn judge_sticky(&self, reasons: &mut Reasons, user: &User, directory: Node, node: Node) {
        let (directory, inode) = (self.at(directory), self.at(node));
        let owner = [0, directory.uid, inode.uid].contains(&user.uid);
        let refused = directory.mode & 0o1000 != 0 && !owner;
        reasons.when(refused, &[FsError::NotPermitted, FsError::AccessDenied]);
    }

    fn judge_rename(
        &self,
        reasons: &mut Reasons,
        user: &User,
        (from, from_name): (Node, &[u8]),
        (to, to_name): (Node, &[u8]),
    ) {
        self.judge_old_name(reasons, user, from, from_name);
        self.judge_directory(reasons, user, to, SEARCH | WRITE);
        reasons.when(to_name.len() > NAME_BYTES_MAX, &[FsError::NameTooLong]);
        let dots = [
            FsError::Invalid,
            FsError::NotEmpty,
            FsError::Exists,
            FsError::IsDirectory,
        ];
        reasons.when(is_dots(to_name), &dots);
        let Some(moved) = self.entry(from, from_name) else {
            return;
        };
        if self.entry(to, to_name) == Some(moved) {
            // Two names of one file: nothing is to be done, which some do before they look at permissions.
            reasons.possible.append(&mut reasons.certain);
            return;
        }
        let is_directory = self.at(moved).kind == FileKind::Directory;
        if is_directory && self.at(to).kind == FileKind::Directory {
            let loops = self.at(to).alive && self.is_above(moved, to);
            reasons.when(loops, &[FsError::Invalid]);
            // ".." of the moved directory changes, which some file systems count as writing to it.
            let rewrites = from != to && !may(self.at(moved), user, WRITE);
            reasons.maybe_when(rewrites, &[FsError::AccessDenied]);
        }
        if let Some(replaced) = self.entry(to, to_name)
            && replaced != moved
        {
            self.judge_replacing(reasons, user, is_directory, to, replaced);
        }
    }

    fn judge_replacing(
        &self,
        reasons: &mut Reasons,
        user: &User,
        by_directory: bool,
        to: Node,
        replaced: Node,
    ) {
        self.judge_sticky(reasons, user, to, replaced);
        let there = self.at(replaced);
        match (by_directory, there.kind == FileKind::Directory) {
            (true, true) => {
                let full = !there.entries.is_empty();
                reasons.when(full, &[FsError::NotEmpty, FsError::Exists]);
            }
            (true, false) => reasons.when(true, &[FsError::NotDirectory, FsError::Exists]),
            (false, true) => {
                reasons.when(true, &[FsError::IsDirectory, FsError::Exists]);
                reasons.maybe_when(!there.entries.is_empty(), &[FsError::NotEmpty]);
            }
            (false, false) => {}
        }
    }

    pub(super) fn entry(&self, directory: Node, name: &[u8]) -> Option<Node> {
        self.at(directory).entries.get(name).copied()
    }

    /// What of read, write and search a user is granted.
    pub(super) fn granted(&self, node: Node, user: usize) -> u8 {
        let granted = granted(self.at(node), &USERS[user]());
        let searchable = self.at(node).kind != FileKind::Directory || granted & SEARCH != 0;
        // Entries of a directory that cannot be searched cannot be changed either.
        if searchable {
            granted
        } else {
            granted & !WRITE
        }
    }
}

pub(super) fn is_dots(name: &[u8]) -> bool {
    name == b"." || name == b".."
}

pub(super) fn in_group(user: &User, gid: u32) -> bool {
    user.gid == gid || user.groups.contains(&gid)
}

fn may(inode: &Inode, user: &User, wanted: u8) -> bool {
    granted(inode, user) & wanted == wanted
}

fn granted(inode: &Inode, user: &User) -> u8 {
    if user.uid == 0 {
        let executable = inode.kind == FileKind::Directory || inode.mode & 0o111 != 0;
        return READ | WRITE | u8::from(executable);
    }
    let shift = match () {
        () if user.uid == inode.uid => 6,
        () if in_group(user, inode.gid) => 3,
        () => 0,
    };
    (inode.mode >> shift) as u8 & 7
}
