//! The model's state.

use std::collections::BTreeMap;

use sluice_types::{FileKind, Timestamp};

use super::data::FileData;

/// A node of the model, for ever: its number is not used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Node(pub usize);

/// What changed about a time since a client last saw it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Touch {
    /// It must be the same.
    No,
    /// It may be the same or later.
    Maybe,
    /// It must be later.
    Yes,
}

/// What the model knows of a time.
#[derive(Clone, Copy, Debug)]
pub(super) struct Time {
    /// What a client last saw, or set; `None` if nobody looked yet.
    pub known: Option<Timestamp>,
    /// What happened since.
    pub touch: Touch,
}

impl Time {
    const NEW: Self = Self {
        known: None,
        touch: Touch::Yes,
    };

    pub(super) fn touch(&mut self, touch: Touch) {
        self.touch = self.touch.max(touch);
    }

    pub(super) fn set(&mut self, time: Timestamp) {
        *self = Self {
            known: Some(time),
            touch: Touch::No,
        };
    }
}

#[derive(Clone, Debug)]
pub(super) struct Inode {
    pub kind: FileKind,
    pub mode: u16,
    /// Bits of the mode that POSIX leaves open, until somebody looks.
    pub open_bits: u16,
    pub uid: u32,
    pub gid: u32,
    /// Names, of anything but a directory.
    pub names: u32,
    pub data: FileData,
    pub target: Vec<u8>,
    pub entries: BTreeMap<Vec<u8>, Node>,
    /// Of a directory.
    pub parent: Node,
    pub exclusive_verifier: Option<[u8; 8]>,
    /// False once it has been removed.
    pub alive: bool,
    pub accessed: Time,
    pub modified: Time,
    pub changed: Time,
    /// The inode's number, once seen.
    pub file_id: Option<u64>,
}

/// A file system in memory.
#[derive(Clone, Debug)]
pub struct Model {
    pub(super) inodes: Vec<Inode>,
}

impl Model {
    /// The root directory.
    pub const ROOT: Node = Node(0);

    /// An empty file system whose root has these attributes.
    pub fn new(mode: u16, uid: u32, gid: u32) -> Self {
        let mut model = Self { inodes: Vec::new() };
        model.add(FileKind::Directory, mode, uid, gid);
        model
    }

    /// All nodes there ever were, and whether they still are.
    pub fn nodes(&self) -> impl Iterator<Item = (Node, bool)> + '_ {
        self.inodes
            .iter()
            .enumerate()
            .map(|(index, inode)| (Node(index), inode.alive))
    }

    /// What a node is or was.
    pub fn kind(&self, node: Node) -> FileKind {
        self.at(node).kind
    }

    /// The size of a file, in bytes.
    pub fn size(&self, node: Node) -> u64 {
        match self.at(node).kind {
            FileKind::Regular => self.at(node).data.len() as u64,
            FileKind::Symlink => self.at(node).target.len() as u64,
            _ => 0,
        }
    }

    /// The names in a directory.
    pub fn names(&self, directory: Node) -> impl Iterator<Item = (&[u8], Node)> + '_ {
        self.at(directory)
            .entries
            .iter()
            .map(|(name, node)| (name.as_slice(), *node))
    }

    /// A file's data.
    pub fn data_mut(&mut self, node: Node) -> &mut FileData {
        &mut self.at_mut(node).data
    }

    /// A file's data.
    pub fn data(&self, node: Node) -> &FileData {
        &self.at(node).data
    }

    /// After a crash: takes whatever times of files are seen next, as those of unstable writes may be lost.
    pub fn forget_file_times(&mut self) {
        let files = self
            .inodes
            .iter_mut()
            .filter(|inode| inode.kind == FileKind::Regular);
        for inode in files {
            for time in [&mut inode.accessed, &mut inode.modified, &mut inode.changed] {
                *time = Time::NEW;
            }
        }
    }

    pub(super) fn link_count(&self, node: Node) -> u32 {
        let inode = self.at(node);
        if inode.kind != FileKind::Directory {
            return inode.names;
        }
        let kinds = inode.entries.values().map(|entry| self.at(*entry).kind);
        2 + kinds.filter(|kind| *kind == FileKind::Directory).count() as u32
    }

    pub(super) fn at(&self, node: Node) -> &Inode {
        &self.inodes[node.0]
    }

    pub(super) fn at_mut(&mut self, node: Node) -> &mut Inode {
        &mut self.inodes[node.0]
    }

    /// Whether `node` is `directory` or lies above it.
    pub(super) fn is_above(&self, node: Node, directory: Node) -> bool {
        let mut at = directory;
        loop {
            if at == node {
                return true;
            }
            if at == Self::ROOT {
                return false;
            }
            at = self.at(at).parent;
        }
    }

    pub(super) fn add(&mut self, kind: FileKind, mode: u16, uid: u32, gid: u32) -> Node {
        self.inodes.push(Inode {
            kind,
            mode,
            open_bits: 0,
            uid,
            gid,
            names: 1,
            data: FileData::default(),
            target: Vec::new(),
            entries: BTreeMap::new(),
            parent: Self::ROOT,
            exclusive_verifier: None,
            alive: true,
            accessed: Time::NEW,
            modified: Time::NEW,
            changed: Time::NEW,
            file_id: None,
        });
        Node(self.inodes.len() - 1)
    }
}
