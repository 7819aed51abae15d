//! File handles: what is in them, and who can make them. This is the format's one home.
//!
//! | bytes | what |
//! |---|---|
//! | 0 | format: 1 |
//! | 1..4 | zero |
//! | 4..8 | export id |
//! | 8..16 | file system id |
//! | 16..24 | inode number |
//! | 24..28 | the inode's generation |
//! | 28..44 | MAC: SipHash-2-4, 128 bits, under the cluster key, of bytes 0..28 |
//!
//! All numbers big-endian. A handle holds all that is needed to serve it, so that it is the same on every
//! gateway and outlives all of them; without the key it cannot be made (SipHash is a pseudo-random function,
//! and a guess is right once in 2^128). A new format gets a new first byte; old ones stay readable.
//!
//! A handle that did not come from this cluster's key is *bad*; one of another file system, or of an export that is
//! not there any more, is *stale*.

use std::hash::Hasher;

use siphasher::sip128::{Hasher128, SipHasher24};
use sluice_proto_nfs::nfs3::{FileHandle, HANDLE_LENGTH_MAX};
use sluice_types::{ExportId, FileSystemId, Generation, InodeId};

use crate::ClusterKey;

const FORMAT: u8 = 1;
const SIGNED_LENGTH: usize = 28;
const MAC_LENGTH: usize = 16;
const LENGTH: usize = SIGNED_LENGTH + MAC_LENGTH;

const _: () = assert!(LENGTH <= HANDLE_LENGTH_MAX, "RFC 1813 2.4 allows 64 bytes");

/// What a handle names.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HandleContents {
    /// Through which export.
    pub export: ExportId,
    /// Which file.
    pub inode: InodeId,
    /// Which file that had this number; numbers are not used again, so this only makes handles harder to guess.
    pub generation: Generation,
}

/// Why a handle is not served.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HandleFault {
    /// Not made with this key, or not a handle at all: NFS3ERR_BADHANDLE.
    Forged,
    /// Of another file system: NFS3ERR_STALE.
    Foreign,
}

/// Makes and reads handles of one file system.
#[derive(Debug)]
pub struct HandleMaker {
    hasher: SipHasher24,
    file_system: FileSystemId,
}

impl HandleMaker {
    /// For a file system, under a key.
    pub fn new(key: &ClusterKey, file_system: FileSystemId) -> Self {
        Self {
            hasher: SipHasher24::new_with_key(key.bytes()),
            file_system,
        }
    }

    /// The handle of a file.
    pub fn make(&self, contents: HandleContents) -> FileHandle {
        let mut bytes = [0; LENGTH];
        bytes[0] = FORMAT;
        bytes[4..8].copy_from_slice(&contents.export.raw().to_be_bytes());
        bytes[8..16].copy_from_slice(&self.file_system.raw().to_be_bytes());
        bytes[16..24].copy_from_slice(&contents.inode.raw().to_be_bytes());
        bytes[24..28].copy_from_slice(&contents.generation.raw().to_be_bytes());
        let mac = self.mac(&bytes[..SIGNED_LENGTH]);
        bytes[SIGNED_LENGTH..].copy_from_slice(&mac);
        FileHandle::from(bytes)
    }

    /// What a handle names.
    ///
    /// # Errors
    ///
    /// [`HandleFault`], when it is not one of this file system's.
    pub fn read(&self, handle: &FileHandle) -> Result<HandleContents, HandleFault> {
        let bytes: &[u8; LENGTH] = handle
            .as_bytes()
            .try_into()
            .map_err(|_| HandleFault::Forged)?;
        let mac = self.mac(&bytes[..SIGNED_LENGTH]);
        if !equal(&mac, &bytes[SIGNED_LENGTH..]) || bytes[..4] != [FORMAT, 0, 0, 0] {
            return Err(HandleFault::Forged);
        }
        let number = |at: usize| {
            bytes[at..at + 8]
                .iter()
                .fold(0, |sum, &byte| sum << 8 | u64::from(byte))
        };
        if number(8) != self.file_system.raw() {
            return Err(HandleFault::Foreign);
        }
        Ok(HandleContents {
            // The low halves of eight bytes: numbers of 32 bits.
            export: ExportId::new(number(0) as u32),
            inode: InodeId::new(number(16)).ok_or(HandleFault::Forged)?,
            generation: Generation::new(number(20) as u32),
        })
    }

    fn mac(&self, signed: &[u8]) -> [u8; MAC_LENGTH] {
        let mut hasher = self.hasher;
        hasher.write(signed);
        hasher.finish128().as_bytes()
    }
}

/// Compares in a time that does not tell how much is right.
fn equal(left: &[u8], right: &[u8]) -> bool {
    let pairs = left.iter().zip(right);
    left.len() == right.len() && pairs.fold(0, |difference, (a, b)| difference | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    fn maker(key: u8, file_system: u64) -> HandleMaker {
        HandleMaker::new(&ClusterKey::new([key; 16]), FileSystemId::new(file_system))
    }

    fn contents() -> HandleContents {
        HandleContents {
            export: ExportId::new(0x0102_0304),
            inode: InodeId::new(0x1112_1314_1516_1718).unwrap(),
            generation: Generation::new(0x2122_2324),
        }
    }

    #[test]
    fn the_bytes_stay_the_same() {
        // Golden: clients hold handles for as long as they like. The MAC was checked with another SipHash.
        let handle = maker(7, 0x3132_3334_3536_3738).make(contents());
        let hex: String = handle
            .as_bytes()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect();
        assert_eq!(
            hex,
            "01000000010203043132333435363738111213141516171821222324d9bc219371ac030d89cc08f28ead7a97"
        );
    }

    #[test]
    fn what_is_made_can_be_read_by_every_gateway() {
        let handle = maker(7, 9).make(contents());
        assert_eq!(maker(7, 9).read(&handle), Ok(contents()));
    }

    #[test]
    fn any_changed_bit_is_noticed() {
        let maker = maker(7, 9);
        let handle = maker.make(contents());
        for bit in 0..handle.as_bytes().len() * 8 {
            let mut bytes = handle.as_bytes().to_vec();
            bytes[bit / 8] ^= 1 << (bit % 8);
            let forged = FileHandle::new(&bytes).unwrap();
            assert_eq!(maker.read(&forged), Err(HandleFault::Forged), "bit {bit}");
        }
    }

    #[test]
    fn other_lengths_and_keys_are_forged_and_other_file_systems_foreign() {
        let handle = maker(7, 9).make(contents());
        for length in 0..handle.as_bytes().len() {
            let short = FileHandle::new(&handle.as_bytes()[..length]).unwrap();
            assert_eq!(maker(7, 9).read(&short), Err(HandleFault::Forged));
        }
        assert_eq!(maker(8, 9).read(&handle), Err(HandleFault::Forged));
        assert_eq!(maker(7, 10).read(&handle), Err(HandleFault::Foreign));
    }
}
