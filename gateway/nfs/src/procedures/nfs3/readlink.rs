//! READLINK (RFC 1813 section 3.3.5).

use sluice_proto_nfs::nfs3::{Failed, Path, ReadlinkArgs, ReadlinkOk, fattr3};
use sluice_proto_nfs::xdr::Encode;
use sluice_types::FsError;

use super::Apart;
use super::context::NfsCall;

pub(super) async fn serve(
    call: &NfsCall<'_>,
    arguments: &ReadlinkArgs,
) -> Result<Apart, Failed<Option<fattr3>>> {
    let symlink = call.open(&arguments.symlink)?;
    let read = match call
        .files()
        .read_symlink(&symlink.caller, symlink.inode)
        .await
    {
        Ok(read) => read,
        Err(error) => return Err(call.failed(&symlink, error).await),
    };
    let Ok(target) = Path::new(&read.target) else {
        return Err(call.failed(&symlink, FsError::Io).await);
    };
    let mut encoder = call.begin_ok();
    let attributes = Some(call.attributes(&read.node));
    ReadlinkOk { attributes, target }.encode(&mut encoder);
    Ok(encoder.into())
}
