//! READDIR and READDIRPLUS, by the page and whole.

use sluice_proto_nfs::nfs3::{FileHandle, ReaddirArgs, ReaddirPlusArgs, fattr3};

use super::client::done;
use super::{NfsClient, NfsError};

/// An entry of a listing.
#[derive(Debug, Clone)]
pub struct Entry {
    /// The inode's number.
    pub file_id: u64,
    /// The name.
    pub name: Vec<u8>,
    /// Where a listing goes on after this entry.
    pub cookie: u64,
    /// Attributes, where READDIRPLUS gave them.
    pub attributes: Option<fattr3>,
    /// Handle, where READDIRPLUS gave it.
    pub handle: Option<FileHandle>,
}

/// One reply's worth of a listing.
#[derive(Debug, Clone)]
pub struct Page {
    /// The entries, in the server's order.
    pub entries: Vec<Entry>,
    /// To be sent with the next call.
    pub cookie_verifier: [u8; 8],
    /// Whether the listing is complete.
    pub end: bool,
}

impl NfsClient {
    /// READDIR: one page of at most `count` bytes, after `cookie`.
    ///
    /// # Errors
    /// [`NfsError`].
    pub async fn readdir(
        &self,
        directory: FileHandle,
        cookie: u64,
        cookie_verifier: [u8; 8],
        count: u32,
    ) -> Result<Page, NfsError> {
        let call = ReaddirArgs {
            directory,
            cookie,
            cookie_verifier,
            count,
        };
        let reply = self.call(&call).await?;
        let page = done(reply.results::<ReaddirArgs>()?)?;
        let entries = page.entries.iter().map(|entry| Entry {
            file_id: entry.file_id,
            name: entry.name.bytes().to_vec(),
            cookie: entry.cookie,
            attributes: None,
            handle: None,
        });
        Ok(Page {
            entries: entries.collect(),
            cookie_verifier: page.cookie_verifier,
            end: page.eof,
        })
    }

    /// READDIRPLUS: one page of at most `count_max` bytes, after `cookie`.
    ///
    /// # Errors
    /// [`NfsError`].
    pub async fn readdirplus(
        &self,
        directory: FileHandle,
        cookie: u64,
        cookie_verifier: [u8; 8],
        count_max: u32,
    ) -> Result<Page, NfsError> {
        let call = ReaddirPlusArgs {
            directory,
            cookie,
            cookie_verifier,
            directory_count: count_max,
            count_max,
        };
        let reply = self.call(&call).await?;
        let page = done(reply.results::<ReaddirPlusArgs>()?)?;
        let entries = page.entries.iter().map(|entry| Entry {
            file_id: entry.file_id,
            name: entry.name.bytes().to_vec(),
            cookie: entry.cookie,
            attributes: entry.attributes,
            handle: entry.handle,
        });
        Ok(Page {
            entries: entries.collect(),
            cookie_verifier: page.cookie_verifier,
            end: page.eof,
        })
    }

    /// A whole directory by READDIRPLUS pages of `count_max` bytes, without `.` and `..`.
    ///
    /// # Errors
    /// [`NfsError`].
    pub async fn list(
        &self,
        directory: FileHandle,
        count_max: u32,
    ) -> Result<Vec<Entry>, NfsError> {
        let mut listed = Vec::new();
        let (mut cookie, mut verifier) = (0, [0; 8]);
        loop {
            let page = self
                .readdirplus(directory, cookie, verifier, count_max)
                .await?;
            verifier = page.cookie_verifier;
            cookie = page.entries.last().map_or(cookie, |entry| entry.cookie);
            let real = |entry: &Entry| entry.name != b"." && entry.name != b"..";
            listed.extend(page.entries.into_iter().filter(real));
            if page.end {
                return Ok(listed);
            }
        }
    }
}
