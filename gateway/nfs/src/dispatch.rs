//! From a call to its program.

use std::sync::Arc;

use sluice_proto_nfs::rpc::{Program, ReplyStatus};

use crate::call::Call;
use crate::engine::Engine;
use crate::procedures::{mount, nfs3, nlm, nsm, portmap};
use crate::reply::Reply;

/// Serves a call of any program.
pub(crate) async fn serve(engine: &Arc<Engine>, call: Call) -> Reply {
    match call.key() {
        Some(key) => engine.in_flight.once(key, answer(engine, &call)).await,
        None => answer(engine, &call).await,
    }
}

async fn answer(engine: &Arc<Engine>, call: &Call) -> Reply {
    match serve_program(engine, call).await {
        Ok(reply) => reply,
        Err(status) => {
            if status == ReplyStatus::GarbageArguments {
                engine.metrics.malformed.increment(1);
            }
            Reply::ended(call.xid, status)
        }
    }
}

async fn serve_program(engine: &Arc<Engine>, call: &Call) -> Result<Reply, ReplyStatus> {
    let program = Program::from_number(call.program)
        .filter(|program| call.endpoint.offers(*program))
        .ok_or(ReplyStatus::ProgramUnavailable)?;
    let version = program.version();
    if call.version != version {
        // An NFSv4 client learns from this to fall back to version 3.
        return Err(ReplyStatus::ProgramMismatch {
            low: version,
            high: version,
        });
    }
    engine.metrics.program_called(program);
    match program {
        Program::Nfs => nfs3::serve(engine, call).await,
        Program::Mount => mount::serve(engine, call).await,
        Program::Nlm => nlm::serve(engine, call).await,
        Program::Nsm => nsm::serve(engine, call).await,
        Program::Portmap => portmap::serve(engine, call),
    }
}
