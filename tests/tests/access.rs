//! ACCESS answers what the operations themselves then do, whoever asks and whatever the mode.

use sluice_proto_nfs::nfs3::{
    CreateHow, FileHandle, SetAttributes, StableHow, access_bits, nfsstat3,
};
use sluice_tests::cluster::{Cluster, Shape};
use sluice_tests::nfs_client::files::{make_dir, make_file, with_mode};
use sluice_tests::nfs_client::{NfsClient, NfsError, User};

const OWNER: u32 = 1001;
const GROUP: u32 = 2001;

const CHANGE_ENTRIES: u32 = access_bits::MODIFY | access_bits::EXTEND | access_bits::DELETE;
const ALL: u32 = CHANGE_ENTRIES | access_bits::READ | access_bits::LOOKUP | access_bits::EXECUTE;

/// The superuser, the owner, two who are in the group by their first and by another one, and somebody else.
fn users() -> [User; 5] {
    let member = User {
        groups: vec![5, GROUP],
        ..User::new(1003, 9)
    };
    [
        User::ROOT,
        User::new(OWNER, 9),
        User::new(1002, GROUP),
        member,
        User::new(1004, 9),
    ]
}

/// Each of the eight for everybody, and for each of owner, group and others alone.
fn modes() -> impl Iterator<Item = u32> {
    (0..8).flat_map(|bits| [0o111, 0o100, 0o010, 0o001].map(|class| class * bits))
}

/// Whether it was done; if not, for want of permission.
#[track_caller]
fn allowed<T>(result: Result<T, NfsError>) -> bool {
    match result {
        Ok(_) => true,
        Err(NfsError::Status(nfsstat3::NFS3ERR_ACCES)) => false,
        Err(error) => panic!("{error}"),
    }
}

#[tokio::test]
async fn access_answers_what_the_operations_do() {
    let mut cluster = Cluster::start(Shape::OneProcess).unwrap();
    let (root_user, root) = cluster.client().await.unwrap();
    let file = make_file(&root_user, root, "file").await.unwrap();
    let directory = make_dir(&root_user, root, "directory").await.unwrap();
    make_file(&root_user, directory, "entry").await.unwrap();
    for mode in modes() {
        for object in [file, directory] {
            let owned = SetAttributes {
                uid: Some(OWNER),
                gid: Some(GROUP),
                ..with_mode(mode)
            };
            root_user.setattr(object, owned, None).await.unwrap();
        }
        for user in users() {
            let client = root_user.as_user(user.clone());
            let told = format!("mode {mode:o}, {user:?}");
            check_file(&client, file, user.uid == OWNER, &told).await;
            check_directory(&client, directory, &told).await;
        }
    }
    cluster.terminate().unwrap();
}

async fn check_file(client: &NfsClient, file: FileHandle, owns: bool, told: &str) {
    let granted = client.access(file, ALL).await.unwrap();
    let has = |bits| granted & bits != 0;
    assert!(!has(access_bits::LOOKUP | access_bits::DELETE), "{told}");
    assert_eq!(has(access_bits::MODIFY), has(access_bits::EXTEND), "{told}");
    // RFC 1813 4.4: the owner may always, as clients check when a file is opened; and what may be executed may be read.
    let reads = owns || has(access_bits::READ | access_bits::EXECUTE);
    assert_eq!(
        allowed(client.read(file, 0, 10).await),
        reads,
        "READ, {told}"
    );
    let writes = owns || has(access_bits::MODIFY);
    let written = client.write(file, 0, b"x", StableHow::Unstable).await;
    assert_eq!(allowed(written), writes, "WRITE, {told}");
    let one = client.access(file, access_bits::READ).await.unwrap();
    assert_eq!(
        one,
        granted & access_bits::READ,
        "only what was asked, {told}"
    );
}

async fn check_directory(client: &NfsClient, directory: FileHandle, told: &str) {
    let granted = client.access(directory, ALL).await.unwrap();
    let has = |bits| granted & bits != 0;
    assert!(!has(access_bits::EXECUTE), "{told}");
    let found = client.lookup(directory, b"entry").await;
    assert_eq!(allowed(found), has(access_bits::LOOKUP), "LOOKUP, {told}");
    let listed = client.readdir(directory, 0, [0; 8], 4096).await;
    assert_eq!(allowed(listed), has(access_bits::READ), "READDIR, {told}");
    let changes = granted & CHANGE_ENTRIES == CHANGE_ENTRIES;
    assert_eq!(changes, has(CHANGE_ENTRIES), "all or none, {told}");
    let how = CreateHow::Guarded(with_mode(0o644));
    let created = client.create(directory, b"new", how).await;
    assert_eq!(allowed(created), changes, "CREATE, {told}");
    let gone: &[u8] = if changes { b"new" } else { b"entry" };
    let removed = client.remove(directory, gone).await;
    assert_eq!(allowed(removed), changes, "REMOVE, {told}");
}
