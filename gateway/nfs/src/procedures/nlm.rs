//! NLM: there are no locks to be had yet, and every call says so at once.
//!
//! The asynchronous procedures are acknowledged; the answer that they want is a call to the client, which is
//! not made: the client asks again or gives up after its own time. No current client uses them for requests.

use sluice_proto_nfs::nlm::{
    CancelArgs, FreeAllArgs, GrantedArgs, LockArgs, LockResult, LockStatus, Message,
    NonMonitoredLockArgs, Procedure, ShareArgs, ShareResult, TestArgs, TestReply, TestResult,
    UnlockArgs, UnshareArgs,
};
use sluice_proto_nfs::nsm::StatusCallback;
use sluice_proto_nfs::rpc::ReplyStatus;

use super::garbage;
use crate::call::Call;
use crate::reply::Reply;

/// Answers a call.
pub(crate) fn serve(call: &Call) -> Result<Reply, ReplyStatus> {
    let procedure =
        Procedure::from_number(call.procedure).ok_or(ReplyStatus::ProcedureUnavailable)?;
    let locked = |cookie, status| Reply::with_results(call.xid, &LockResult { cookie, status });
    let shared = |cookie, status| {
        let sequence = 0;
        Reply::with_results(
            call.xid,
            &ShareResult {
                cookie,
                status,
                sequence,
            },
        )
    };
    macro_rules! cookie {
        ($arguments:ty) => {
            call.arguments::<$arguments>().map_err(garbage)?.cookie
        };
    }
    Ok(match procedure {
        Procedure::Null => done(call),
        Procedure::Test => {
            let cookie = cookie!(TestArgs<'_>);
            let reply = TestReply::Other(LockStatus::DeniedNoLocks);
            Reply::with_results(call.xid, &TestResult { cookie, reply })
        }
        Procedure::Lock => locked(cookie!(LockArgs<'_>), LockStatus::DeniedNoLocks),
        Procedure::NonMonitoredLock => {
            locked(cookie!(NonMonitoredLockArgs<'_>), LockStatus::DeniedNoLocks)
        }
        // Nobody waits for a lock or holds one: there is nothing to cancel, and what is to be released is.
        Procedure::Cancel => locked(cookie!(CancelArgs<'_>), LockStatus::Denied),
        Procedure::Unlock => locked(cookie!(UnlockArgs<'_>), LockStatus::Granted),
        Procedure::Granted => locked(cookie!(GrantedArgs<'_>), LockStatus::Denied),
        Procedure::Share => shared(cookie!(ShareArgs<'_>), LockStatus::DeniedNoLocks),
        Procedure::Unshare => shared(cookie!(UnshareArgs<'_>), LockStatus::Granted),
        Procedure::FreeAll => {
            call.arguments::<FreeAllArgs<'_>>().map_err(garbage)?;
            done(call)
        }
        Procedure::StatusNotify => {
            call.arguments::<StatusCallback<'_>>().map_err(garbage)?;
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
        | Procedure::GrantedRes => message(call, procedure)?,
    })
}

fn message(call: &Call, procedure: Procedure) -> Result<Reply, ReplyStatus> {
    let mut decoder = call.arguments_decoder().map_err(garbage)?;
    Message::decode(procedure, &mut decoder).map_err(garbage)?;
    decoder.finish().map_err(garbage)?;
    Ok(done(call))
}

fn done(call: &Call) -> Reply {
    Reply::with_results(call.xid, &())
}
