//! READDIR (RFC 1813 section 3.3.16).
//!
//! A reply is put together by [`ReaddirPage`], which takes entries until the size that the client allows
//! is reached, and never goes over it.

use super::{Failed, FileHandle, FileName, Procedure, fattr3};
use crate::rpc::call::remote_call;
use crate::xdr::{Encode, Encoder, List, padding_length, wire_struct};

/// Bytes of the verifier that guards cookies (NFS3_COOKIEVERFSIZE).
pub const COOKIE_VERIFIER_LENGTH: usize = 8;

wire_struct! {
    /// Arguments of READDIR.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct ReaddirArgs {
        /// The directory.
        pub directory: FileHandle,
        /// Go on after the entry with this cookie; 0 is the start.
        pub cookie: u64,
        /// The verifier that came with the cookie.
        pub cookie_verifier: [u8; COOKIE_VERIFIER_LENGTH],
        /// Most bytes of a [`ReaddirOk`], all XDR overhead included.
        pub count: u32,
    }
}

wire_struct! {
    /// An entry.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct ReaddirEntry<'a> {
        /// Inode number.
        pub file_id: u64,
        /// Name.
        pub name: FileName<'a>,
        /// Where the next page starts, if this is the last entry of a page.
        pub cookie: u64,
    }
}

wire_struct! {
    /// What READDIR yields.
    #[derive(Debug, Clone, Copy)]
    pub struct ReaddirOk<'a> {
        /// The directory's attributes.
        pub directory_attributes: Option<fattr3>,
        /// Guards the cookies.
        pub cookie_verifier: [u8; COOKIE_VERIFIER_LENGTH],
        /// The entries.
        pub entries: List<'a, ReaddirEntry<'a>>,
        /// No entries come after these.
        pub eof: bool,
    }
}

/// Result of READDIR; a failure carries the directory's attributes.
pub type ReaddirResult<'a> = Result<ReaddirOk<'a>, Failed<Option<fattr3>>>;

remote_call!(Nfs, Procedure::Readdir, ReaddirArgs => ReaddirResult<'reply>);

/// Bytes that end a page: no further entry, end of directory or not.
pub(super) const PAGE_END_LENGTH: usize = 8;

/// The bytes of an entry that READDIRPLUS's `dircount` counts: file id, name with its length, cookie.
pub(super) const fn entry_length(name: FileName<'_>) -> usize {
    let length = name.bytes().len();
    8 + 4 + length + padding_length(length) + 8
}

/// A page of entries being put together, bounded in size.
#[derive(Debug)]
pub struct ReaddirPage {
    encoder: Encoder,
    /// Length that the encoder may reach, the page's end not counted.
    length_max: usize,
}

impl ReaddirPage {
    /// Begins a [`ReaddirOk`] of at most `count` bytes after what `encoder` already holds. `None` when not even an
    /// empty one fits: the client gets NFS3ERR_TOOSMALL.
    pub fn begin(
        mut encoder: Encoder,
        directory_attributes: Option<&fattr3>,
        cookie_verifier: [u8; COOKIE_VERIFIER_LENGTH],
        count: u32,
    ) -> Option<Self> {
        let limit = encoder.len().saturating_add(count as usize);
        encoder.bool(directory_attributes.is_some());
        if let Some(attributes) = directory_attributes {
            attributes.encode(&mut encoder);
        }
        cookie_verifier.encode(&mut encoder);
        let length_max = limit.checked_sub(PAGE_END_LENGTH)?;
        (encoder.len() <= length_max).then_some(Self {
            encoder,
            length_max,
        })
    }

    /// Adds `entry`, or leaves the page as it is and says false when it does not fit.
    pub fn push(&mut self, entry: &ReaddirEntry<'_>) -> bool {
        let before = self.encoder.len();
        if before + 4 + entry_length(entry.name) > self.length_max {
            return false;
        }
        self.encoder.bool(true);
        entry.encode(&mut self.encoder);
        true
    }

    /// Ends the page; `eof` when the directory has no entries after these.
    pub fn finish(mut self, eof: bool) -> Encoder {
        self.encoder.bool(false);
        self.encoder.bool(eof);
        self.encoder
    }
}
