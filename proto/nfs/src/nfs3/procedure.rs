//! The procedures' numbers and names (RFC 1813 section 3).

use crate::xdr::wire_enum;

wire_enum! {
    /// A procedure of NFSv3.
    pub enum Procedure {
        /// Does nothing.
        Null = 0 => "null",
        /// Attributes of a file.
        GetAttr = 1 => "getattr",
        /// Changes attributes.
        SetAttr = 2 => "setattr",
        /// Finds a name in a directory.
        Lookup = 3 => "lookup",
        /// What the caller may do with a file.
        Access = 4 => "access",
        /// A symbolic link's text.
        Readlink = 5 => "readlink",
        /// Reads from a file.
        Read = 6 => "read",
        /// Writes to a file.
        Write = 7 => "write",
        /// Creates a regular file.
        Create = 8 => "create",
        /// Creates a directory.
        Mkdir = 9 => "mkdir",
        /// Creates a symbolic link.
        Symlink = 10 => "symlink",
        /// Creates a device, socket or pipe.
        Mknod = 11 => "mknod",
        /// Removes a name of something that is no directory.
        Remove = 12 => "remove",
        /// Removes a directory.
        Rmdir = 13 => "rmdir",
        /// Moves a name.
        Rename = 14 => "rename",
        /// Gives a file another name.
        Link = 15 => "link",
        /// Lists a directory.
        Readdir = 16 => "readdir",
        /// Lists a directory with attributes and handles.
        ReaddirPlus = 17 => "readdirplus",
        /// Space used and free.
        FsStat = 18 => "fsstat",
        /// Limits and preferences of the server.
        FsInfo = 19 => "fsinfo",
        /// POSIX limits of a file.
        PathConf = 20 => "pathconf",
        /// Makes unstable writes durable.
        Commit = 21 => "commit",
    }
}
