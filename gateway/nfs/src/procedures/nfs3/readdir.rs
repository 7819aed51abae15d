//! READDIR (RFC 1813 section 3.3.16).

use sluice_proto_nfs::nfs3::{Failed, FileName, ReaddirArgs, ReaddirEntry, ReaddirPage, fattr3};
use sluice_proto_nfs::xdr::Encoder;
use sluice_types::Cookie;

use super::Apart;
use super::context::NfsCall;
use super::listing::{COOKIE_VERIFIER, Listed, Page, Wanted, fill};
use crate::limits::TRANSFER_LENGTH_MAX;

pub(super) async fn serve(
    call: &NfsCall<'_>,
    arguments: &ReaddirArgs,
) -> Result<Apart, Failed<Option<fattr3>>> {
    let directory = call.open(&arguments.directory)?;
    let wanted = Wanted {
        after: Cookie::new(arguments.cookie),
        length: arguments.count.min(TRANSFER_LENGTH_MAX),
    };
    let begin = |encoder, attributes: &fattr3| {
        ReaddirPage::begin(encoder, Some(attributes), COOKIE_VERIFIER, wanted.length)
    };
    fill(call, &directory, wanted, begin).await
}

impl Page for ReaddirPage {
    const WITH_NODES: bool = false;
    /// With a name of 12 bytes.
    const ENTRY_LENGTH: usize = 36;

    fn push(&mut self, entry: &Listed<'_>) -> bool {
        let Ok(name) = FileName::new(entry.name) else {
            return false;
        };
        self.push(&ReaddirEntry {
            file_id: entry.id.raw(),
            name,
            cookie: entry.cookie.raw(),
        })
    }

    fn finish(self, end: bool) -> Encoder {
        self.finish(end)
    }
}
