//! COMMIT (RFC 1813 section 3.3.21).

use sluice_proto_nfs::nfs3::{CommitArgs, CommitOk, CommitResult};

use super::context::NfsCall;

pub(super) async fn serve(call: &NfsCall<'_>, arguments: &CommitArgs) -> CommitResult {
    let file = call.open(&arguments.file)?;
    let (offset, length) = (arguments.offset, arguments.count);
    match call
        .files()
        .commit(&file.caller, file.inode, offset, length)
        .await
    {
        Ok(done) => Ok(CommitOk {
            wcc: call.wcc(&done.before, &done.after),
            verifier: done.verifier.0,
        }),
        Err(error) => Err(call.failed_wcc(&file, error).await),
    }
}
