//! WRITE (RFC 1813 section 3.3.7). The data is a piece of the record's buffer, into which the socket was read.

use bytes::Bytes;
use sluice_proto_nfs::nfs3::{StableHow, WriteArgs, WriteOk, WriteResult, nfsstat3};
use sluice_types::{Payload, Stability};

use super::context::NfsCall;
use crate::limits::{SMALL_PAYLOAD_LENGTH, TRANSFER_LENGTH_MAX};

pub(super) async fn serve(call: &NfsCall<'_>, arguments: &WriteArgs<'_>) -> WriteResult {
    let file = call.open(&arguments.file)?;
    // RFC 1813 3.3.7: the count is the data's length. What is over FSINFO's wtmax is left for another WRITE.
    if arguments.count as usize != arguments.data.bytes().len() {
        return Err(nfsstat3::NFS3ERR_INVAL.into());
    }
    let length = arguments.count.min(TRANSFER_LENGTH_MAX);
    let payload = payload(call, arguments, length as usize);
    let stability = stability_from_wire(arguments.stable);
    let (caller, offset) = (&file.caller, arguments.offset);
    match call
        .files()
        .write(caller, file.inode, offset, payload, stability)
        .await
    {
        Ok(done) => {
            call.engine
                .metrics
                .write_bytes
                .increment(done.written.into());
            Ok(WriteOk {
                wcc: call.wcc(&done.before, &done.after),
                count: done.written,
                committed: stability_on_wire(done.stability),
                verifier: done.verifier.0,
            })
        }
        Err(error) => Err(call.failed_wcc(&file, error).await),
    }
}

/// The first `length` bytes of the data. Little data gets a buffer of its own, so that it does not keep the record
/// alive for as long as it waits for its COMMIT.
fn payload(call: &NfsCall<'_>, arguments: &WriteArgs<'_>, length: usize) -> Payload {
    let range = arguments.data.range();
    let data = call.call.record.slice(range.start..range.start + length);
    if length <= SMALL_PAYLOAD_LENGTH {
        return Bytes::copy_from_slice(&data).into();
    }
    data.into()
}

const fn stability_from_wire(stable: StableHow) -> Stability {
    match stable {
        StableHow::Unstable => Stability::Unstable,
        StableHow::DataSync => Stability::DataSync,
        StableHow::FileSync => Stability::FileSync,
    }
}

const fn stability_on_wire(stability: Stability) -> StableHow {
    match stability {
        Stability::Unstable => StableHow::Unstable,
        Stability::DataSync => StableHow::DataSync,
        Stability::FileSync => StableHow::FileSync,
    }
}
