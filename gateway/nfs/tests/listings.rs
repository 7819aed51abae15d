//! READDIR and READDIRPLUS in pages of any size.

mod support;

use std::collections::BTreeMap;

use sluice_proto_nfs::nfs3::{
    CreateArgs, CreateHow, CreateResult, Created, FileHandle, GetAttrArgs, GetAttrResult,
    MkdirArgs, MkdirResult, ReaddirArgs, ReaddirPlusArgs, ReaddirPlusResult, ReaddirResult,
    SetAttributes, nfsstat3,
};
use sluice_proto_nfs::rpc::RemoteCall;
use sluice_proto_nfs::xdr::Decode;
use support::{Client, Served, name};

async fn create(client: &mut Client, directory: FileHandle, file: &str) -> Created {
    let call = CreateArgs {
        place: name(directory, file),
        how: CreateHow::Guarded(SetAttributes::default()),
    };
    CreateResult::from_bytes(&client.call(&call).await)
        .unwrap()
        .unwrap()
}

async fn mkdir(client: &mut Client, directory: FileHandle, child: &str) -> Created {
    let call = MkdirArgs {
        place: name(directory, child),
        attributes: SetAttributes::default(),
    };
    MkdirResult::from_bytes(&client.call(&call).await)
        .unwrap()
        .unwrap()
}

/// The status of a result of any kind.
async fn status<C: RemoteCall>(client: &mut Client, call: &C) -> u32 {
    let results = client.call(call).await;
    u32::from_be_bytes(results[..4].try_into().unwrap())
}

async fn filled(client: &mut Client, count: usize) -> (FileHandle, BTreeMap<String, u64>) {
    let root = client.mount("/").await;
    let directory = mkdir(client, root, "directory").await.object.unwrap();
    let mut names = BTreeMap::new();
    for number in 0..count {
        let file = format!("{}{number}", "n".repeat(number % 40));
        let created = create(client, directory, &file).await;
        names.insert(file, created.attributes.unwrap().fileid);
    }
    (directory, names)
}

#[tokio::test]
async fn listings_in_pages_of_any_size_are_complete() {
    let served = Served::start().await;
    let mut client = served.client().await;
    let (directory, names) = filled(&mut client, 60).await;
    for count in [180, 300, 1000, 8192, u32::MAX] {
        let mut found = BTreeMap::new();
        let mut cookie = 0;
        loop {
            let call = ReaddirArgs {
                directory,
                cookie,
                cookie_verifier: [9; 8],
                count,
            };
            let results = client.call(&call).await;
            let page = ReaddirResult::from_bytes(&results).unwrap().unwrap();
            assert!(results.len() - 4 <= count as usize);
            assert!(page.directory_attributes.is_some());
            for entry in page.entries {
                let entry_name = String::from_utf8(entry.name.to_vec()).unwrap();
                assert!(
                    found.insert(entry_name, entry.file_id).is_none(),
                    "an entry came twice"
                );
                cookie = entry.cookie;
            }
            if page.eof {
                break;
            }
        }
        assert!(found.remove(".").is_some());
        assert_eq!(found.remove(".."), Some(1));
        assert_eq!(found, names, "pages of {count} bytes");
    }
    let too_small = ReaddirArgs {
        directory,
        cookie: 0,
        cookie_verifier: [0; 8],
        count: 100,
    };
    assert_eq!(
        status(&mut client, &too_small).await,
        nfsstat3::NFS3ERR_TOOSMALL as u32
    );
}

#[tokio::test]
async fn listings_with_attributes_in_pages_of_any_size_are_complete() {
    let served = Served::start().await;
    let mut client = served.client().await;
    let (directory, names) = filled(&mut client, 60).await;
    for (directory_count, count_max) in [
        (1, 4096),
        (100, 400),
        (512, 4096),
        (4096, 32_768),
        (1 << 20, 1 << 20),
    ] {
        let mut found = BTreeMap::new();
        let mut cookie = 0;
        loop {
            let cookie_verifier = [0; 8];
            let call = ReaddirPlusArgs {
                directory,
                cookie,
                cookie_verifier,
                directory_count,
                count_max,
            };
            let results = client.call(&call).await;
            let page = ReaddirPlusResult::from_bytes(&results).unwrap().unwrap();
            assert!(results.len() - 4 <= count_max as usize);
            for entry in page.entries {
                let entry_name = String::from_utf8(entry.name.to_vec()).unwrap();
                if entry_name != ".." {
                    assert_eq!(entry.attributes.unwrap().fileid, entry.file_id);
                    let object = entry.handle.unwrap();
                    let results = client.call(&GetAttrArgs { object }).await;
                    let attributes = GetAttrResult::from_bytes(&results).unwrap().unwrap();
                    assert_eq!(attributes.fileid, entry.file_id);
                }
                assert!(
                    found.insert(entry_name, entry.file_id).is_none(),
                    "an entry came twice"
                );
                cookie = entry.cookie;
            }
            if page.eof {
                break;
            }
        }
        found.remove(".");
        found.remove("..");
        assert_eq!(
            found, names,
            "pages of {directory_count} and {count_max} bytes"
        );
    }
}
