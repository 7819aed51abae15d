//! What no decent client sends: it gets a clear error or a closed connection, is counted, costs no more memory than
//! was set aside, and others are served meanwhile. (Of floods there is `flood.rs`.)

use std::collections::BTreeSet;
use std::net::TcpStream;
use std::time::{Duration, Instant};

use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use sluice_proto_nfs::nfs3::{CreateHow, FileHandle, Procedure, StableHow, nfsstat3};
use sluice_proto_nfs::rpc::{AuthStatus, CallHeader, Credential, OpaqueAuth, Program, ReplyStatus};
use sluice_proto_nfs::xdr::{Encode as _, Encoder};
use sluice_tests::cluster::Cluster;
use sluice_tests::effort;
use sluice_tests::nfs_client::files::{make_file, read_all, with_mode, write_all};
use sluice_tests::nfs_client::{Answer, NfsClient, NfsError, RawConnection};

const PATIENCE: Duration = Duration::from_secs(10);

/// What an idle connection may cost a gateway, in bytes.
const IDLE_CONNECTION_BYTES_MAX: u64 = 16 << 10;

fn raw(cluster: &Cluster) -> RawConnection {
    let address = cluster.nfs_address();
    cluster
        .network()
        .enter(|| RawConnection::connect(address))
        .unwrap()
        .unwrap()
}

/// A client that does what it should is served, promptly.
async fn assert_served(cluster: &Cluster, name: &str) {
    let begun = Instant::now();
    let (client, root) = cluster.client().await.unwrap();
    let file = make_file(&client, root, name).await.unwrap();
    write_all(&client, file, 0, b"still served").await.unwrap();
    let data = read_all(&client, file, 0, 100).await.unwrap();
    assert_eq!(data, b"still served");
    assert!(
        begun.elapsed() < PATIENCE,
        "served only after {:?}",
        begun.elapsed()
    );
}

fn malformed(cluster: &Cluster) -> f64 {
    cluster
        .metrics()
        .unwrap()
        .sum("sluice_nfs_malformed_total", &[])
}

#[tokio::test]
async fn random_bytes_and_half_records() {
    for shape in effort::shapes() {
        let mut cluster = Cluster::start(shape).unwrap();
        let mut random = StdRng::seed_from_u64(effort::seed());
        let before = malformed(&cluster);
        let mut open = Vec::new();
        for number in 0..300 {
            let mut connection = raw(&cluster);
            let mut bytes = vec![0; random.random_range(1..65_536)];
            random.fill(&mut bytes[..]);
            match number % 3 {
                0 => {
                    connection.send(&bytes);
                }
                1 => {
                    // A record that never ends.
                    connection.send(&(1u32 << 31 | 100_000).to_be_bytes());
                    connection.send(&bytes[..bytes.len().min(99_000)]);
                }
                _ => {
                    connection.send_record(&bytes);
                }
            }
            open.push(connection);
        }
        assert_served(&cluster, "among-random-bytes").await;
        assert!(malformed(&cluster) > before, "nothing was counted");
        drop(open);
        assert_served(&cluster, "after-random-bytes").await;
        cluster.assert_alive();
        cluster.terminate().unwrap();
    }
}

#[tokio::test]
async fn a_record_of_2_gib_is_refused_before_memory_is_taken() {
    for shape in effort::shapes() {
        let mut cluster = Cluster::start(shape).unwrap();
        let before = cluster.gateway().resident_bytes().unwrap();
        let mut open: Vec<RawConnection> = (0..100).map(|_| raw(&cluster)).collect();
        for connection in &mut open {
            connection.send(&u32::MAX.to_be_bytes());
            connection.send(&[0; 4096]);
            assert_eq!(connection.answer(PATIENCE).unwrap(), Answer::Closed);
        }
        // In many small fragments, too.
        let mut connection = raw(&cluster);
        let fragments: Vec<u8> = (0..50_000).flat_map(|_| [0, 0, 0, 0]).collect();
        connection.send(&fragments);
        assert_eq!(connection.answer(PATIENCE).unwrap(), Answer::Closed);
        let grown = cluster
            .gateway()
            .resident_bytes()
            .unwrap()
            .saturating_sub(before);
        assert!(grown < 64 << 20, "memory grew by {grown} bytes");
        assert!(
            malformed(&cluster) >= 101.0,
            "{} were counted",
            malformed(&cluster)
        );
        cluster.assert_alive();
        cluster.terminate().unwrap();
    }
}

/// A call's header with everything else empty.
fn header(xid: u32, program: u32, version: u32, procedure: u32) -> Vec<u8> {
    let header = CallHeader {
        xid,
        program,
        version,
        procedure,
        credential: Credential::None,
        verifier: OpaqueAuth::none(),
    };
    header.to_bytes()
}

async fn refusal(client: &NfsClient, message: &[u8]) -> ReplyStatus {
    let xid = u32::from_be_bytes(*message.first_chunk().unwrap());
    match client.connection().exchange(xid, message).await {
        Err(NfsError::Refused(status)) => status,
        other => panic!("{other:?} to {message:?}"),
    }
}

#[tokio::test]
async fn wrong_versions_programs_procedures_and_credentials() {
    for shape in effort::shapes() {
        let mut cluster = Cluster::start(shape).unwrap();
        let (client, _) = cluster.client().await.unwrap();
        let nfs = Program::Nfs.number();
        let only_3 = ReplyStatus::ProgramMismatch { low: 3, high: 3 };
        for version in [0, 2, 4, u32::MAX] {
            assert_eq!(refusal(&client, &header(1, nfs, version, 0)).await, only_3);
        }
        let unknown = header(2, 400_000, 1, 0);
        assert_eq!(
            refusal(&client, &unknown).await,
            ReplyStatus::ProgramUnavailable
        );
        let unknown = header(3, nfs, 3, 22);
        assert_eq!(
            refusal(&client, &unknown).await,
            ReplyStatus::ProcedureUnavailable
        );
        for procedure in Procedure::ALL
            .iter()
            .filter(|procedure| **procedure != Procedure::Null)
        {
            let empty = header(4, nfs, 3, procedure.number());
            let status = refusal(&client, &empty).await;
            // With no credential, either fault may be seen first.
            let right = matches!(
                status,
                ReplyStatus::GarbageArguments | ReplyStatus::AuthError(_)
            );
            assert!(right, "{procedure:?}: {status:?}");
        }
        let mut other_rpc = header(5, nfs, 3, 0);
        other_rpc[11] = 3;
        assert_eq!(
            refusal(&client, &other_rpc).await,
            ReplyStatus::RpcMismatch { low: 2, high: 2 }
        );
        let mut kerberos = header(6, nfs, 3, 0);
        kerberos[27] = 6; // RPCSEC_GSS
        let status = refusal(&client, &kerberos).await;
        let rejected = [AuthStatus::RejectedCredential, AuthStatus::TooWeak];
        let right = matches!(status, ReplyStatus::AuthError(why) if rejected.contains(&why));
        assert!(right, "{status:?}");
        cluster.assert_alive();
        cluster.terminate().unwrap();
    }
}

fn is_refused_as_handle(error: &NfsError) -> bool {
    matches!(
        error.status(),
        Some(nfsstat3::NFS3ERR_BADHANDLE | nfsstat3::NFS3ERR_STALE)
    )
}

#[tokio::test]
async fn forged_and_foreign_handles() {
    for shape in effort::shapes() {
        let mut cluster = Cluster::start(shape).unwrap();
        let other = Cluster::start(shape).unwrap();
        let (client, root) = cluster.client().await.unwrap();
        let (_, foreign) = other.client().await.unwrap();
        let file = make_file(&client, root, "file").await.unwrap();
        let mut forged = vec![foreign];
        for position in 0..file.as_bytes().len() {
            for bit in [0, 3, 7] {
                let mut bytes = file.as_bytes().to_vec();
                bytes[position] ^= 1 << bit;
                forged.push(FileHandle::new(&bytes).unwrap());
            }
        }
        for length in 0..=64 {
            forged.push(FileHandle::new(&vec![0xab; length]).unwrap());
            let cut = file.as_bytes().len().min(length);
            if cut < file.as_bytes().len() {
                forged.push(FileHandle::new(&file.as_bytes()[..cut]).unwrap());
            }
        }
        for handle in forged {
            let errors = [
                client.getattr(handle).await.map(drop).unwrap_err(),
                client.read(handle, 0, 10).await.map(drop).unwrap_err(),
                client
                    .write(handle, 0, b"x", StableHow::FileSync)
                    .await
                    .map(drop)
                    .unwrap_err(),
                client.lookup(handle, b"file").await.map(drop).unwrap_err(),
                client.remove(handle, b"file").await.map(drop).unwrap_err(),
                client
                    .rename((root, b"file"), (handle, b"x"))
                    .await
                    .map(drop)
                    .unwrap_err(),
                client.link(file, handle, b"x").await.map(drop).unwrap_err(),
            ];
            for error in errors {
                assert!(is_refused_as_handle(&error), "{handle:?}: {error}");
            }
        }
        assert_eq!(client.getattr(file).await.unwrap().size, 0);
        let errors = cluster.metrics().unwrap();
        assert!(errors.sum("sluice_nfs_errors_total", &[]) > 0.0);
        cluster.assert_alive();
        cluster.terminate().unwrap();
    }
}

#[tokio::test]
async fn names_that_no_file_can_have() {
    for shape in effort::shapes() {
        let mut cluster = Cluster::start(shape).unwrap();
        let (client, root) = cluster.client().await.unwrap();
        let file = make_file(&client, root, "file").await.unwrap();
        let long = vec![b'n'; 256];
        let huge = vec![b'n'; 8000];
        let names: [&[u8]; 9] = [
            b"", b"/", b"a/b", b"../x", b"a\0b", b"\0", b".", &long, &huge,
        ];
        for name in names {
            let is_long = name.len() > 255;
            let outcomes = [
                client
                    .create(root, name, CreateHow::Unchecked(with_mode(0o644)))
                    .await
                    .map(drop),
                client
                    .create(root, name, CreateHow::Exclusive([1; 8]))
                    .await
                    .map(drop),
                client.mkdir(root, name, with_mode(0o755)).await.map(drop),
                client
                    .symlink(root, name, b"target", with_mode(0o777))
                    .await
                    .map(drop),
                client.remove(root, name).await.map(drop),
                client.rmdir(root, name).await.map(drop),
                client.rename((root, b"file"), (root, name)).await.map(drop),
                client
                    .rename((root, name), (root, b"other"))
                    .await
                    .map(drop),
                client.link(file, root, name).await.map(drop),
            ];
            for outcome in outcomes {
                let error = outcome.unwrap_err();
                let status = error.status().unwrap_or_else(|| panic!("{error}"));
                let right = match status {
                    nfsstat3::NFS3ERR_NAMETOOLONG => is_long,
                    nfsstat3::NFS3ERR_INVAL
                    | nfsstat3::NFS3ERR_ACCES
                    | nfsstat3::NFS3ERR_NOENT
                    | nfsstat3::NFS3ERR_EXIST
                    | nfsstat3::NFS3ERR_ISDIR => !is_long,
                    _ => false,
                };
                assert!(right, "{}: {error}", name.escape_ascii());
            }
        }
        let listed = client.list(root, 65_536).await.unwrap();
        let names: BTreeSet<_> = listed.iter().map(|entry| entry.name.as_slice()).collect();
        assert_eq!(names, BTreeSet::from([&b"file"[..]]));
        // Longer than the gateway takes from the wire at all.
        let mut encoder = Encoder::new();
        root.encode(&mut encoder);
        encoder.opaque(&vec![b'n'; 100_000]);
        let mut message = header(7, Program::Nfs.number(), 3, Procedure::Lookup.number());
        message.extend_from_slice(encoder.as_bytes());
        let status = refusal(&client, &message).await;
        let right = matches!(
            status,
            ReplyStatus::GarbageArguments | ReplyStatus::AuthError(_)
        );
        assert!(right, "{status:?}");
        cluster.assert_alive();
        cluster.terminate().unwrap();
    }
}

#[tokio::test]
async fn ten_thousand_idle_connections() {
    for shape in effort::shapes() {
        const CONNECTIONS: u64 = 10_000;
        let limit = getrlimit(Resource::Nofile);
        let raised = Rlimit {
            current: limit.maximum,
            ..limit
        };
        setrlimit(Resource::Nofile, raised).unwrap();
        let mut cluster = Cluster::start(shape).unwrap();
        assert_served(&cluster, "before").await;
        let before = cluster.gateway().resident_bytes().unwrap();
        let address = cluster.nfs_address();
        let open: Vec<TcpStream> = cluster
            .network()
            .enter(|| {
                (0..CONNECTIONS)
                    .map(|_| TcpStream::connect(address).unwrap())
                    .collect()
            })
            .unwrap();
        assert_served(&cluster, "meanwhile").await;
        let counted = cluster
            .metrics()
            .unwrap()
            .sum("sluice_nfs_connections", &[]);
        assert!(
            counted >= CONNECTIONS as f64,
            "{counted} connections are counted"
        );
        let grown = cluster
            .gateway()
            .resident_bytes()
            .unwrap()
            .saturating_sub(before);
        println!("{} bytes an idle connection", grown / CONNECTIONS);
        assert!(
            grown < CONNECTIONS * IDLE_CONNECTION_BYTES_MAX,
            "memory grew by {grown} bytes"
        );
        drop(open);
        assert_served(&cluster, "after").await;
        cluster.assert_alive();
        cluster.terminate().unwrap();
    }
}
