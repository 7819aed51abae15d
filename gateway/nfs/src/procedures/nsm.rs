//! NSM: a client that restarted says so, and its locks of before are released.
//!
//! It is believed for its own name at its own address only. What it took since it restarted stays: its state, a number
//! that grows with each restart, comes with each lock. Nobody is watched here: clients need not reclaim anything when
//! a gateway restarts, so none is told of it, and MON and STAT are refused.

use bytes::Bytes;
use sluice_proto_nfs::nsm::{
    MonitorArgs, MonitorResult, NotifyArgs, Procedure, StatArgs, State, StatusResult,
    UnmonitorAllArgs, UnmonitorArgs,
};
use sluice_proto_nfs::rpc::ReplyStatus;
use sluice_types::Credentials;
use sluice_vfs::Caller;
use sluice_wire::meta::{FreeLocks, LockClient};

use super::garbage;
use crate::call::Call;
use crate::engine::Engine;
use crate::reply::Reply;

/// Answers a call.
pub(crate) async fn serve(engine: &Engine, call: &Call) -> Result<Reply, ReplyStatus> {
    let procedure =
        Procedure::from_number(call.procedure).ok_or(ReplyStatus::ProcedureUnavailable)?;
    let state = State::default();
    let refused = StatusResult {
        result: MonitorResult::Fail,
        state,
    };
    macro_rules! check {
        ($arguments:ty) => {
            call.arguments::<$arguments>().map_err(garbage)?
        };
    }
    Ok(match procedure {
        Procedure::Null | Procedure::SimulateCrash => Reply::with_results(call.xid, &()),
        Procedure::Stat => {
            check!(StatArgs<'_>);
            Reply::with_results(call.xid, &refused)
        }
        Procedure::Monitor => {
            check!(MonitorArgs<'_>);
            Reply::with_results(call.xid, &refused)
        }
        Procedure::Unmonitor => {
            check!(UnmonitorArgs<'_>);
            Reply::with_results(call.xid, &state)
        }
        Procedure::UnmonitorAll => {
            check!(UnmonitorAllArgs<'_>);
            Reply::with_results(call.xid, &state)
        }
        Procedure::Notify => {
            let notify = check!(NotifyArgs<'_>);
            let client = LockClient {
                name: Bytes::copy_from_slice(&notify.host),
                address: call.client,
            };
            let free = FreeLocks {
                client,
                client_state: Some(notify.state),
            };
            self::free(engine, call, free).await?;
            Reply::with_results(call.xid, &())
        }
    })
}

/// Releases the locks of a client. Whom no export allows has none.
///
/// # Errors
///
/// A failure of the call, not of the procedure, which knows none: the client says it again then.
pub(crate) async fn free(engine: &Engine, call: &Call, free: FreeLocks) -> Result<(), ReplyStatus> {
    if !engine.exports.allow(call.client) {
        return Ok(());
    }
    let gateway = Caller::new(Credentials::root());
    let freed = engine.files.free_locks(&gateway, free).await;
    freed.map(|_| ()).map_err(|error| {
        tracing::warn!(client = %call.client, %error, "the locks of a client that restarted are not released");
        ReplyStatus::SystemError
    })
}
