//! Whole files and paths, in the fewest words.

use sluice_proto_nfs::nfs3::{CreateHow, FileHandle, SetAttributes, StableHow};

use super::{NfsClient, NfsError};

/// What one READ or WRITE of these helpers carries, in bytes.
pub const TRANSFER_BYTES: usize = 1 << 20;

/// Attributes with only a mode.
pub fn with_mode(mode: u32) -> SetAttributes {
    SetAttributes {
        mode: Some(mode),
        ..SetAttributes::default()
    }
}

/// Attributes with only a size.
pub fn with_size(size: u64) -> SetAttributes {
    SetAttributes {
        size: Some(size),
        ..SetAttributes::default()
    }
}

/// Bytes for a file that are nowhere the same twice: each eight tell their place, so that no piece can stand for
/// another.
pub fn pattern(length: usize) -> Vec<u8> {
    pattern_at(0, length)
}

/// The part of [`pattern`] from `offset`, a multiple of eight.
pub fn pattern_at(offset: u64, length: usize) -> Vec<u8> {
    let first = offset / 8;
    let places = first..first + length.div_ceil(8) as u64;
    let mut bytes: Vec<u8> = places.map(word_at).flat_map(u64::to_le_bytes).collect();
    bytes.truncate(length);
    bytes
}

/// A number for each place, and no number for two: each step could be undone.
fn word_at(place: u64) -> u64 {
    let mixed = (place + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed ^ (mixed >> 32)
}

/// Makes a regular file, which must not be there yet: its handle.
///
/// # Errors
/// [`NfsError`].
pub async fn make_file(
    client: &NfsClient,
    directory: FileHandle,
    name: &str,
) -> Result<FileHandle, NfsError> {
    let how = CreateHow::Guarded(with_mode(0o644));
    let made = client.create(directory, name.as_bytes(), how).await?;
    handle_of(client, directory, name, made.object).await
}

/// Makes a directory: its handle.
///
/// # Errors
/// [`NfsError`].
pub async fn make_dir(
    client: &NfsClient,
    directory: FileHandle,
    name: &str,
) -> Result<FileHandle, NfsError> {
    let made = client
        .mkdir(directory, name.as_bytes(), with_mode(0o755))
        .await?;
    handle_of(client, directory, name, made.object).await
}

/// A reply may leave the handle out (RFC 1813 3.3.8); then it is looked up.
async fn handle_of(
    client: &NfsClient,
    directory: FileHandle,
    name: &str,
    object: Option<FileHandle>,
) -> Result<FileHandle, NfsError> {
    match object {
        Some(handle) => Ok(handle),
        None => Ok(client.lookup(directory, name.as_bytes()).await?.object),
    }
}

/// Writes all of `data` from `offset`, unstable and in parallel pieces, and commits it. Writes it again if
/// the server says that it lost unstable data between.
///
/// # Errors
/// [`NfsError`].
pub async fn write_all(
    client: &NfsClient,
    file: FileHandle,
    offset: u64,
    data: &[u8],
) -> Result<(), NfsError> {
    loop {
        let pieces = data
            .chunks(TRANSFER_BYTES)
            .enumerate()
            .map(|(index, piece)| {
                let at = offset + (index * TRANSFER_BYTES) as u64;
                write_piece(client, file, at, piece)
            });
        let mut verifiers = Vec::new();
        // Eight pieces in flight: what a usual client has.
        let pieces: Vec<_> = pieces.collect();
        let mut pieces = pieces.into_iter();
        loop {
            let batch: Vec<_> = pieces.by_ref().take(8).collect();
            if batch.is_empty() {
                break;
            }
            for written in futures::future::join_all(batch).await {
                verifiers.push(written?);
            }
        }
        let committed = client.commit(file, 0, 0).await?;
        if verifiers
            .iter()
            .all(|verifier| *verifier == committed.verifier)
        {
            return Ok(());
        }
    }
}

/// Writes a piece, as often as the server takes only a part of it: the verifier of its last part.
async fn write_piece(
    client: &NfsClient,
    file: FileHandle,
    mut offset: u64,
    mut data: &[u8],
) -> Result<[u8; 8], NfsError> {
    loop {
        let written = client
            .write(file, offset, data, StableHow::Unstable)
            .await?;
        let count = (written.count as usize).min(data.len());
        data = &data[count..];
        offset += count as u64;
        if data.is_empty() || count == 0 {
            return Ok(written.verifier);
        }
    }
}

/// Reads `length` bytes from `offset`, or up to the file's end.
///
/// # Errors
/// [`NfsError`].
pub async fn read_all(
    client: &NfsClient,
    file: FileHandle,
    offset: u64,
    length: usize,
) -> Result<Vec<u8>, NfsError> {
    let mut data = Vec::new();
    while data.len() < length {
        let count = (length - data.len()).min(TRANSFER_BYTES) as u32;
        let read = client.read(file, offset + data.len() as u64, count).await?;
        data.extend_from_slice(&read.data);
        if read.end_of_file || read.data.is_empty() {
            break;
        }
    }
    Ok(data)
}

#[cfg(test)]
mod tests {
    use super::{pattern, pattern_at};

    #[test]
    fn no_two_places_of_a_pattern_are_the_same() {
        let bytes = pattern((4 << 20) + 3);
        assert_eq!(bytes.len(), (4 << 20) + 3);
        let words: std::collections::BTreeSet<&[u8]> = bytes.chunks_exact(8).collect();
        assert_eq!(words.len(), (4 << 20) / 8);
        assert_eq!(pattern_at(1 << 20, 100), bytes[1 << 20..][..100]);
    }
}
