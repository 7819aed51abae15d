//! A file system so simple that it is plainly right: what random operations are compared with.
//!
//! It knows names, kinds, sizes and links as the superuser sees them; permissions and times have tests of
//! their own.

use std::collections::BTreeMap;

use bytes::Bytes;
use sluice_types::{FsError, InodeId, Rng, SetAttributes};
use sluice_wire::meta::{CreateHow, ReadSymlink};

use super::support::{ROOT, SeededRng, User, mode};

/// An operation on the model and on the service.
#[derive(Clone, Debug)]
pub(crate) enum Step {
    Create(InodeId, String),
    Open(InodeId, String),
    MakeDirectory(InodeId, String),
    MakeSymlink(InodeId, String),
    Link(InodeId, InodeId, String),
    Remove(InodeId, String),
    RemoveDirectory(InodeId, String),
    Rename(InodeId, String, InodeId, String),
    SetSize(InodeId, u64),
    Lookup(InodeId, String),
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Node {
    File {
        size: u64,
        links: u32,
    },
    Symlink {
        links: u32,
    },
    Directory {
        parent: InodeId,
        entries: BTreeMap<String, InodeId>,
    },
}

/// The tree by inode.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Model {
    nodes: BTreeMap<InodeId, Node>,
    top: InodeId,
    /// Inodes that are gone, so that stale ones are tried too.
    gone: Vec<InodeId>,
}

/// What a tree looks like from above, one line for each name.
pub(crate) type Picture = BTreeMap<String, String>;

impl Model {
    /// An empty directory `top`.
    pub(crate) fn new(top: InodeId) -> Self {
        let directory = Node::Directory {
            parent: ROOT,
            entries: BTreeMap::new(),
        };
        Self {
            nodes: BTreeMap::from([(top, directory)]),
            top,
            gone: Vec::new(),
        }
    }

    /// A random operation: mostly on what is there, under few names.
    pub(crate) fn random_step(&self, rng: &SeededRng) -> Step {
        let name = || format!("n{}", rng.below(6));
        let (a, b) = (self.random_inode(rng, true), self.random_inode(rng, true));
        let any = self.random_inode(rng, false);
        match rng.below(16) {
            0..=2 => Step::Create(a, name()),
            3 => Step::Open(a, name()),
            4..=5 => Step::MakeDirectory(a, name()),
            6 => Step::MakeSymlink(a, name()),
            7..=8 => Step::Link(any, a, name()),
            9 => Step::Remove(a, name()),
            10 => Step::RemoveDirectory(a, name()),
            11..=13 => Step::Rename(a, name(), b, name()),
            14 => Step::SetSize(any, rng.below(1000)),
            _ => Step::Lookup(a, name()),
        }
    }

    fn random_inode(&self, rng: &SeededRng, directory: bool) -> InodeId {
        if rng.below(20) == 0 && !self.gone.is_empty() {
            return *rng.pick(&self.gone);
        }
        let all: Vec<InodeId> = self
            .nodes
            .iter()
            .filter(|(_, node)| {
                !directory || matches!(node, Node::Directory { .. }) || rng.below(10) == 0
            })
            .map(|(id, _)| *id)
            .collect();
        *rng.pick(&all)
    }

    /// What `step` does; `made` is the number of an inode that it makes.
    pub(crate) fn apply(&mut self, step: &Step, made: InodeId) -> Result<(), FsError> {
        match step {
            Step::Create(directory, name) => {
                self.add(*directory, name, made, Node::File { size: 0, links: 1 })
            }
            Step::Open(directory, name) => match self.find(*directory, name)? {
                None => self.add(*directory, name, made, Node::File { size: 0, links: 1 }),
                Some(found) => match self.nodes.get_mut(&found) {
                    Some(Node::File { size, .. }) => {
                        *size = 0;
                        Ok(())
                    }
                    Some(Node::Directory { .. }) => Err(FsError::IsDirectory),
                    _ => Err(FsError::Exists),
                },
            },
            Step::MakeDirectory(directory, name) => {
                let node = Node::Directory {
                    parent: *directory,
                    entries: BTreeMap::new(),
                };
                self.add(*directory, name, made, node)
            }
            Step::MakeSymlink(directory, name) => {
                self.add(*directory, name, made, Node::Symlink { links: 1 })
            }
            Step::Link(inode, directory, name) => self.link(*inode, *directory, name),
            Step::Remove(directory, name) => self.remove(*directory, name, false),
            Step::RemoveDirectory(directory, name) => self.remove(*directory, name, true),
            Step::Rename(from, old, to, new) => self.rename(*from, old, *to, new),
            Step::SetSize(inode, bytes) => match self.nodes.get_mut(inode) {
                None => Err(FsError::Stale),
                Some(Node::File { size, .. }) => {
                    *size = *bytes;
                    Ok(())
                }
                Some(Node::Directory { .. }) => Err(FsError::IsDirectory),
                Some(Node::Symlink { .. }) => Err(FsError::Invalid),
            },
            Step::Lookup(directory, name) => match self.find(*directory, name)? {
                Some(_) => Ok(()),
                None => Err(FsError::NotFound),
            },
        }
    }

    fn entries(&mut self, directory: InodeId) -> Result<&mut BTreeMap<String, InodeId>, FsError> {
        match self.nodes.get_mut(&directory) {
            None => Err(FsError::Stale),
            Some(Node::Directory { entries, .. }) => Ok(entries),
            Some(_) => Err(FsError::NotDirectory),
        }
    }

    fn find(&mut self, directory: InodeId, name: &str) -> Result<Option<InodeId>, FsError> {
        Ok(self.entries(directory)?.get(name).copied())
    }

    fn is_directory(&self, inode: InodeId) -> bool {
        matches!(self.nodes.get(&inode), Some(Node::Directory { .. }))
    }

    fn is_full(&self, inode: InodeId) -> bool {
        match self.nodes.get(&inode) {
            Some(Node::Directory { entries, .. }) => !entries.is_empty(),
            _ => false,
        }
    }

    fn add(
        &mut self,
        directory: InodeId,
        name: &str,
        made: InodeId,
        node: Node,
    ) -> Result<(), FsError> {
        if self.find(directory, name)?.is_some() {
            return Err(FsError::Exists);
        }
        self.entries(directory)?.insert(name.into(), made);
        self.nodes.insert(made, node);
        Ok(())
    }

    fn link(&mut self, inode: InodeId, directory: InodeId, name: &str) -> Result<(), FsError> {
        if !self.nodes.contains_key(&inode) {
            return Err(FsError::Stale);
        }
        if self.find(directory, name)?.is_some() {
            return Err(FsError::Exists);
        }
        match self.nodes.get_mut(&inode) {
            Some(Node::File { links, .. } | Node::Symlink { links }) => *links += 1,
            _ => return Err(FsError::NotPermitted),
        }
        self.entries(directory)?.insert(name.into(), inode);
        Ok(())
    }

    fn remove(&mut self, directory: InodeId, name: &str, rmdir: bool) -> Result<(), FsError> {
        let found = self.find(directory, name)?.ok_or(FsError::NotFound)?;
        match (self.is_directory(found), rmdir) {
            (true, false) => return Err(FsError::IsDirectory),
            (false, true) => return Err(FsError::NotDirectory),
            _ if self.is_full(found) => return Err(FsError::NotEmpty),
            _ => {}
        }
        self.entries(directory)?.remove(name);
        self.drop_name(found);
        Ok(())
    }

    fn drop_name(&mut self, inode: InodeId) {
        let last = match self.nodes.get_mut(&inode) {
            Some(Node::File { links, .. } | Node::Symlink { links }) => {
                *links -= 1;
                *links == 0
            }
            _ => true,
        };
        if last {
            self.nodes.remove(&inode);
            self.gone.push(inode);
        }
    }

    fn rename(&mut self, from: InodeId, old: &str, to: InodeId, new: &str) -> Result<(), FsError> {
        self.entries(from)?;
        self.entries(to)?;
        let source = self.find(from, old)?.ok_or(FsError::NotFound)?;
        let target = self.find(to, new)?;
        if target == Some(source) {
            return Ok(());
        }
        let is_directory = self.is_directory(source);
        if is_directory && from != to && self.is_below(to, source) {
            return Err(FsError::Invalid);
        }
        if let Some(target) = target {
            match (is_directory, self.is_directory(target)) {
                (true, false) => return Err(FsError::NotDirectory),
                (false, true) => return Err(FsError::IsDirectory),
                _ if self.is_full(target) => return Err(FsError::NotEmpty),
                _ => self.drop_name(target),
            }
        }
        self.entries(from)?.remove(old);
        self.entries(to)?.insert(new.into(), source);
        if let Some(Node::Directory { parent, .. }) = self.nodes.get_mut(&source) {
            *parent = to;
        }
        Ok(())
    }

    fn is_below(&self, inode: InodeId, above: InodeId) -> bool {
        let mut at = inode;
        while at != above {
            match self.nodes.get(&at) {
                Some(Node::Directory { parent, .. }) if at != self.top => at = *parent,
                _ => return false,
            }
        }
        true
    }

    /// What the tree looks like.
    pub(crate) fn picture(&self) -> Picture {
        let mut picture = Picture::new();
        self.draw(self.top, "", &mut picture);
        picture
    }

    fn draw(&self, directory: InodeId, path: &str, picture: &mut Picture) {
        let Some(Node::Directory { entries, .. }) = self.nodes.get(&directory) else {
            return;
        };
        for (name, inode) in entries {
            let path = format!("{path}/{name}");
            let line = match &self.nodes[inode] {
                Node::File { size, links } => format!("file of {size}, {links} links"),
                Node::Symlink { links } => format!("symlink, {links} links"),
                Node::Directory { entries, .. } => {
                    let below = entries.values().filter(|inode| self.is_directory(**inode));
                    format!("directory, {} links", 2 + below.count())
                }
            };
            picture.insert(path.clone(), line);
            self.draw(*inode, &path, picture);
        }
    }
}

/// Carries out `step` on the service; the inode that was made, if one was.
pub(crate) async fn carry_out(user: &User, step: &Step) -> Result<Option<InodeId>, FsError> {
    let made = match step {
        Step::Create(directory, name) => user.create(*directory, name, 0o644).await?,
        Step::Open(directory, name) => {
            let how = CreateHow::Unchecked(SetAttributes {
                size_bytes: Some(0),
                ..mode(0o644)
            });
            user.create_how(*directory, name, how).await?.node
        }
        Step::MakeDirectory(directory, name) => user.mkdir(*directory, name, 0o755).await?,
        Step::MakeSymlink(directory, name) => user.symlink(*directory, name, "target").await?,
        Step::Link(inode, directory, name) => user.link(*inode, *directory, name).await?.node,
        Step::Remove(directory, name) => user.remove(*directory, name).await?.node,
        Step::RemoveDirectory(directory, name) => user.rmdir(*directory, name).await?.node,
        Step::Rename(from, old, to, new) => user.rename((*from, old), (*to, new)).await?.node,
        Step::SetSize(inode, size) => {
            let changes = SetAttributes {
                size_bytes: Some(*size),
                ..SetAttributes::default()
            };
            user.set(*inode, changes).await?
        }
        Step::Lookup(directory, name) => user.lookup(*directory, name).await?,
    };
    let makes = matches!(
        step,
        Step::Create(..) | Step::Open(..) | Step::MakeDirectory(..) | Step::MakeSymlink(..)
    );
    Ok(makes.then_some(made.id))
}

/// What the service's tree below `top` looks like.
pub(crate) async fn picture(user: &User, top: InodeId) -> Picture {
    let mut picture = Picture::new();
    let mut open = vec![(top, String::new())];
    while let Some((directory, path)) = open.pop() {
        let listing = user.list(directory, 0, 1000).await.unwrap();
        assert!(listing.end);
        for entry in listing.entries {
            let path = format!("{path}/{}", entry.name);
            let node = user.inode(entry.inode).await.unwrap();
            let links = node.attributes.link_count;
            let line = match node.attributes.kind {
                sluice_types::FileKind::Directory => {
                    open.push((node.id, path.clone()));
                    format!("directory, {links} links")
                }
                sluice_types::FileKind::Symlink => {
                    let read = user.run(ReadSymlink { inode: node.id }).await.unwrap();
                    assert_eq!(read.target, Bytes::from_static(b"target"));
                    format!("symlink, {links} links")
                }
                _ => format!("file of {}, {links} links", node.attributes.size_bytes),
            };
            picture.insert(path, line);
        }
    }
    picture
}

/// A number for an inode that was not made.
pub(crate) fn nobody(rng: &SeededRng) -> InodeId {
    InodeId::new(u64::MAX - rng.next_u64() % 1_000_000).unwrap()
}
