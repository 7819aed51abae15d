//! The programs of an NFSv3 server.

use crate::xdr::wire_enum;

wire_enum! {
    /// A program that an NFSv3 server answers for.
    pub enum Program {
        /// The port mapper.
        Portmap = 100_000 => "portmap",
        /// NFS.
        Nfs = 100_003 => "nfs",
        /// MOUNT.
        Mount = 100_005 => "mount",
        /// The network lock manager.
        Nlm = 100_021 => "nlm",
        /// The status monitor.
        Nsm = 100_024 => "nsm",
    }
}

impl Program {
    /// The one version of it that is spoken here.
    pub const fn version(self) -> u32 {
        match self {
            Self::Portmap => crate::portmap::VERSION,
            Self::Nfs => crate::nfs3::VERSION,
            Self::Mount => crate::mount::VERSION,
            Self::Nlm => crate::nlm::VERSION,
            Self::Nsm => crate::nsm::VERSION,
        }
    }
}
