//! NLM v4: one file per procedure. Locks are the metadata service's; here their calls are translated.
//!
//! A client is known by the name it gives itself and the address it calls from, and an owner by that, its process number and
//! its handle.
//!
//! The asynchronous procedures (`_MSG`) are carried out as the others are; their answer is a call to the client.

mod call;
mod cancel;
mod free_all;
mod lock;
mod share;
mod test;
mod unlock;

use std::sync::Arc;

use sluice_proto_nfs::nlm::{
    CancelArgs, FreeAllArgs, GrantedArgs, LockArgs, LockResult, LockStatus, Message,
    NonMonitoredLockArgs, Procedure, ShareArgs, ShareResult, TestArgs, TestResult, UnlockArgs,
    UnshareArgs,
};
use sluice_proto_nfs::nsm::StatusCallback;
use sluice_proto_nfs::rpc::ReplyStatus;

use super::garbage;
use crate::call::Call;
use crate::engine::Engine;
use crate::lock_callbacks;
use crate::reply::Reply;
use call::LockCall;

/// Answers a call.
pub(crate) async fn serve(engine: &Arc<Engine>, call: &Call) -> Result<Reply, ReplyStatus> {
    let procedure =
        Procedure::from_number(call.procedure).ok_or(ReplyStatus::ProcedureUnavailable)?;
    let locks = LockCall { engine, call };
    let locked = |cookie, status| Reply::with_results(call.xid, &LockResult { cookie, status });
    macro_rules! arguments {
        ($arguments:ty) => {
            call.arguments::<$arguments>().map_err(garbage)?
        };
    }
    Ok(match procedure {
        Procedure::Null => done(call),
        Procedure::Test => {
            let args = arguments!(TestArgs<'_>);
            let found = test::serve(&locks, &args).await;
            let (cookie, reply) = (args.cookie, found.reply());
            Reply::with_results(call.xid, &TestResult { cookie, reply })
        }
        Procedure::Lock => {
            let args = arguments!(LockArgs<'_>);
            locked(args.cookie, lock::serve(&locks, &args).await)
        }
        Procedure::NonMonitoredLock => {
            let args = lock::monitored(&arguments!(NonMonitoredLockArgs<'_>));
            locked(args.cookie, lock::serve(&locks, &args).await)
        }
        Procedure::Cancel => {
            let args = arguments!(CancelArgs<'_>);
            locked(args.cookie, cancel::serve(&locks, &args).await)
        }
        Procedure::Unlock => {
            let args = arguments!(UnlockArgs<'_>);
            locked(args.cookie, unlock::serve(&locks, &args).await)
        }
        // This gateway takes no locks of others.
        Procedure::Granted => locked(arguments!(GrantedArgs<'_>).cookie, LockStatus::Denied),
        Procedure::Share => {
            let args = arguments!(ShareArgs<'_>);
            let status = share::take(&locks, &args.share).await;
            shared(call, args.cookie, status)
        }
        Procedure::Unshare => {
            let args = arguments!(UnshareArgs<'_>);
            let status = share::release(&locks, &args.share).await;
            shared(call, args.cookie, status)
        }
        Procedure::FreeAll => {
            free_all::serve(&locks, &arguments!(FreeAllArgs<'_>)).await?;
            done(call)
        }
        // No status monitor watches clients for this gateway: they say themselves that they restarted (NSM's NOTIFY).
        Procedure::StatusNotify => {
            arguments!(StatusCallback<'_>);
            done(call)
        }
        Procedure::TestMsg
        | Procedure::LockMsg
        | Procedure::CancelMsg
        | Procedure::UnlockMsg
        | Procedure::GrantedMsg
        | Procedure::TestRes
        | Procedure::LockRes
        | Procedure::CancelRes
        | Procedure::UnlockRes
        | Procedure::GrantedRes => {
            message(&locks, procedure).await?;
            done(call)
        }
    })
}

/// Carries out an asynchronous procedure, and sends its answer.
async fn message(locks: &LockCall<'_>, procedure: Procedure) -> Result<(), ReplyStatus> {
    let mut decoder = locks.call.arguments_decoder().map_err(garbage)?;
    let message = Message::decode(procedure, &mut decoder).map_err(garbage)?;
    decoder.finish().map_err(garbage)?;
    let result = |cookie, status| LockResult { cookie, status };
    match message {
        Some(Message::Test(args)) => {
            let found = test::serve(locks, &args).await;
            let (cookie, reply) = (args.cookie, found.reply());
            answer(locks, &Message::TestResult(TestResult { cookie, reply }));
        }
        Some(Message::Lock(args)) => {
            let status = lock::serve(locks, &args).await;
            answer(locks, &Message::LockResult(result(args.cookie, status)));
        }
        Some(Message::Cancel(args)) => {
            let status = cancel::serve(locks, &args).await;
            answer(locks, &Message::CancelResult(result(args.cookie, status)));
        }
        Some(Message::Unlock(args)) => {
            let status = unlock::serve(locks, &args).await;
            answer(locks, &Message::UnlockResult(result(args.cookie, status)));
        }
        Some(Message::Granted(args)) => {
            let denied = result(args.cookie, LockStatus::Denied);
            answer(locks, &Message::GrantedResult(denied));
        }
        // Answers to what this gateway never asks.
        Some(
            Message::TestResult(_)
            | Message::LockResult(_)
            | Message::CancelResult(_)
            | Message::UnlockResult(_)
            | Message::GrantedResult(_),
        )
        | None => {}
    }
    Ok(())
}

fn answer(locks: &LockCall<'_>, message: &Message<'_>) {
    let call = locks.call;
    // Whom no export allows is sent nothing: who it says it is may be somebody else.
    if locks.engine.exports.allow(call.client) {
        lock_callbacks::answer(locks.engine, call.client, call.server, message);
    }
}

fn shared(call: &Call, cookie: sluice_proto_nfs::nlm::Cookie<'_>, status: LockStatus) -> Reply {
    let sequence = 0;
    let result = ShareResult {
        cookie,
        status,
        sequence,
    };
    Reply::with_results(call.xid, &result)
}

fn done(call: &Call) -> Reply {
    Reply::with_results(call.xid, &())
}
