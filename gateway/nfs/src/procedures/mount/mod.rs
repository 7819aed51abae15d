//! MOUNT v3.

mod dump;
mod export;
mod mnt;
mod umnt;

use sluice_proto_nfs::mount::{MountArgs, Procedure, UmountArgs};
use sluice_proto_nfs::rpc::ReplyStatus;

use super::garbage;
use crate::call::Call;
use crate::engine::Engine;
use crate::reply::Reply;

/// Answers a call.
pub(crate) async fn serve(engine: &Engine, call: &Call) -> Result<Reply, ReplyStatus> {
    let procedure =
        Procedure::from_number(call.procedure).ok_or(ReplyStatus::ProcedureUnavailable)?;
    Ok(match procedure {
        Procedure::Null => Reply::with_results(call.xid, &()),
        Procedure::Mnt => {
            let arguments = call.arguments::<MountArgs<'_>>().map_err(garbage)?;
            let result = mnt::serve(engine, call, &arguments).await;
            if let Err(status) = &result {
                tracing::info!(client = %call.client, path = ?arguments.path, status = status.name(), "mount refused");
            }
            Reply::with_results(call.xid, &result)
        }
        Procedure::Dump => dump::serve(engine, call),
        Procedure::Umnt => {
            let arguments = call.arguments::<UmountArgs<'_>>().map_err(garbage)?;
            umnt::one(engine, call, &arguments);
            Reply::with_results(call.xid, &())
        }
        Procedure::UmntAll => {
            umnt::all(engine, call);
            Reply::with_results(call.xid, &())
        }
        Procedure::Export => export::serve(engine, call),
    })
}
