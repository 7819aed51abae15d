//! NFSv3: which file serves which procedure, and what they share.
//!
//! A procedure takes decoded arguments and gives the protocol's result; `serve` decodes, encodes, counts and
//! times. READ and the listings give replies of their own, because their results are not copied together.

mod access;
mod commit;
mod context;
mod create;
mod fsinfo;
mod fsstat;
mod getattr;
mod link;
mod listing;
mod lookup;
mod mkdir;
mod mknod;
mod pathconf;
mod read;
mod readdir;
mod readdirplus;
mod readlink;
mod remove;
mod rename;
mod rmdir;
mod setattr;
mod symlink;
mod write;

use sluice_proto_nfs::nfs3::{Failed, Procedure, nfsstat3};
use sluice_proto_nfs::rpc::ReplyStatus;
use sluice_proto_nfs::xdr::{Decode, Encode, Encoder};
use sluice_types::Payload;

use super::garbage;
use crate::call::{Call, Endpoint};
use crate::engine::Engine;
use crate::reply::Reply;
use context::NfsCall;

/// Answers a call.
pub(crate) async fn serve(engine: &Engine, call: &Call) -> Result<Reply, ReplyStatus> {
    let procedure =
        Procedure::from_number(call.procedure).ok_or(ReplyStatus::ProcedureUnavailable)?;
    if procedure != Procedure::Null && call.endpoint != Endpoint::Nfs {
        return Err(ReplyStatus::ProcedureUnavailable);
    }
    let began = engine.clock.monotonic();
    let (reply, status) = serve_procedure(&NfsCall { engine, call }, procedure).await?;
    let elapsed = engine.clock.monotonic().saturating_sub(began);
    engine
        .metrics
        .procedure(procedure)
        .finished(status, elapsed);
    Ok(reply)
}

/// A reply, and the status in it, for the metrics.
type Answer = (Reply, nfsstat3);

async fn serve_procedure(call: &NfsCall<'_>, procedure: Procedure) -> Result<Answer, ReplyStatus> {
    macro_rules! answer {
        ($module:ident) => {{
            let arguments = arguments(call)?;
            results(call, &$module::serve(call, &arguments).await)
        }};
    }
    macro_rules! answer_apart {
        ($module:ident) => {{
            let arguments = arguments(call)?;
            results_apart(call, $module::serve(call, &arguments).await)
        }};
    }
    Ok(match procedure {
        Procedure::Null => (Reply::with_results(call.call.xid, &()), nfsstat3::NFS3_OK),
        Procedure::GetAttr => answer!(getattr),
        Procedure::SetAttr => answer!(setattr),
        Procedure::Lookup => answer!(lookup),
        Procedure::Access => answer!(access),
        Procedure::Readlink => answer_apart!(readlink),
        Procedure::Read => answer_apart!(read),
        Procedure::Write => answer!(write),
        Procedure::Create => answer!(create),
        Procedure::Mkdir => answer!(mkdir),
        Procedure::Symlink => answer!(symlink),
        Procedure::Mknod => answer!(mknod),
        Procedure::Remove => answer!(remove),
        Procedure::Rmdir => answer!(rmdir),
        Procedure::Rename => answer!(rename),
        Procedure::Link => answer!(link),
        Procedure::Readdir => answer_apart!(readdir),
        Procedure::ReaddirPlus => answer_apart!(readdirplus),
        Procedure::FsStat => answer!(fsstat),
        Procedure::FsInfo => answer!(fsinfo),
        Procedure::PathConf => answer!(pathconf),
        Procedure::Commit => answer!(commit),
    })
}

fn arguments<'a, A: Decode<'a>>(call: &NfsCall<'a>) -> Result<A, ReplyStatus> {
    call.call.arguments().map_err(garbage)
}

fn results<S: Encode, F: Encode>(call: &NfsCall<'_>, result: &Result<S, Failed<F>>) -> Answer {
    let status = match result {
        Ok(_) => nfsstat3::NFS3_OK,
        Err(failed) => failed.status,
    };
    (Reply::with_results(call.call.xid, result), status)
}

/// Results that a procedure encoded itself, with what follows them uncopied.
struct Apart {
    /// From [`NfsCall::begin_ok`] on.
    encoder: Encoder,
    payload: Payload,
}

impl From<Encoder> for Apart {
    fn from(encoder: Encoder) -> Self {
        let payload = Payload::new();
        Self { encoder, payload }
    }
}

fn results_apart<F: Encode>(call: &NfsCall<'_>, result: Result<Apart, Failed<F>>) -> Answer {
    match result {
        Ok(apart) => {
            let reply = Reply::with_payload(apart.encoder, apart.payload);
            (reply, nfsstat3::NFS3_OK)
        }
        Err(failed) => results::<(), F>(call, &Err(failed)),
    }
}
