//! What one client may take of the places for connections.

mod support;

use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use sluice_gateway_nfs::Limits;
use support::{Client, Served};

const FIRST: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 1));
const SECOND: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2));

/// Connections from an address until one is not served.
async fn connect_all(from: IpAddr, served: &Served) -> Vec<Client> {
    let mut connected = Vec::new();
    loop {
        let mut client = Client::connect_from(from, served.gateway.address()).await;
        client.send_numbers(100_003, 3, 0, &[]).await;
        if client.reply().await.is_none() {
            return connected;
        }
        connected.push(client);
    }
}

#[tokio::test]
async fn idle_connections_of_one_address_leave_places_for_others() {
    let limits = Limits {
        connections_max: 8,
        ..Limits::default()
    };
    let served = Served::with_limits(limits).await;
    let first = connect_all(FIRST, &served).await;
    assert_eq!(first.len(), 6);
    let mut second = connect_all(SECOND, &served).await;
    assert_eq!(second.len(), 2);
    drop(first);
    for _ in 0..100 {
        second.extend(connect_all(SECOND, &served).await);
        if second.len() == 6 {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("of places that were left, {} are had", second.len() - 2);
}
