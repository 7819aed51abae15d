//! READDIRPLUS (RFC 1813 section 3.3.17).

use sluice_proto_nfs::nfs3::{
    Failed, FileName, ReaddirPlusArgs, ReaddirPlusEntry, ReaddirPlusPage, fattr3,
};
use sluice_proto_nfs::xdr::Encoder;
use sluice_types::Cookie;

use super::Apart;
use super::context::NfsCall;
use super::listing::{COOKIE_VERIFIER, Listed, Page, Wanted, fill};
use crate::limits::TRANSFER_LENGTH_MAX;

pub(super) async fn serve(
    call: &NfsCall<'_>,
    arguments: &ReaddirPlusArgs,
) -> Result<Apart, Failed<Option<fattr3>>> {
    let directory = call.open(&arguments.directory)?;
    let count = arguments.count_max.min(TRANSFER_LENGTH_MAX);
    // `dircount` counts about an eighth of what an entry takes.
    let by_names = arguments.directory_count.saturating_mul(8);
    let wanted = Wanted {
        after: Cookie::new(arguments.cookie),
        length: count.min(by_names),
    };
    let begin = |encoder, attributes: &fattr3| {
        let directory_count = arguments.directory_count;
        ReaddirPlusPage::begin(
            encoder,
            Some(attributes),
            COOKIE_VERIFIER,
            directory_count,
            count,
        )
    };
    fill(call, &directory, wanted, begin).await
}

impl Page for ReaddirPlusPage {
    const WITH_NODES: bool = true;
    /// With a name of 12 bytes, attributes and a handle of ours.
    const ENTRY_LENGTH: usize = 176;

    fn push(&mut self, entry: &Listed<'_>) -> bool {
        let Ok(name) = FileName::new(entry.name) else {
            return false;
        };
        let (attributes, handle) = entry.node.unzip();
        self.push(&ReaddirPlusEntry {
            file_id: entry.id.raw(),
            name,
            cookie: entry.cookie.raw(),
            attributes,
            handle,
        })
    }

    fn finish(self, end: bool) -> Encoder {
        self.finish(end)
    }
}
