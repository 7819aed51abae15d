//! Names, directories and attributes.

use super::message;
use crate::WireError;
use crate::convert::{Field, message, message_field};
use crate::meta::{
    AccessChecked, Changed, CheckAccess, Create, CreateHow, DirectoryChange, DirectoryEntry,
    GetInode, Link, Listing, Looked, Lookup, LookupName, Made, MakeDirectory, MakeNode,
    MakeSymlink, NodeKind, ReadDirectory, ReadSymlink, Remove, RemoveDirectory, Removed, Rename,
    Renamed, SetInode, SymlinkRead,
};
use message::{create_how, lookup_name, node_kind};

message!(Lookup = message::Lookup { directory, entry });
message!(Looked = message::Looked { node, directory });
message!(GetInode = message::GetInode { inode });
message!(
    SetInode = message::SetInode {
        inode,
        changes,
        guard,
        data_version,
    }
);
message!(Changed = message::Changed { before, after });
message!(CheckAccess = message::CheckAccess { inode });
message!(AccessChecked = message::AccessChecked { granted, node });
message!(
    Create = message::Create {
        directory,
        name,
        how
    }
);
message!(
    MakeDirectory = message::MakeDirectory {
        directory,
        name,
        attributes
    }
);
message!(
    MakeSymlink = message::MakeSymlink {
        directory,
        name,
        attributes,
        target
    }
);
message!(
    MakeNode = message::MakeNode {
        directory,
        name,
        attributes,
        node
    }
);
message!(
    Link = message::Link {
        inode,
        directory,
        name
    }
);
message!(DirectoryChange = message::DirectoryChange { before, after });
message!(
    Made = message::Made {
        node,
        directory,
        existed
    }
);
message!(Remove = message::Remove { directory, name });
message!(RemoveDirectory = message::RemoveDirectory { directory, name });
message!(Removed = message::Removed { node, directory });
message!(
    Rename = message::Rename {
        from_directory,
        from_name,
        to_directory,
        to_name
    }
);
message!(
    Renamed = message::Renamed {
        from,
        to,
        node,
        replaced
    }
);
message!(ReadSymlink = message::ReadSymlink { inode });
message!(SymlinkRead = message::SymlinkRead { target, node });
message!(
    ReadDirectory = message::ReadDirectory {
        directory,
        after,
        entries_max,
        with_nodes
    }
);
message!(
    DirectoryEntry = message::DirectoryEntry {
        name,
        inode,
        cookie,
        node
    }
);
message!(
    Listing = message::Listing {
        entries,
        end,
        directory
    }
);

impl From<LookupName> for message::LookupName {
    fn from(entry: LookupName) -> Self {
        let entry = match entry {
            LookupName::Name(name) => lookup_name::Entry::Name(name.to_wire()),
            LookupName::Current => lookup_name::Entry::Current(message::Current {}),
            LookupName::Parent => lookup_name::Entry::Parent(message::Parent {}),
        };
        Self { entry: Some(entry) }
    }
}

impl TryFrom<message::LookupName> for LookupName {
    type Error = WireError;

    fn try_from(message: message::LookupName) -> Result<Self, WireError> {
        let field = "entry";
        Ok(match message.entry.ok_or(WireError::Missing { field })? {
            lookup_name::Entry::Name(name) => Self::Name(Field::from_wire(name, "name")?),
            lookup_name::Entry::Current(_) => Self::Current,
            lookup_name::Entry::Parent(_) => Self::Parent,
        })
    }
}

message_field!(LookupName = message::LookupName);

impl From<CreateHow> for message::CreateHow {
    fn from(how: CreateHow) -> Self {
        let how = match how {
            CreateHow::Unchecked(set) => create_how::How::Unchecked(set.into()),
            CreateHow::Guarded(set) => create_how::How::Guarded(set.into()),
            CreateHow::Exclusive(verifier) => create_how::How::Exclusive(verifier.to_wire()),
        };
        Self { how: Some(how) }
    }
}

impl TryFrom<message::CreateHow> for CreateHow {
    type Error = WireError;

    fn try_from(message: message::CreateHow) -> Result<Self, WireError> {
        let field = "how";
        Ok(match message.how.ok_or(WireError::Missing { field })? {
            create_how::How::Unchecked(set) => Self::Unchecked(set.try_into()?),
            create_how::How::Guarded(set) => Self::Guarded(set.try_into()?),
            create_how::How::Exclusive(verifier) => {
                Self::Exclusive(Field::from_wire(verifier, "exclusive")?)
            }
        })
    }
}

message_field!(CreateHow = message::CreateHow);

impl From<NodeKind> for message::NodeKind {
    fn from(kind: NodeKind) -> Self {
        let kind = match kind {
            NodeKind::Fifo => node_kind::Kind::Fifo(message::Fifo {}),
            NodeKind::Socket => node_kind::Kind::Socket(message::Socket {}),
            NodeKind::BlockDevice(device) => node_kind::Kind::BlockDevice(device.into()),
            NodeKind::CharacterDevice(device) => node_kind::Kind::CharacterDevice(device.into()),
        };
        Self { kind: Some(kind) }
    }
}

impl TryFrom<message::NodeKind> for NodeKind {
    type Error = WireError;

    fn try_from(message: message::NodeKind) -> Result<Self, WireError> {
        let field = "kind";
        Ok(match message.kind.ok_or(WireError::Missing { field })? {
            node_kind::Kind::Fifo(_) => Self::Fifo,
            node_kind::Kind::Socket(_) => Self::Socket,
            node_kind::Kind::BlockDevice(device) => Self::BlockDevice(device.try_into()?),
            node_kind::Kind::CharacterDevice(device) => Self::CharacterDevice(device.try_into()?),
        })
    }
}

message_field!(NodeKind = message::NodeKind);
