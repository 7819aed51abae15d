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
