//! Clients that ask for much and take no replies are made to wait; the memory that they cost is bounded, and others
//! are served meanwhile.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use sluice_proto_nfs::nfs3::{DirectoryEntryName, FileHandle, FileName, LookupArgs, ReadArgs};
use sluice_proto_nfs::rpc::{AuthSys, Credential, encode_call};
use sluice_tests::cluster::{Cluster, Shape};
use sluice_tests::effort;
use sluice_tests::nfs_client::files::{make_file, pattern_at, read_all, write_all};
use tokio::net::TcpSocket;
use tokio::sync::Mutex;

/// What a gateway sets aside by default for calls and replies in work (`limits.in_flight_memory`), of which one
/// client gets a quarter (`gateway/nfs/src/limits.rs`); and for its cache (`cache.memory`).
const IN_FLIGHT_BYTES: u64 = 512 << 20;
const SHARE_BYTES: u64 = IN_FLIGHT_BYTES / 4;
const CACHE_BYTES: u64 = 256 << 20;

/// Buffers of storage in the same process, tasks, what the allocator keeps.
const MARGIN_BYTES: u64 = 64 << 20;

/// More than the cache holds, so that replies do not share its blocks.
const FILE_BYTES: u64 = CACHE_BYTES + (64 << 20);
const READ_BYTES: u32 = 1 << 20;

/// Each could have 64 MiB in work if it were alone.
const CONNECTIONS: usize = 32;

/// Calls that a flooding connection would send, and how long it waits until it takes it that it may not.
const CALLS: u32 = 200_000;
const MADE_TO_WAIT: Duration = Duration::from_secs(2);

const PATIENCE: Duration = Duration::from_secs(10);

/// How long a flood may take to fill what it is allowed, and how long after its last growth it is taken as full.
const RISING_MAX: Duration = Duration::from_secs(30);
const FULL_AFTER: Duration = Duration::from_secs(2);

/// Two floods at a time would take the machine from each other.
static ONE_AT_A_TIME: Mutex<()> = Mutex::const_new(());

#[tokio::test]
async fn from_one_address_costs_no_more_than_its_share() {
    for shape in effort::shapes() {
        flood_from(shape, 1, SHARE_BYTES).await;
    }
}

#[tokio::test]
async fn from_many_addresses_costs_no_more_than_is_set_aside_for_all() {
    for shape in effort::shapes() {
        flood_from(shape, 4, IN_FLIGHT_BYTES).await;
    }
}

async fn flood_from(shape: Shape, addresses: u8, budget_bytes: u64) {
    let _one_at_a_time = ONE_AT_A_TIME.lock().await;
    let mut cluster = Cluster::start(shape).unwrap();
    let (client, root) = cluster.client().await.unwrap();
    let file = make_file(&client, root, "large").await.unwrap();
    for offset in (0..FILE_BYTES).step_by(64 << 20) {
        let piece = pattern_at(offset, 64 << 20);
        write_all(&client, file, offset, &piece).await.unwrap();
    }
    // Without what the allocator keeps of the writes, out of which the flood could be served.
    cluster.terminate().unwrap();
    cluster.start_all().unwrap();
    let before = cluster.gateway().resident_bytes().unwrap();
    let mut floods = Vec::new();
    for number in 0..CONNECTIONS {
        let last = number as u8 % addresses + 1;
        let stream = connect_from(&cluster, Ipv4Addr::new(127, 0, 0, last)).await;
        floods.push(std::thread::spawn(move || {
            flood(stream, number as u32, file, root)
        }));
    }
    let (grown, in_work) = watch(&cluster, before, budget_bytes / 2).await;
    println!("{addresses} addresses: {grown} bytes more, {in_work} bytes in work");
    let bound = budget_bytes + CACHE_BYTES + MARGIN_BYTES;
    assert!(grown < bound, "memory grew by {grown} bytes");
    assert!(in_work <= budget_bytes, "{in_work} bytes were in work");
    assert!(in_work > budget_bytes / 2, "that was no flood: {in_work}");
    assert_served(&cluster, "meanwhile").await;
    let sent: Vec<u32> = floods
        .into_iter()
        .map(|flood| flood.join().unwrap().0)
        .collect();
    assert!(
        sent.iter().all(|sent| *sent < CALLS),
        "a client was never made to wait: {sent:?}"
    );
    assert_served(&cluster, "after").await;
    cluster.assert_alive();
    cluster.terminate().unwrap();
}

/// The most that the gateway's memory grew, and that it says is in work, until that is `enough` and grows no more.
async fn watch(cluster: &Cluster, before: u64, enough: u64) -> (u64, u64) {
    let (mut grown, mut in_work) = (0, 0);
    let begun = Instant::now();
    let mut last_growth = begun;
    while begun.elapsed() < RISING_MAX && (in_work <= enough || last_growth.elapsed() < FULL_AFTER)
    {
        tokio::time::sleep(Duration::from_millis(250)).await;
        let now = cluster.gateway().resident_bytes().unwrap();
        grown = grown.max(now.saturating_sub(before));
        let metrics = cluster.metrics().unwrap();
        let now_in_work = metrics.sum("sluice_nfs_in_flight_bytes", &[]) as u64;
        if now_in_work > in_work {
            (in_work, last_growth) = (now_in_work, Instant::now());
        }
    }
    (grown, in_work)
}

/// A client that does what it should is served, promptly.
async fn assert_served(cluster: &Cluster, name: &str) {
    let begun = Instant::now();
    let (client, root) = cluster.client().await.unwrap();
    let file = make_file(&client, root, name).await.unwrap();
    write_all(&client, file, 0, b"still served").await.unwrap();
    let data = read_all(&client, file, 0, 100).await.unwrap();
    assert_eq!(data, b"still served");
    let took = begun.elapsed();
    assert!(took < PATIENCE, "served only after {took:?}");
}

/// A connection to the NFS port that comes from `address`.
async fn connect_from(cluster: &Cluster, address: Ipv4Addr) -> TcpStream {
    let socket = cluster.network().enter(TcpSocket::new_v4).unwrap().unwrap();
    socket
        .bind(SocketAddr::new(IpAddr::V4(address), 0))
        .unwrap();
    let stream = socket.connect(cluster.nfs_address()).await.unwrap();
    let stream = stream.into_std().unwrap();
    stream.set_nonblocking(false).unwrap();
    stream
}

/// Sends READs of 1 MiB and reads nothing: how many until it was made to wait. The connection stays, and what came over it
/// goes on.
fn flood(
    mut stream: TcpStream,
    connection: u32,
    file: FileHandle,
    root: FileHandle,
) -> (u32, TcpStream) {
    use std::io::Write as _;
    stream.set_write_timeout(Some(MADE_TO_WAIT)).unwrap();
    for number in 0..CALLS {
        // Calls that are the same but for their connection would be served once for all.
        let xid = connection << 24 | number;
        let message = message(xid, file, root);
        let marker = (1u32 << 31 | message.len() as u32).to_be_bytes();
        if stream.write_all(&[&marker[..], &message].concat()).is_err() {
            return (number, stream);
        }
    }
    (CALLS, stream)
}

/// A READ of somewhere, now and then a LOOKUP.
fn message(xid: u32, file: FileHandle, root: FileHandle) -> Vec<u8> {
    let credential = Credential::Sys(AuthSys::default());
    if xid % 50 == 49 {
        let what = DirectoryEntryName {
            directory: root,
            name: FileName::new(b"large").unwrap(),
        };
        return encode_call(xid, credential, &LookupArgs { what });
    }
    let places = FILE_BYTES / u64::from(READ_BYTES);
    let place = u64::from(xid).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32;
    let read = ReadArgs {
        file,
        offset: place % places * u64::from(READ_BYTES),
        count: READ_BYTES,
    };
    encode_call(xid, credential, &read)
}
