//! FREE_ALL: a client that is not monitored says that all it had is to go. There is no answer but that it was heard.

use sluice_proto_nfs::nlm::FreeAllArgs;
use sluice_proto_nfs::rpc::ReplyStatus;
use sluice_wire::meta::FreeLocks;

use super::call::LockCall;
use crate::procedures::nsm;

pub(super) async fn serve(locks: &LockCall<'_>, args: &FreeAllArgs<'_>) -> Result<(), ReplyStatus> {
    let free = FreeLocks {
        client: locks.client(&args.caller),
        client_state: None,
    };
    nsm::free(locks.engine, locks.call, free).await
}
