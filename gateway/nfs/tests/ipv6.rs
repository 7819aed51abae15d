//! Everything is served over IPv6 as it is over IPv4.

mod support;

use std::net::{IpAddr, Ipv6Addr, SocketAddr};

use sluice_gateway_nfs::{NfsConfig, PortmapMode, PortmapState};
use sluice_proto_nfs::mount::{
    DirectoryPath, DumpArgs as MountDumpArgs, MountArgs, MountListResult, MountResult, MountStatus,
};
use sluice_proto_nfs::nfs3::{GetAttrArgs, GetAttrResult};
use sluice_proto_nfs::portmap::{DumpArgs, DumpResult, GetPortArgs, Mapping, Transport};
use sluice_proto_nfs::rpc::{Program, ReplyStatus};
use sluice_proto_nfs::xdr::Decode;
use sluice_types::ExportId;
use sluice_vfs::{Export, Exports};
use support::{Client, Served, config, datagram};

fn mount(path: &'static str) -> MountArgs<'static> {
    let path = DirectoryPath::new(path.as_bytes()).unwrap();
    MountArgs { path }
}

fn listening_on(address: Ipv6Addr) -> NfsConfig {
    NfsConfig {
        listen: IpAddr::V6(address),
        ..config()
    }
}

fn loopback(port: u16) -> SocketAddr {
    SocketAddr::from((Ipv6Addr::LOCALHOST, port))
}

#[tokio::test]
async fn nfs_and_mount_are_served_on_one_address_and_on_all() {
    for address in [Ipv6Addr::LOCALHOST, Ipv6Addr::UNSPECIFIED] {
        let served = Served::with_config(listening_on(address), Exports::default()).await;
        let at = loopback(served.gateway.address().port());
        let mut client = Client::connect(at).await;
        let root = client.mount("/").await;
        let results = client.call(&GetAttrArgs { object: root }).await;
        GetAttrResult::from_bytes(&results).unwrap().unwrap();
        let (status, results) = datagram(at, &mount("/")).await;
        assert_eq!(status, ReplyStatus::Success);
        let mounted = MountResult::from_bytes(&results).unwrap().unwrap();
        assert_eq!(mounted.handle, root);
        let results = client.call(&MountDumpArgs {}).await;
        let list = MountListResult::from_bytes(&results).unwrap();
        assert!(list.mounts.iter().all(|mount| &*mount.host == b"::1"));
    }
}

#[tokio::test]
async fn exports_name_networks_of_both_families() {
    for (network, is_allowed) in [("::/127", true), ("fd00::/8", false), ("0.0.0.0/0", false)] {
        let export = Export {
            id: ExportId::new(1),
            path: b"/".to_vec(),
            networks: vec![network.parse().unwrap()],
            ..Export::default()
        };
        let config = listening_on(Ipv6Addr::LOCALHOST);
        let served = Served::with_config(config, Exports::new(vec![export]).unwrap()).await;
        let mut client = Client::connect(loopback(served.gateway.address().port())).await;
        let mounted = MountResult::from_bytes(&client.call(&mount("/")).await).unwrap();
        let refusal = mounted.err();
        let expected = (!is_allowed).then_some(MountStatus::AccessDenied);
        assert_eq!(refusal, expected, "{network}");
    }
}

/// Version 2 knows ports only, no addresses: what it says holds for either family.
#[tokio::test]
async fn the_port_mapper_answers() {
    for address in [Ipv6Addr::LOCALHOST, Ipv6Addr::UNSPECIFIED] {
        let config = NfsConfig {
            portmap: PortmapMode::Own,
            portmap_port: 0,
            ..listening_on(address)
        };
        let served = Served::with_config(config, Exports::default()).await;
        assert_eq!(served.gateway.portmap(), PortmapState::Own);
        let nfs = served.gateway.address().port();
        let mut client = Client::connect(loopback(nfs)).await;
        let list = client.call(&DumpArgs {}).await;
        let list = DumpResult::from_bytes(&list).unwrap();
        let is_portmap = |mapping: &Mapping| mapping.program == Program::Portmap.number();
        let portmap = list.mappings.iter().find(is_portmap).unwrap();
        let at = loopback(u16::try_from(portmap.port).unwrap());
        let wanted = GetPortArgs {
            mapping: Mapping {
                program: Program::Mount.number(),
                version: Program::Mount.version(),
                transport: Transport::UDP,
                port: 0,
            },
        };
        let mut mapper = Client::connect(at).await;
        let over_tcp = mapper.call(&wanted).await;
        let (status, over_udp) = datagram(at, &wanted).await;
        assert_eq!(status, ReplyStatus::Success);
        for answer in [over_tcp, over_udp] {
            assert_eq!(u32::from_bytes(&answer), Ok(u32::from(nfs)));
        }
    }
}
