//! Roots of exports that are renamed while clients have their handles.

mod support;

use std::sync::Arc;

use sluice_proto_nfs::nfs3::{
    DirectoryEntryName, FileHandle, LookupArgs, LookupResult, MkdirArgs, MkdirResult, ReaddirArgs,
    ReaddirResult, RenameArgs, RenameResult, SetAttributes, nfsstat3,
};
use sluice_proto_nfs::xdr::Decode;
use sluice_types::ExportId;
use sluice_vfs::{Export, Exports};
use support::{Client, Served, config, name};

async fn mkdir(client: &mut Client, directory: FileHandle, child: &str) -> FileHandle {
    let call = MkdirArgs {
        place: name(directory, child),
        attributes: SetAttributes::default(),
    };
    let made = MkdirResult::from_bytes(&client.call(&call).await).unwrap();
    made.unwrap().object.unwrap()
}

async fn rename(client: &mut Client, from: DirectoryEntryName<'_>, to: DirectoryEntryName<'_>) {
    let renamed = client.call(&RenameArgs { from, to }).await;
    RenameResult::from_bytes(&renamed).unwrap().unwrap();
}

async fn above(client: &mut Client, directory: FileHandle) -> FileHandle {
    let what = name(directory, "..");
    let looked = client.call(&LookupArgs { what }).await;
    LookupResult::from_bytes(&looked).unwrap().unwrap().object
}

/// The numbers of `.` and `..`.
async fn dots(client: &mut Client, directory: FileHandle) -> (u64, u64) {
    let call = ReaddirArgs {
        directory,
        cookie: 0,
        cookie_verifier: [0; 8],
        count: 4096,
    };
    let results = client.call(&call).await;
    let page = ReaddirResult::from_bytes(&results).unwrap().unwrap();
    let mut entries = page.entries.iter().map(|entry| entry.file_id);
    (entries.next().unwrap(), entries.next().unwrap())
}

#[tokio::test]
async fn an_exports_root_that_was_renamed_is_one_still() {
    let part = Export {
        id: ExportId::new(2),
        path: b"/part".to_vec(),
        ..Export::default()
    };
    let served = Served::with_exports(vec![Export::default(), part]).await;
    let mut client = served.client().await;
    let top = client.mount("/").await;
    let root = mkdir(&mut client, top, "part").await;
    mkdir(&mut client, root, "below").await;
    // All that is known of the root is that something below it was mounted.
    let below = client.mount("/part/below").await;
    rename(&mut client, name(top, "part"), name(top, "old")).await;

    let root = above(&mut client, below).await;
    let (below_number, root_number) = dots(&mut client, below).await;
    assert_ne!(below_number, root_number);
    assert_eq!(dots(&mut client, root).await, (root_number, root_number));
    assert_eq!(above(&mut client, root).await, root);

    let new = mkdir(&mut client, top, "part").await;
    assert_ne!(client.mount("/part").await, new, "through another export");
    let new = client.mount("/part").await;
    for root in [root, new] {
        assert_eq!(above(&mut client, root).await, root);
        let (own, parent) = dots(&mut client, root).await;
        assert_eq!(own, parent);
    }
}

/// A gateway that was started since does not know which directory it was.
#[tokio::test]
async fn nothing_above_an_exports_former_root_is_given_out_after_a_restart() {
    let part = Export {
        id: ExportId::new(2),
        path: b"/part".to_vec(),
        ..Export::default()
    };
    let exports = Exports::new(vec![Export::default(), part]).unwrap();
    let served = Served::with_config(config(), exports.clone()).await;
    let mut client = served.client().await;
    let top = client.mount("/").await;
    mkdir(&mut client, top, "part").await;
    let root = client.mount("/part").await;
    rename(&mut client, name(top, "part"), name(top, "old")).await;

    let served = Served::of_files(Arc::clone(&served.files), config(), exports).await;
    let mut client = served.client().await;
    let what = name(root, "..");
    let looked = client.call(&LookupArgs { what }).await;
    let refused = LookupResult::from_bytes(&looked).unwrap().unwrap_err();
    assert!(matches!(refused.status, nfsstat3::NFS3ERR_NOENT));
    dots(&mut client, root).await;
}
