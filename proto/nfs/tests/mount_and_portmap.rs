//! MOUNT, portmap and RPC headers are the same bytes and values here and in `nfs3_types`.

mod support;

use nfs3_types::xdr_codec::{List as TheirList, Opaque as TheirOpaque, Pack, Unpack};
use nfs3_types::{mount as their_mount, portmap as their_portmap, rpc as their_rpc};
use proptest::prelude::*;
use sluice_proto_nfs::mount::{self, MountEntry, MountOk, MountResult, MountStatus};
use sluice_proto_nfs::portmap::{self, Mapping, Transport};
use sluice_proto_nfs::rpc::{
    AuthSys, CallHeader, Credential, OpaqueAuth, ReplyHeader, ReplyStatus,
};
use sluice_proto_nfs::xdr::{Decode, Decoder, Encode, EncodedList, U32Array};
use support::*;

fn dirpath(bytes: &[u8]) -> their_mount::dirpath<'_> {
    their_mount::dirpath(TheirOpaque::borrowed(bytes))
}

fn host(bytes: &[u8]) -> their_mount::name<'_> {
    their_mount::name(TheirOpaque::borrowed(bytes))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn mount_results(bytes in handle_bytes(), flavors in prop::collection::vec(any::<u32>(), 0..=32)) {
        let ours = MountResult::Ok(MountOk {
            handle: our_handle(&bytes),
            auth_flavors: U32Array::new(&flavors).unwrap(),
        });
        let theirs = their_mount::mountres3::Ok(their_mount::mountres3_ok {
            fhandle: their_mount::fhandle3(TheirOpaque::borrowed(&bytes)),
            auth_flavors: flavors,
        });
        prop_assert_eq!(ours.to_bytes(), packed(&theirs));
        prop_assert_eq!(MountResult::from_bytes(&packed(&theirs)), Ok(ours));
    }

    #[test]
    fn mount_lists(
        mounts in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..=255), prop::collection::vec(any::<u8>(), 0..=1024)), 0..8),
    ) {
        let mut list = EncodedList::new();
        for (name, path) in &mounts {
            list.push(&MountEntry { host: bounded(name), directory: bounded(path) });
        }
        let ours = mount::MountListResult { mounts: list.as_list() };
        let theirs: their_mount::mountlist<'_, '_> = TheirList(mounts.iter().map(|(name, path)| {
            their_mount::mountbody { ml_hostname: host(name), ml_directory: dirpath(path) }
        }).collect());
        prop_assert_eq!(ours.to_bytes(), packed(&theirs));
        let bytes = packed(&theirs);
        let decoded = mount::MountListResult::from_bytes(&bytes).unwrap();
        let found: Vec<_> = decoded.mounts.iter().map(|entry| (entry.host.to_vec(), entry.directory.to_vec())).collect();
        prop_assert_eq!(found, mounts);
    }

    #[test]
    fn export_lists(
        exports in prop::collection::vec((prop::collection::vec(any::<u8>(), 0..=64), prop::collection::vec(prop::collection::vec(any::<u8>(), 0..=64), 0..4)), 0..6),
    ) {
        let mut list = EncodedList::new();
        for (path, groups) in &exports {
            let names: EncodedList = groups.iter().map(|group| mount::HostName::new(group).unwrap()).collect();
            list.push(&mount::ExportEntry { directory: bounded(path), groups: names.as_list() });
        }
        let ours = mount::ExportResult { exports: list.as_list() };
        let theirs: their_mount::exports<'_, '_> = TheirList(exports.iter().map(|(path, groups)| {
            their_mount::export_node {
                ex_dir: dirpath(path),
                ex_groups: TheirList(groups.iter().map(|group| host(group)).collect()),
            }
        }).collect());
        let bytes = packed(&theirs);
        prop_assert_eq!(ours.to_bytes(), &bytes[..]);
        let decoded = mount::ExportResult::from_bytes(&bytes).unwrap();
        let found: Vec<_> = decoded.exports.iter().map(|entry| {
            (entry.directory.to_vec(), entry.groups.iter().map(|group| group.to_vec()).collect::<Vec<_>>())
        }).collect();
        prop_assert_eq!(found, exports);
    }

    #[test]
    fn portmap_mappings(mappings in prop::collection::vec(any::<[u32; 4]>(), 0..10), results in name_bytes()) {
        let ours: Vec<_> = mappings.iter().map(|&[program, version, transport, port]| Mapping {
            program, version, transport: Transport(transport), port,
        }).collect();
        let list: EncodedList = ours.iter().copied().collect();
        let reply = portmap::DumpResult { mappings: list.as_list() };
        let theirs: their_portmap::pmaplist = TheirList(mappings.iter().map(|&[prog, vers, prot, port]| {
            their_portmap::mapping { prog, vers, prot, port }
        }).collect());
        let bytes = packed(&theirs);
        prop_assert_eq!(reply.to_bytes(), &bytes[..]);
        let decoded = portmap::DumpResult::from_bytes(&bytes).unwrap();
        prop_assert_eq!(decoded.mappings.iter().collect::<Vec<_>>(), ours);
        let call = their_portmap::call_args { prog: 1, vers: 2, proc: 3, args: TheirOpaque::borrowed(&results) };
        let expected = portmap::CallItArgs { program: 1, version: 2, procedure: 3, arguments: bounded(&results) };
        let bytes = packed(&call);
        prop_assert_eq!(portmap::CallItArgs::from_bytes(&bytes), Ok(expected));
        prop_assert_eq!(expected.to_bytes(), packed(&call));
        let result = their_portmap::call_result { port: 9, res: TheirOpaque::borrowed(&results) };
        let expected = portmap::CallItResult { port: 9, results: bounded(&results) };
        let bytes = packed(&result);
        prop_assert_eq!(portmap::CallItResult::from_bytes(&bytes), Ok(expected));
        prop_assert_eq!(expected.to_bytes(), packed(&result));
    }

    #[test]
    fn call_headers(
        numbers: [u32; 7], name in prop::collection::vec(any::<u8>(), 0..=255),
        groups in prop::collection::vec(any::<u32>(), 0..=16),
    ) {
        let [xid, program, version, procedure, stamp, uid, gid] = numbers;
        let sys = AuthSys {
            stamp, machine_name: bounded(&name), uid, gid, groups: U32Array::new(&groups).unwrap(),
        };
        let ours = CallHeader {
            xid, program, version, procedure,
            credential: Credential::Sys(sys),
            verifier: OpaqueAuth::none(),
        };
        let theirs = their_rpc::rpc_msg {
            xid,
            body: their_rpc::msg_body::CALL(their_rpc::call_body {
                rpcvers: 2, prog: program, vers: version, proc: procedure,
                cred: their_rpc::opaque_auth::auth_unix(&their_rpc::auth_unix {
                    stamp, machinename: TheirOpaque::owned(name.clone()), uid, gid, gids: groups,
                }),
                verf: their_rpc::opaque_auth::default(),
            }),
        };
        let bytes = packed(&theirs);
        prop_assert_eq!(ours.to_bytes(), &bytes[..]);
        prop_assert_eq!(CallHeader::parse(&mut Decoder::new(&bytes)), Ok(ours));
    }
}

#[test]
fn every_mount_status_has_its_number() {
    for status in MountStatus::ALL
        .iter()
        .filter(|status| **status != MountStatus::Ok)
    {
        let bytes = MountResult::Err(*status).to_bytes();
        let (theirs, _) = their_mount::mountres3::unpack(&mut &bytes[..]).unwrap();
        assert_eq!(packed(&theirs), bytes);
        assert_eq!(MountResult::from_bytes(&bytes), Ok(Err(*status)));
    }
}

#[test]
fn reply_headers() {
    use their_rpc::accept_stat_data as data;
    let accepted = |reply_data| {
        their_rpc::reply_body::MSG_ACCEPTED(their_rpc::accepted_reply {
            verf: their_rpc::opaque_auth::default(),
            reply_data,
        })
    };
    let denied = their_rpc::reply_body::MSG_DENIED;
    for (status, body) in [
        (ReplyStatus::Success, accepted(data::SUCCESS)),
        (
            ReplyStatus::ProgramUnavailable,
            accepted(data::PROG_UNAVAIL),
        ),
        (
            ReplyStatus::ProgramMismatch { low: 3, high: 4 },
            accepted(data::PROG_MISMATCH { low: 3, high: 4 }),
        ),
        (
            ReplyStatus::ProcedureUnavailable,
            accepted(data::PROC_UNAVAIL),
        ),
        (ReplyStatus::GarbageArguments, accepted(data::GARBAGE_ARGS)),
        (ReplyStatus::SystemError, accepted(data::SYSTEM_ERR)),
        (
            ReplyStatus::RpcMismatch { low: 2, high: 2 },
            denied(their_rpc::rejected_reply::rpc_mismatch(2, 2)),
        ),
        (
            ReplyStatus::AuthError(sluice_proto_nfs::rpc::AuthStatus::TooWeak),
            denied(their_rpc::rejected_reply::auth_error(
                their_rpc::auth_stat::AUTH_TOOWEAK,
            )),
        ),
    ] {
        let theirs = their_rpc::rpc_msg {
            xid: 12,
            body: their_rpc::msg_body::REPLY(body),
        };
        let mut bytes = Vec::new();
        theirs.pack(&mut bytes).unwrap();
        let ours = ReplyHeader { xid: 12, status };
        assert_eq!(ours.to_bytes(), bytes);
        assert_eq!(ReplyHeader::from_bytes(&bytes), Ok(ours));
    }
}
