//! Two gateways of one cluster: what one was told of is what the other shows.

mod common;

use common::{Cluster, Gateway, name, pattern, quiet, restless};
use sluice_types::{FsError, InodeId, SetAttributes, Stability};

const ROUNDS: u64 = 200;

async fn two(cluster: &Cluster) -> [Gateway; 2] {
    [
        cluster.gateway_of("a", quiet()).await,
        cluster.gateway_of("b", quiet()).await,
    ]
}

#[tokio::test]
async fn what_was_written_here_is_read_there() {
    let cluster = Cluster::new().await;
    let [a, b] = two(&cluster).await;
    let file = a.make("file").await.id;
    for round in 0..ROUNDS {
        let (writer, reader) = match round % 3 {
            0 => (&b, &a),
            _ => (&a, &b),
        };
        let data = pattern(round, 5000);
        let stability = match round % 2 {
            0 => Stability::Unstable,
            _ => Stability::FileSync,
        };
        let written = writer.write(file, round * 10, &data, stability).await;
        let seen = reader.node(file).await;
        assert_eq!(
            seen.attributes.size_bytes, written.after.attributes.size_bytes,
            "round {round}"
        );
        assert_eq!(seen.attributes.modified, written.after.attributes.modified);
        let read = reader.read(file, round * 10, 5000).await;
        assert_eq!(read.payload.to_contiguous(), data, "round {round}");
    }
}

#[tokio::test]
async fn what_is_served_from_memory_is_right_too() {
    let cluster = Cluster::new().await;
    let [a, b] = two(&cluster).await;
    let file = a.make("file").await.id;
    let mut expected = pattern(1, 100_000);
    a.write(file, 0, &expected, Stability::FileSync).await;
    for round in 0..20_usize {
        assert_eq!(b.bytes(file).await, expected);
        let reads = cluster
            .storage
            .reads
            .load(std::sync::atomic::Ordering::SeqCst);
        assert_eq!(b.bytes(file).await, expected);
        assert_eq!(a.bytes(file).await, expected);
        assert_eq!(b.bytes(file).await, expected);
        if round > 0 {
            assert!(
                cluster
                    .storage
                    .reads
                    .load(std::sync::atomic::Ordering::SeqCst)
                    <= reads + 4,
                "not from memory"
            );
        }
        let at = round * 4000;
        let data = pattern(round as u64, 3000);
        expected[at..at + 3000].copy_from_slice(&data);
        a.write(file, at as u64, &data, Stability::FileSync).await;
    }
}

#[tokio::test]
async fn names_made_and_removed_here_come_and_go_there() {
    let cluster = Cluster::new().await;
    let [a, b] = two(&cluster).await;
    for round in 0..ROUNDS {
        let (here, there) = if round % 2 == 0 { (&a, &b) } else { (&b, &a) };
        assert_eq!(there.find("name").await, Err(FsError::NotFound));
        let made = here.make("name").await;
        assert_eq!(there.find("name").await.unwrap().id, made.id);
        let moved = here.vfs.rename(
            &here.caller,
            InodeId::ROOT,
            name("name"),
            InodeId::ROOT,
            name("other"),
        );
        moved.await.unwrap();
        assert_eq!(there.find("name").await, Err(FsError::NotFound));
        assert_eq!(there.find("other").await.unwrap().id, made.id);
        there.remove("other").await;
        assert_eq!(here.find("other").await, Err(FsError::NotFound));
        let gone = here.vfs.get_node(&here.caller, made.id).await;
        assert_eq!(gone, Err(FsError::Stale));
    }
}

#[tokio::test]
async fn a_file_written_here_is_cut_and_changed_there() {
    let cluster = Cluster::new().await;
    let [a, b] = two(&cluster).await;
    let file = a.make("file").await.id;
    for round in 0..50 {
        let data = pattern(round, 10_000);
        a.write(file, 0, &data, Stability::Unstable).await;
        let cut = b.set_size(file, 3000).await.unwrap();
        assert_eq!(cut.attributes.size_bytes, 3000);
        assert_eq!(a.node(file).await.attributes.size_bytes, 3000);
        assert_eq!(a.bytes(file).await, &data[..3000]);
        let grown = a.set_size(file, 6000).await.unwrap();
        assert_eq!(grown.attributes.size_bytes, 6000);
        let mut expected = data[..3000].to_vec();
        expected.resize(6000, 0);
        assert_eq!(b.bytes(file).await, expected);
        let mode = SetAttributes {
            mode: Some(sluice_types::Mode::new(0o600 + (round as u32 % 8))),
            ..SetAttributes::default()
        };
        let set = b.vfs.set_attributes(&b.caller, file, mode, None);
        let set = set.await.unwrap().after;
        assert_eq!(a.node(file).await.attributes, set.attributes);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn writers_on_both_sides_lose_nothing() {
    let cluster = Cluster::new().await;
    let gateways = [
        cluster.gateway_of("a", restless()).await,
        cluster.gateway_of("b", restless()).await,
    ];
    let file = gateways[0].make("file").await.id;
    const SLOT: usize = 100;
    let writers = gateways
        .iter()
        .cloned()
        .enumerate()
        .map(|(number, gateway)| {
            tokio::spawn(async move {
                for round in 0..100_usize {
                    let slot = round * 2 + number;
                    let data = pattern(slot as u64, SLOT);
                    let at = (slot * SLOT) as u64;
                    loop {
                        let written = gateway.try_write(file, at, &data, Stability::Unstable);
                        match written.await {
                            Ok(_) => break,
                            Err(error) => assert!(error.is_transient(), "{error}"),
                        }
                    }
                }
            })
        });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    let expected: Vec<u8> = (0..200).flat_map(|slot| pattern(slot, SLOT)).collect();
    for gateway in &gateways {
        assert_eq!(gateway.bytes(file).await, expected);
    }
}
