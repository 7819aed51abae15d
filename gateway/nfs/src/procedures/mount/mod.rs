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
                // Whoever reaches the port can bring this about, as often as they like.
                tracing::debug!(client = %call.client, path = ?arguments.path, status = status.name(), "mount refused");
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

/// A path in the form that exports have it in: one slash before each name, none at the end.
fn canonical(path: &[u8]) -> Vec<u8> {
    let names = path.split(|&byte| byte == b'/');
    let names = names.filter(|name| !name.is_empty() && *name != b".");
    let mut canonical = Vec::with_capacity(path.len());
    for name in names {
        canonical.push(b'/');
        canonical.extend_from_slice(name);
    }
    if canonical.is_empty() {
        canonical.push(b'/');
    }
    canonical
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_has_one_form() {
        for (sent, path) in [
            ("/", "/"),
            ("//./", "/"),
            ("/a", "/a"),
            ("//a/./b//", "/a/b"),
        ] {
            assert_eq!(canonical(sent.as_bytes()), path.as_bytes(), "{sent}");
        }
        assert_eq!(canonical(b"/a/../b"), b"/a/../b", "which no name can be");
    }
}
