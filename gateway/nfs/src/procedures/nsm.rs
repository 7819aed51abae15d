//! NSM: nobody is watched as long as there are no locks to be freed. Everything is answered, at once.

use sluice_proto_nfs::nsm::{
    MonitorArgs, MonitorResult, NotifyArgs, Procedure, StatArgs, State, StatusResult,
    UnmonitorAllArgs, UnmonitorArgs,
};
use sluice_proto_nfs::rpc::ReplyStatus;

use super::garbage;
use crate::call::Call;
use crate::reply::Reply;

/// Answers a call.
pub(crate) fn serve(call: &Call) -> Result<Reply, ReplyStatus> {
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
            tracing::debug!(host = ?notify.host, state = notify.state, "a client restarted");
            Reply::with_results(call.xid, &())
        }
    })
}
