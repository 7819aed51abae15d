//! Portmap: where this gateway's programs are, and those that programs of this machine registered. Nobody is called by
//! proxy.
//!
//! On the port mapper's port, and only from this machine (by the address that the call came from; the kernel takes no
//! loopback addresses from a network) and from a reserved port, which only root has, as rpcbind wants it too, others
//! may register: the kernel's lockd does, for a mount with locks, and does not start if it is refused. But what the gateway serves itself nobody else can register.

use sluice_proto_nfs::portmap::{DumpResult, GetPortArgs, Mapping, Procedure, SetArgs, UnsetArgs};
use sluice_proto_nfs::rpc::{Program, ReplyStatus};
use sluice_proto_nfs::xdr::EncodedList;

use super::garbage;
use crate::call::{Call, Endpoint};
use crate::engine::Engine;
use crate::reply::Reply;

/// Ports that only privileged programs can call from.
const RESERVED_PORTS: std::ops::Range<u16> = 1..1024;

/// Answers a call.
pub(crate) fn serve(engine: &Engine, call: &Call) -> Result<Reply, ReplyStatus> {
    let procedure =
        Procedure::from_number(call.procedure).ok_or(ReplyStatus::ProcedureUnavailable)?;
    Ok(match procedure {
        Procedure::Null => Reply::with_results(call.xid, &()),
        Procedure::GetPort => {
            let wanted = call.arguments::<GetPortArgs>().map_err(garbage)?.mapping;
            let port = port_of(&known(engine), &wanted);
            Reply::with_results(call.xid, &port)
        }
        Procedure::Dump => {
            let list: EncodedList = known(engine).into_iter().collect();
            let mappings = list.as_list();
            Reply::with_results(call.xid, &DumpResult { mappings })
        }
        Procedure::Set => {
            let mapping = call.arguments::<SetArgs>().map_err(garbage)?.mapping;
            let done = may_register(call) && set(engine, mapping);
            Reply::with_results(call.xid, &done)
        }
        Procedure::Unset => {
            let mapping = call.arguments::<UnsetArgs>().map_err(garbage)?.mapping;
            let done = may_register(call) && unset(engine, &mapping);
            Reply::with_results(call.xid, &done)
        }
        Procedure::CallIt => return Err(ReplyStatus::ProcedureUnavailable),
    })
}

/// The gateway's own mappings and those of others, which have none of the gateway's programs.
fn known(engine: &Engine) -> Vec<Mapping> {
    let mut mappings = engine.mappings.read().clone();
    mappings.extend(engine.local_services.all());
    mappings
}

fn may_register(call: &Call) -> bool {
    call.endpoint == Endpoint::Portmap
        && call.client.is_loopback()
        && RESERVED_PORTS.contains(&call.client_port)
}

fn set(engine: &Engine, mapping: Mapping) -> bool {
    match Program::from_number(mapping.program) {
        // The kernel's lockd is told yes, so that it starts; but whoever asks here for locks means the gateway's.
        Some(Program::Nlm) => true,
        Some(_) => false,
        None => engine.local_services.set(mapping),
    }
}

fn unset(engine: &Engine, mapping: &Mapping) -> bool {
    match Program::from_number(mapping.program) {
        Some(program) => program == Program::Nlm,
        None => engine
            .local_services
            .unset(mapping.program, mapping.version),
    }
}

/// The port of a program and transport: of the version asked for, or of another one, whose PROG_MISMATCH then tells
/// the client which there are (as rpcbind has it). 0 if there is none.
fn port_of(mappings: &[Mapping], wanted: &Mapping) -> u32 {
    let same =
        |known: &&Mapping| known.program == wanted.program && known.transport == wanted.transport;
    let exact = mappings
        .iter()
        .filter(same)
        .find(|known| known.version == wanted.version);
    let found = exact.or_else(|| mappings.iter().find(same));
    found.map_or(0, |known| known.port)
}

#[cfg(test)]
mod tests {
    use sluice_proto_nfs::portmap::Transport;

    use super::*;

    #[test]
    fn ports_are_found_by_program_and_transport() {
        let mapping = |program, version, transport, port| Mapping {
            program,
            version,
            transport,
            port,
        };
        let mappings = [
            mapping(100_003, 3, Transport::TCP, 2049),
            mapping(100_005, 3, Transport::UDP, 2050),
        ];
        let port = |program, version, transport| {
            port_of(&mappings, &mapping(program, version, transport, 0))
        };
        assert_eq!(port(100_003, 3, Transport::TCP), 2049);
        assert_eq!(port(100_003, 4, Transport::TCP), 2049);
        assert_eq!(port(100_003, 3, Transport::UDP), 0);
        assert_eq!(port(100_005, 1, Transport::UDP), 2050);
        assert_eq!(port(100_021, 4, Transport::TCP), 0);
    }
}
