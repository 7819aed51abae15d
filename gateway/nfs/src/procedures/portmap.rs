//! Portmap: where this gateway's programs are. Nobody else can register here, and nobody is called by proxy.

use sluice_proto_nfs::portmap::{DumpResult, GetPortArgs, Mapping, Procedure, SetArgs, UnsetArgs};
use sluice_proto_nfs::rpc::ReplyStatus;
use sluice_proto_nfs::xdr::EncodedList;

use super::garbage;
use crate::call::Call;
use crate::engine::Engine;
use crate::reply::Reply;

/// Answers a call.
pub(crate) fn serve(engine: &Engine, call: &Call) -> Result<Reply, ReplyStatus> {
    let procedure =
        Procedure::from_number(call.procedure).ok_or(ReplyStatus::ProcedureUnavailable)?;
    Ok(match procedure {
        Procedure::Null => Reply::with_results(call.xid, &()),
        Procedure::GetPort => {
            let wanted = call.arguments::<GetPortArgs>().map_err(garbage)?.mapping;
            let port = port_of(&engine.mappings.read(), &wanted);
            Reply::with_results(call.xid, &port)
        }
        Procedure::Dump => {
            let list: EncodedList = engine.mappings.read().iter().copied().collect();
            let mappings = list.as_list();
            Reply::with_results(call.xid, &DumpResult { mappings })
        }
        Procedure::Set => {
            call.arguments::<SetArgs>().map_err(garbage)?;
            Reply::with_results(call.xid, &false)
        }
        Procedure::Unset => {
            call.arguments::<UnsetArgs>().map_err(garbage)?;
            Reply::with_results(call.xid, &false)
        }
        Procedure::CallIt => return Err(ReplyStatus::ProcedureUnavailable),
    })
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
