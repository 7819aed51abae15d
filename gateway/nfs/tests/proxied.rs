//! Connections that a load balancer passes on, with the PROXY protocol.

mod support;

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use sluice_gateway_nfs::{Limits, NfsConfig};
use sluice_proto_nfs::mount::{DirectoryPath, MountArgs, MountResult, MountStatus};
use sluice_proto_nfs::nfs3::{GetAttrArgs, GetAttrResult, nfsstat3};
use sluice_proto_nfs::xdr::Decode;
use sluice_vfs::{Export, Exports};
use support::{Client, Served, config};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

const SIGNATURE: &[u8] = b"\r\n\r\n\0\r\nQUIT\n";

/// The header of a client over IPv4.
fn header(client: SocketAddr) -> Vec<u8> {
    let IpAddr::V4(address) = client.ip() else {
        panic!("an IPv4 address");
    };
    let port = client.port().to_be_bytes();
    let head = [SIGNATURE, &[0x21, 0x11, 0, 12]].concat();
    [&head[..], &address.octets(), &[10, 0, 0, 9], &port, &[8, 1]].concat()
}

/// A gateway that takes this machine for a load balancer, and serves 10.1.0.0/16.
async fn behind_proxy(limits: Limits, export: Export) -> Served {
    let config = NfsConfig {
        proxy_protocol_from: vec!["127.0.0.1/32".parse().unwrap()],
        limits,
        ..config()
    };
    let export = Export {
        networks: vec!["10.1.0.0/16".parse().unwrap()],
        ..export
    };
    Served::with_config(config, Exports::new(vec![export]).unwrap()).await
}

async fn passed_on(served: &Served, client: &str) -> Client {
    let mut connection = served.client().await;
    let header = header(client.parse().unwrap());
    connection.stream.write_all(&header).await.unwrap();
    connection
}

async fn mount(client: &mut Client) -> Result<(), MountStatus> {
    let path = DirectoryPath::new(b"/").unwrap();
    let reply = client.call(&MountArgs { path }).await;
    MountResult::from_bytes(&reply).unwrap().map(drop)
}

async fn is_closed(stream: &mut TcpStream) -> bool {
    let mut bytes = [0; 16];
    let read = stream.read(&mut bytes);
    let read = tokio::time::timeout(std::time::Duration::from_secs(10), read);
    matches!(read.await.unwrap(), Ok(0) | Err(_))
}

#[tokio::test]
async fn exports_are_for_the_networks_of_clients_and_not_of_the_proxy() {
    let served = behind_proxy(Limits::default(), Export::default()).await;
    let mut friend = passed_on(&served, "10.1.2.3:800").await;
    assert_eq!(mount(&mut friend).await, Ok(()));
    let root = friend.mount("/").await;
    let mut stranger = passed_on(&served, "10.2.2.3:800").await;
    let denied = Err(MountStatus::AccessDenied);
    assert_eq!(mount(&mut stranger).await, denied);
    // Nor with a handle that somebody else got.
    let results = stranger.call(&GetAttrArgs { object: root }).await;
    let refused = GetAttrResult::from_bytes(&results).unwrap().unwrap_err();
    assert!(matches!(refused.status, nfsstat3::NFS3ERR_ACCES));
    // A health check is the proxy's own: it is answered, and may mount nothing.
    let mut check = served.client().await;
    let local = [SIGNATURE, &[0x20, 0x00, 0, 0]].concat();
    check.stream.write_all(&local).await.unwrap();
    assert_eq!(mount(&mut check).await, denied);
}

#[tokio::test]
async fn a_privileged_port_is_the_clients() {
    let export = Export {
        privileged_ports_only: true,
        ..Export::default()
    };
    let served = behind_proxy(Limits::default(), export).await;
    let mut root = passed_on(&served, "10.1.2.3:1023").await;
    assert_eq!(mount(&mut root).await, Ok(()));
    let handle = root.mount("/").await;
    let mut user = passed_on(&served, "10.1.2.3:1024").await;
    assert_eq!(mount(&mut user).await, Err(MountStatus::AccessDenied));
    let results = user.call(&GetAttrArgs { object: handle }).await;
    let refused = GetAttrResult::from_bytes(&results).unwrap().unwrap_err();
    assert!(matches!(refused.status, nfsstat3::NFS3ERR_ACCES));
}

#[tokio::test]
async fn a_proxy_has_to_say_whose_connection_it_is() {
    let served = behind_proxy(Limits::default(), Export::default()).await;
    let mut without = served.client().await;
    let path = DirectoryPath::new(b"/").unwrap();
    without.send(&MountArgs { path }).await;
    assert!(is_closed(&mut without.stream).await);
    let mut odd = served.client().await;
    let version_3 = [SIGNATURE, &[0x31, 0x11, 0, 12], &[0; 12]].concat();
    odd.stream.write_all(&version_3).await.unwrap();
    assert!(is_closed(&mut odd.stream).await);
}

#[tokio::test]
async fn nobody_else_says_who_they_are() {
    let served = Served::with_config(config(), Exports::default()).await;
    let mut liar = passed_on(&served, "10.1.2.3:800").await;
    assert!(is_closed(&mut liar.stream).await);
    let mut honest = served.client().await;
    assert_eq!(mount(&mut honest).await, Ok(()));
}

/// One client behind it that takes its whole share leaves the proxy's other clients theirs.
#[tokio::test]
async fn a_proxy_is_not_limited_as_one_client() {
    let limits = Limits {
        connections_max: 16,
        ..Limits::default()
    };
    let served = behind_proxy(limits, Export::default()).await;
    let mut kept = Vec::new();
    for _ in 0..12 {
        let mut client = passed_on(&served, "10.1.0.1:800").await;
        assert_eq!(mount(&mut client).await, Ok(()));
        kept.push(client);
    }
    let mut over = passed_on(&served, "10.1.0.1:800").await;
    assert!(is_closed(&mut over.stream).await);
    for last in 2..=5 {
        let address = Ipv4Addr::new(10, 1, 0, last);
        let mut client = passed_on(&served, &format!("{address}:800")).await;
        assert_eq!(mount(&mut client).await, Ok(()), "{address}");
        kept.push(client);
    }
}
