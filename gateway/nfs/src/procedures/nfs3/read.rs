//! READ (RFC 1813 section 3.3.6). The data goes from the file service's buffers to the socket.

use sluice_proto_nfs::nfs3::{Failed, ReadArgs, ReadOkHead, fattr3};
use sluice_proto_nfs::xdr::Encode;
use sluice_types::FsError;

use super::Apart;
use super::context::NfsCall;
use crate::limits::TRANSFER_LENGTH_MAX;

pub(super) async fn serve(
    call: &NfsCall<'_>,
    arguments: &ReadArgs,
) -> Result<Apart, Failed<Option<fattr3>>> {
    let file = call.open(&arguments.file)?;
    let length = arguments.count.min(TRANSFER_LENGTH_MAX);
    let read = match call
        .files()
        .read(&file.caller, file.inode, arguments.offset, length)
        .await
    {
        Ok(read) => read,
        Err(error) => return Err(call.failed(&file, error).await),
    };
    let count = match u32::try_from(read.payload.len()) {
        Ok(count) if count <= length => count,
        _ => return Err(call.failed(&file, FsError::Internal).await),
    };
    call.engine.metrics.read_bytes.increment(count.into());
    let mut encoder = call.begin_ok();
    let head = ReadOkHead {
        attributes: Some(call.attributes(&read.node)),
        count,
        eof: read.end_of_file,
    };
    head.encode(&mut encoder);
    Ok(Apart {
        encoder,
        payload: read.payload,
    })
}
