//! Random operations against a model, with sessions that end at any time and gateways that are lost.

mod common;

use common::*;
use sluice_types::{FsError, InodeId, Stability};

#[tokio::test]
async fn a_file_is_what_was_written_through_whichever_gateway() {
    for seed in 1..=6 {
        let cluster = Cluster::new().await;
        let rng = SeededRng::new(seed);
        let config = |rng: &SeededRng| match rng.below(2) {
            0 => quiet(),
            _ => restless(),
        };
        let mut gateway = cluster.gateway(config(&rng)).await;
        let inode = gateway.make("f").await.id;
        let mut model = Model::default();
        for round in 0..250 {
            step(&gateway, &rng, inode, &mut model, round).await;
            if rng.below(30) == 0 {
                if rng.below(2) == 0 {
                    gateway.vfs.shutdown().await.unwrap();
                }
                drop(gateway);
                gateway = cluster.gateway(config(&rng)).await;
            }
        }
        assert!(gateway.bytes(inode).await == model.bytes, "seed {seed}");
    }
}

/// Each writer owns every eighth block of the file; truncations go to the end of the shortest state the
/// writers could have made, so they cut nothing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn parallel_writers_and_readers_of_one_file_see_their_own_and_nothing_torn() {
    const BLOCK: u64 = 4096;
    const WRITERS: u64 = 8;
    let cluster = Cluster::new().await;
    let gateway = cluster.gateway(restless()).await;
    let inode = gateway.make("f").await.id;
    gateway.set_size(inode, WRITERS * 8 * BLOCK).await.unwrap();
    let writer = |writer: u64| {
        let gateway = gateway.clone();
        async move {
            for round in 1..=12_u8 {
                for slot in 0..8 {
                    let at = (slot * WRITERS + writer) * BLOCK;
                    let data = vec![round; BLOCK as usize];
                    gateway.write(inode, at, &data, Stability::Unstable).await;
                    let read = gateway.read(inode, at, BLOCK as u32).await;
                    assert!(read.payload.to_contiguous() == data, "its own last write");
                }
                if round % 4 == 0 {
                    tokio::time::sleep(std::time::Duration::from_millis(4)).await;
                }
            }
        }
    };
    let grower = {
        let gateway = gateway.clone();
        async move {
            for extra in 1..20 {
                let size = (WRITERS * 8 + extra) * BLOCK;
                gateway.set_size(inode, size).await.unwrap();
                tokio::time::sleep(std::time::Duration::from_millis(1)).await;
            }
        }
    };
    let mut tasks: Vec<_> = (0..WRITERS)
        .map(|number| tokio::spawn(writer(number)))
        .collect();
    tasks.push(tokio::spawn(grower));
    for task in tasks {
        task.await.unwrap();
    }
    let bytes = gateway.bytes(inode).await;
    let (written, grown) = bytes.split_at((WRITERS * 8 * BLOCK) as usize);
    assert!(written.iter().all(|&byte| byte == 12));
    assert!(grown.iter().all(|&byte| byte == 0));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn files_come_and_go_while_they_are_written() {
    let cluster = Cluster::new().await;
    let gateway = cluster.gateway(restless()).await;
    let worker = |seed: u64| {
        let gateway = gateway.clone();
        async move {
            let rng = SeededRng::new(seed);
            for round in 0..60 {
                let file = format!("f{}", rng.below(5));
                match gateway.find(&file).await {
                    Err(FsError::NotFound) => {
                        let how = sluice_wire::meta::CreateHow::Unchecked(Default::default());
                        let create =
                            gateway
                                .vfs
                                .create(&gateway.caller, InodeId::ROOT, name(&file), how);
                        create.await.unwrap();
                    }
                    Err(error) => panic!("{error}"),
                    Ok(node) => {
                        let data = pattern(round, 1000);
                        let write = gateway
                            .try_write(node.id, 0, &data, Stability::Unstable)
                            .await;
                        assert!(matches!(write, Ok(_) | Err(FsError::Stale)), "{write:?}");
                        if rng.below(2) == 0 {
                            let remove =
                                gateway
                                    .vfs
                                    .remove(&gateway.caller, InodeId::ROOT, name(&file));
                            let removed = remove.await.map(drop);
                            assert!(matches!(removed, Ok(()) | Err(FsError::NotFound)));
                        }
                    }
                }
            }
        }
    };
    let tasks: Vec<_> = (0..6).map(|seed| tokio::spawn(worker(seed))).collect();
    for task in tasks {
        task.await.unwrap();
    }
    gateway.vfs.shutdown().await.unwrap();
}
