//! The tree of the file service in memory.

use std::collections::BTreeMap;

use bytes::Bytes;
use sluice_types::{
    Attributes, Cookie, DataVersion, Device, FileKind, FileName, FsError, Generation, Inode,
    InodeId, Layout, Mode, SessionId, SetAttributes, SetTime, Timestamp, WccAttributes,
};
use sluice_wire::meta::{DirectoryChange, Made, Removed};

type Outcome<T> = Result<T, FsError>;

pub struct Node {
    pub inode: Inode,
    pub data: Vec<u8>,
    pub target: Bytes,
    pub entries: BTreeMap<u64, (FileName, InodeId)>,
}

pub struct State {
    pub nodes: BTreeMap<u64, Node>,
    pub next: u64,
    pub ticks: i64,
}

impl State {
    pub fn add(&mut self, kind: FileKind, parent: InodeId) -> InodeId {
        let id = InodeId::new(self.next).unwrap();
        self.next += 1;
        let now = self.now();
        let inode = Inode {
            id,
            generation: Generation::new(id.raw() as u32 * 3),
            attributes: Attributes {
                kind,
                mode: Mode::new(0o755),
                link_count: 1,
                uid: 0,
                gid: 0,
                size_bytes: 0,
                used_bytes: 0,
                device: Device::default(),
                accessed: now,
                modified: now,
                changed: now,
            },
            parent,
            layout: Layout::DEFAULT,
            data_version: DataVersion::new(1),
            writer: SessionId::new(0),
            pending_trim: None,
        };
        self.nodes.insert(
            id.raw(),
            Node {
                inode,
                data: Vec::new(),
                target: Bytes::new(),
                entries: BTreeMap::new(),
            },
        );
        id
    }

    pub fn now(&mut self) -> Timestamp {
        self.ticks += 1;
        Timestamp::new(1000 + self.ticks, 5)
    }

    pub fn node(&mut self, id: InodeId) -> Outcome<&mut Node> {
        self.nodes.get_mut(&id.raw()).ok_or(FsError::Stale)
    }

    pub fn inode(&mut self, id: InodeId) -> Outcome<Inode> {
        Ok(self.node(id)?.inode.clone())
    }

    pub fn find(&mut self, directory: InodeId, name: &FileName) -> Outcome<(u64, InodeId)> {
        let node = self.node(directory)?;
        if node.inode.attributes.kind != FileKind::Directory {
            return Err(FsError::NotDirectory);
        }
        let found = node.entries.iter().find(|(_, (known, _))| known == name);
        found
            .map(|(cookie, (_, id))| (*cookie, *id))
            .ok_or(FsError::NotFound)
    }

    pub fn change(
        &mut self,
        directory: InodeId,
        change: impl FnOnce(&mut BTreeMap<u64, (FileName, InodeId)>),
    ) -> Outcome<DirectoryChange> {
        let now = self.now();
        let node = self.node(directory)?;
        let before = node.inode.attributes.wcc();
        change(&mut node.entries);
        node.inode.attributes.modified = now;
        node.inode.attributes.changed = now;
        let after = node.inode.attributes.clone();
        Ok(DirectoryChange { before, after })
    }

    pub fn make(
        &mut self,
        directory: InodeId,
        name: FileName,
        kind: FileKind,
        set: &SetAttributes,
    ) -> Outcome<Made> {
        match self.find(directory, &name) {
            Ok(_) => return Err(FsError::Exists),
            Err(FsError::NotFound) => {}
            Err(error) => return Err(error),
        }
        let id = self.add(kind, directory);
        self.set(id, set)?;
        let cookie = Cookie::FIRST_ENTRY.raw() + id.raw();
        let directory = self.change(directory, |entries| {
            entries.insert(cookie, (name, id));
        })?;
        Ok(Made {
            node: self.inode(id)?,
            directory,
            existed: false,
        })
    }

    pub fn set(&mut self, id: InodeId, set: &SetAttributes) -> Outcome<WccAttributes> {
        let now = self.now();
        let node = self.node(id)?;
        let attributes = &mut node.inode.attributes;
        let before = attributes.wcc();
        attributes.mode = set.mode.unwrap_or(attributes.mode);
        attributes.uid = set.uid.unwrap_or(attributes.uid);
        attributes.gid = set.gid.unwrap_or(attributes.gid);
        if let Some(size) = set.size_bytes {
            attributes.size_bytes = size;
            node.data.resize(size as usize, 0);
        }
        if let Some(SetTime::To(time)) = set.modified {
            attributes.modified = time;
        }
        attributes.changed = now;
        Ok(before)
    }

    pub fn remove(&mut self, directory: InodeId, name: &FileName) -> Outcome<Removed> {
        let (cookie, id) = self.find(directory, name)?;
        let mut node = self.inode(id)?;
        node.attributes.link_count -= 1;
        self.node(id)?.inode.attributes.link_count -= 1;
        if node.attributes.link_count == 0 {
            self.nodes.remove(&id.raw());
        }
        let directory = self.change(directory, |entries| {
            entries.remove(&cookie);
        })?;
        Ok(Removed { node, directory })
    }
}
