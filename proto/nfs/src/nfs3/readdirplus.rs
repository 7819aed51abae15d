//! READDIRPLUS (RFC 1813 section 3.3.17): READDIR with attributes and handles.

use super::readdir::{PAGE_END_LENGTH, entry_length};
use super::{COOKIE_VERIFIER_LENGTH, Failed, FileHandle, FileName, Procedure, fattr3};
use crate::rpc::call::remote_call;
use crate::xdr::{Encode, Encoder, List, wire_struct};

wire_struct! {
    /// Arguments of READDIRPLUS.
    #[derive(Debug, Clone, Copy, PartialEq, Eq)]
    pub struct ReaddirPlusArgs {
        /// The directory.
        pub directory: FileHandle,
        /// Go on after the entry with this cookie; 0 is the start.
        pub cookie: u64,
        /// The verifier that came with the cookie.
        pub cookie_verifier: [u8; COOKIE_VERIFIER_LENGTH],
        /// Most bytes of file ids, names and cookies.
        pub directory_count: u32,
        /// Most bytes of a [`ReaddirPlusOk`], all XDR overhead included.
        pub count_max: u32,
    }
}

wire_struct! {
    /// An entry.
    #[derive(Debug, Clone, Copy)]
    pub struct ReaddirPlusEntry<'a> {
        /// Inode number.
        pub file_id: u64,
        /// Name.
        pub name: FileName<'a>,
        /// Where the next page starts, if this is the last entry of a page.
        pub cookie: u64,
        /// Attributes.
        pub attributes: Option<fattr3>,
        /// Handle.
        pub handle: Option<FileHandle>,
    }
}

wire_struct! {
    /// What READDIRPLUS yields.
    #[derive(Debug, Clone, Copy)]
    pub struct ReaddirPlusOk<'a> {
        /// The directory's attributes.
        pub directory_attributes: Option<fattr3>,
        /// Guards the cookies.
        pub cookie_verifier: [u8; COOKIE_VERIFIER_LENGTH],
        /// The entries.
        pub entries: List<'a, ReaddirPlusEntry<'a>>,
        /// No entries come after these.
        pub eof: bool,
    }
}

/// Result of READDIRPLUS; a failure carries the directory's attributes.
pub type ReaddirPlusResult<'a> = Result<ReaddirPlusOk<'a>, Failed<Option<fattr3>>>;

remote_call!(Nfs, Procedure::ReaddirPlus, ReaddirPlusArgs => ReaddirPlusResult<'reply>);

/// A page of entries being put together, bounded in size.
#[derive(Debug)]
pub struct ReaddirPlusPage {
    encoder: Encoder,
    /// Length that the encoder may reach, the page's end not counted.
    length_max: usize,
    /// What is left of the client's `dircount`.
    directory_room: usize,
    is_empty: bool,
}

impl ReaddirPlusPage {
    /// Begins a [`ReaddirPlusOk`] of at most `count_max` bytes after what `encoder` already holds. `None` when not
    /// even an empty one fits: the client gets NFS3ERR_TOOSMALL.
    pub fn begin(
        mut encoder: Encoder,
        directory_attributes: Option<&fattr3>,
        cookie_verifier: [u8; COOKIE_VERIFIER_LENGTH],
        directory_count: u32,
        count_max: u32,
    ) -> Option<Self> {
        let limit = encoder.len().saturating_add(count_max as usize);
        encoder.bool(directory_attributes.is_some());
        if let Some(attributes) = directory_attributes {
            attributes.encode(&mut encoder);
        }
        cookie_verifier.encode(&mut encoder);
        let length_max = limit.checked_sub(PAGE_END_LENGTH)?;
        (encoder.len() <= length_max).then_some(Self {
            encoder,
            length_max,
            directory_room: directory_count as usize,
            is_empty: true,
        })
    }

    /// Adds `entry`, or leaves the page as it is and says false when it does not fit.
    ///
    /// `dircount` is a wish more than a limit: it never keeps the first entry out, so that a small one
    /// makes small pages and not an error.
    pub fn push(&mut self, entry: &ReaddirPlusEntry<'_>) -> bool {
        let directory_length = entry_length(entry.name);
        if directory_length > self.directory_room && !self.is_empty {
            return false;
        }
        let before = self.encoder.len();
        if before + 4 + directory_length > self.length_max {
            return false;
        }
        self.encoder.bool(true);
        entry.encode(&mut self.encoder);
        if self.encoder.len() > self.length_max {
            self.encoder.truncate(before);
            return false;
        }
        self.directory_room = self.directory_room.saturating_sub(directory_length);
        self.is_empty = false;
        true
    }

    /// Ends the page; `eof` when the directory has no entries after these.
    pub fn finish(mut self, eof: bool) -> Encoder {
        self.encoder.bool(false);
        self.encoder.bool(eof);
        self.encoder
    }
}
