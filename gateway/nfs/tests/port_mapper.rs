//! Portmap: the gateway's own port mapper, and registering with one that runs already.

mod support;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use sluice_gateway_nfs::{NfsConfig, PortmapMode, PortmapState};
use sluice_proto_nfs::portmap::{
    DumpArgs, DumpResult, GetPortArgs, Mapping, SetArgs, Transport, UnsetArgs,
};
use sluice_proto_nfs::rpc::{Program, ReplyStatus};
use sluice_proto_nfs::xdr::Decode;
use sluice_vfs::Exports;
use support::{Client, Served, config, datagram, datagram_privileged};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

fn wanted(program: Program, transport: Transport) -> GetPortArgs {
    GetPortArgs {
        mapping: Mapping {
            program: program.number(),
            version: program.version(),
            transport,
            port: 0,
        },
    }
}

#[tokio::test]
async fn its_own_port_mapper_knows_its_programs() {
    let config = NfsConfig {
        portmap: PortmapMode::Own,
        portmap_port: 0,
        ..config()
    };
    let served = Served::with_config(config, Exports::default()).await;
    assert_eq!(served.gateway.portmap(), PortmapState::Own);
    let port = u32::from(served.gateway.address().port());
    let mut client = served.client().await;
    let results = client.call(&DumpArgs {}).await;
    let list = DumpResult::from_bytes(&results).unwrap();
    let mut mappings = list.mappings.iter();
    let portmap = mappings.find(|mapping| mapping.program == 100_000).unwrap();
    assert_eq!(list.mappings.iter().count(), 9);
    let at = SocketAddr::from((Ipv4Addr::LOCALHOST, portmap.port as u16));
    let mut mapper = Client::connect(at).await;
    for (program, transport, expected) in [
        (Program::Nfs, Transport::TCP, port),
        (Program::Nfs, Transport::UDP, 0),
        (Program::Mount, Transport::UDP, port),
        (Program::Nlm, Transport::TCP, port),
    ] {
        let results = mapper.call(&wanted(program, transport)).await;
        assert_eq!(
            u32::from_bytes(&results),
            Ok(expected),
            "{}",
            program.name()
        );
        let (status, results) = datagram(at, &wanted(program, transport)).await;
        assert_eq!(
            (status, u32::from_bytes(&results)),
            (ReplyStatus::Success, Ok(expected))
        );
    }
    let set = SetArgs {
        mapping: wanted(Program::Nfs, Transport::TCP).mapping,
    };
    assert_eq!(bool::from_bytes(&mapper.call(&set).await), Ok(false));
    let other = mapper.status(100_003, 3, 0, &[]).await;
    assert_eq!(
        other,
        ReplyStatus::ProgramUnavailable,
        "the port mapper's port is for portmap only"
    );
}

/// A gateway that is its machine's port mapper, and where it is that.
async fn with_port_mapper() -> (Served, SocketAddr) {
    let mut config = NfsConfig {
        portmap: PortmapMode::Own,
        portmap_port: 0,
        ..config()
    };
    config.listen = Ipv4Addr::UNSPECIFIED.into();
    let served = Served::with_config(config, Exports::default()).await;
    let port = served.gateway.address().port();
    let mut client = Client::connect((Ipv4Addr::LOCALHOST, port).into()).await;
    let list = client.call(&DumpArgs {}).await;
    let list = DumpResult::from_bytes(&list).unwrap();
    let mut mappings = list.mappings.iter();
    let portmap = mappings.find(|mapping| mapping.program == 100_000).unwrap();
    let mapper = (Ipv4Addr::LOCALHOST, portmap.port as u16);
    (served, mapper.into())
}

async fn register(mapper: &mut Client, mapping: Mapping) -> bool {
    let set = mapper.call(&SetArgs { mapping }).await;
    bool::from_bytes(&set).unwrap()
}

/// What the kernel's lockd says when a mount with locks starts it, in this order, where no rpcbind runs.
#[tokio::test]
async fn lockd_of_the_same_machine_can_register() {
    let (served, mapper) = with_port_mapper().await;
    let port = u32::from(served.gateway.address().port());
    let mut mapper = Client::connect_privileged(mapper).await;
    let portmap_4 = mapper.status(100_000, 4, 0, &[]).await;
    let only_2 = ReplyStatus::ProgramMismatch { low: 2, high: 2 };
    assert_eq!(
        portmap_4, only_2,
        "so that it registers as version 2 has it"
    );
    for version in [1, 3, 4] {
        for transport in [Transport::UDP, Transport::TCP] {
            let mapping = Mapping {
                version,
                port: 40_000,
                ..wanted(Program::Nlm, transport).mapping
            };
            assert!(register(&mut mapper, mapping).await, "{mapping:?}");
            let unset = mapper.call(&UnsetArgs { mapping }).await;
            assert_eq!(bool::from_bytes(&unset), Ok(true));
            assert!(register(&mut mapper, mapping).await, "{mapping:?}");
            let found = mapper.call(&GetPortArgs { mapping }).await;
            assert_eq!(
                u32::from_bytes(&found),
                Ok(port),
                "who asks for locks here means the gateway's"
            );
        }
    }
}

#[tokio::test]
async fn programs_of_the_same_machine_can_register_and_no_others() {
    let (served, mapper) = with_port_mapper().await;
    let mapping = Mapping {
        program: 100_011,
        version: 2,
        transport: Transport::UDP,
        port: 875,
    };
    let mut local = Client::connect_privileged(mapper).await;
    for program in [Program::Nfs, Program::Mount, Program::Nsm, Program::Portmap] {
        let own = Mapping {
            port: 875,
            version: 9,
            ..wanted(program, Transport::TCP).mapping
        };
        assert!(!register(&mut local, own).await, "{}", program.name());
        let unset = local.call(&UnsetArgs { mapping: own }).await;
        assert_eq!(bool::from_bytes(&unset), Ok(false));
    }
    assert!(register(&mut local, mapping).await);
    let found = local.call(&GetPortArgs { mapping }).await;
    assert_eq!(u32::from_bytes(&found), Ok(875));
    let dump = local.call(&DumpArgs {}).await;
    let dump = DumpResult::from_bytes(&dump).unwrap();
    assert!(dump.mappings.iter().any(|known| known == mapping));
    // The NFS port is where proxies lead strangers to.
    let nfs = SocketAddr::from((Ipv4Addr::LOCALHOST, served.gateway.address().port()));
    let unset = Client::connect_privileged(nfs)
        .await
        .call(&UnsetArgs { mapping })
        .await;
    assert_eq!(bool::from_bytes(&unset), Ok(false));
    // From a port that every user can call from.
    let mut user = Client::connect(mapper).await;
    let unset = user.call(&UnsetArgs { mapping }).await;
    assert_eq!(bool::from_bytes(&unset), Ok(false));
    let other = Mapping {
        program: 100_024,
        ..mapping
    };
    assert!(!register(&mut user, other).await);
    let (_, unset) = datagram(mapper, &UnsetArgs { mapping }).await;
    assert_eq!(bool::from_bytes(&unset), Ok(false));
    let (_, unset) = datagram_privileged(mapper, &UnsetArgs { mapping }).await;
    assert_eq!(bool::from_bytes(&unset), Ok(true));
    let found = local.call(&GetPortArgs { mapping }).await;
    assert_eq!(u32::from_bytes(&found), Ok(0));
    // Another machine's address, if this one has any but loopback's.
    let outward = std::net::UdpSocket::bind("0.0.0.0:0").unwrap();
    if outward.connect("192.0.2.1:9").is_ok()
        && let Ok(address) = outward.local_addr()
        && !address.ip().is_loopback()
    {
        let mut remote = Client::connect((address.ip(), mapper.port()).into()).await;
        assert!(!register(&mut remote, mapping).await);
    }
}

/// Answers every call with TRUE and tells its procedure and port.
async fn rpcbind() -> (SocketAddr, tokio::sync::mpsc::UnboundedReceiver<(u32, u32)>) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (tell, told) = tokio::sync::mpsc::unbounded_channel();
    tokio::spawn(async move {
        loop {
            let (mut stream, _) = listener.accept().await.unwrap();
            let tell = tell.clone();
            tokio::spawn(async move {
                // Marker, header of AUTH_NONE (10 words), mapping (4 words).
                let mut call = [0; 4 + 40 + 16];
                while stream.read_exact(&mut call).await.is_ok() {
                    let word = |at: usize| u32::from_be_bytes(call[at..at + 4].try_into().unwrap());
                    tell.send((word(24), word(56))).unwrap();
                    let mut reply = vec![0x80, 0, 0, 28];
                    reply.extend_from_slice(&call[4..8]);
                    reply.extend_from_slice(&[0, 0, 0, 1]);
                    reply.extend_from_slice(&[0; 16]);
                    reply.extend_from_slice(&[0, 0, 0, 1]);
                    stream.write_all(&reply).await.unwrap();
                }
            });
        }
    });
    (address, told)
}

#[tokio::test]
async fn registers_with_rpcbind_and_takes_it_back() {
    let (rpcbind, mut told) = rpcbind().await;
    let config = NfsConfig {
        portmap: PortmapMode::Register,
        rpcbind,
        ..config()
    };
    let served = Served::with_config(config, Exports::default()).await;
    assert_eq!(served.gateway.portmap(), PortmapState::Registered);
    let port = u32::from(served.gateway.address().port());
    for _ in 0..7 {
        assert_eq!(told.recv().await, Some((1, port)));
    }
    assert!(served.gateway.shutdown(Duration::from_secs(5)).await);
    for _ in 0..7 {
        assert_eq!(told.recv().await, Some((2, port)));
    }
}
