//! NLM and NSM: what is asked of the metadata service, what is answered, and whom the gateway calls.

mod support;

use std::net::IpAddr;

use bytes::Bytes;
use sluice_gateway_nfs::{HandleContents, HandleMaker, NfsConfig};
use sluice_proto_nfs::nfs3::FileHandle;
use sluice_proto_nfs::nlm::{
    CallerName, CancelArgs, Cookie, FileHandleBytes, FreeAllArgs, GrantedArgs, Lock, LockArgs,
    LockResult, LockStatus, NonMonitoredLockArgs, Owner, Procedure, Share, ShareAccess, ShareArgs,
    ShareMode, ShareResult, TestArgs, TestReply, TestResult, UnlockArgs, UnshareArgs,
};
use sluice_proto_nfs::nsm::{HostName, NotifyArgs, StatArgs, StatusResult};
use sluice_proto_nfs::rpc::ReplyStatus;
use sluice_proto_nfs::xdr::{Decode, Encode};
use sluice_types::{Access, ExportId, FsError, Generation, InodeId, LockRange};
use sluice_vfs::{Export, Exports, Squash};
use sluice_wire::meta::{
    HeldLock, LockAnswer, LockClient as Machine, LockGrant, LockOwner, LockWait, Operation,
};
use support::{Client, FILE_SYSTEM, LockClient, Served, config, eventually, key};

const COOKIE: &[u8] = b"cookie";

fn cookie() -> Cookie<'static> {
    Cookie::new(COOKIE).unwrap()
}

/// Where test clients are, as far as the gateway can see.
fn home() -> IpAddr {
    [127, 0, 0, 5].into()
}

fn wire_lock(file: &FileHandle, offset: u64, length: u64) -> Lock<'_> {
    Lock {
        caller: CallerName::new(b"tester").unwrap(),
        file: FileHandleBytes::new(file.as_bytes()).unwrap(),
        owner: Owner::new(b"7@tester").unwrap(),
        process: 7,
        offset,
        length,
    }
}

fn machine() -> Machine {
    Machine {
        name: Bytes::from_static(b"tester"),
        address: home(),
    }
}

fn held(offset: u64, length: u64) -> HeldLock {
    HeldLock {
        owner: LockOwner {
            client: machine(),
            process: 7,
            handle: Bytes::from_static(b"7@tester"),
        },
        range: LockRange::new(offset, length).unwrap(),
        exclusive: true,
    }
}

fn lock_args(file: &FileHandle, block: bool) -> LockArgs<'_> {
    LockArgs {
        cookie: cookie(),
        block,
        exclusive: true,
        lock: wire_lock(file, 16, 32),
        reclaim: false,
        state: 3,
    }
}

/// A gateway, a client of it, and the root's handle (any file does).
async fn start(config: NfsConfig) -> (Served, Client, FileHandle) {
    let served = Served::with_config(config, Exports::default()).await;
    let mut client = Client::connect_from(home(), served.gateway.address()).await;
    let file = client.mount("/").await;
    (served, client, file)
}

async fn lock(client: &mut Client, args: &LockArgs<'_>) -> LockStatus {
    let results = client.call(args).await;
    let result = LockResult::from_bytes(&results).unwrap();
    assert_eq!(result.cookie, cookie());
    result.status
}

fn last_asked(served: &Served) -> Operation {
    served.files.locks.asked.lock().last().unwrap().clone()
}

#[tokio::test]
async fn a_lock_is_asked_for_as_it_came_and_answered_as_it_ended() {
    let (served, mut client, file) = start(config()).await;
    assert_eq!(
        lock(&mut client, &lock_args(&file, false)).await,
        LockStatus::Granted
    );
    let Operation::Lock(asked) = last_asked(&served) else {
        panic!("no lock");
    };
    assert_eq!(asked.lock, held(16, 32));
    assert_eq!((asked.inode, asked.client_state), (InodeId::ROOT, 3));
    assert_eq!(asked.wait, LockWait::No);
    for (answer, status) in [
        (Ok(LockAnswer::Denied), LockStatus::Denied),
        (Ok(LockAnswer::TooMany), LockStatus::DeniedNoLocks),
        (Err(FsError::Stale), LockStatus::StaleHandle),
        (Err(FsError::AccessDenied), LockStatus::Failed),
        (Err(FsError::Unavailable), LockStatus::DeniedGracePeriod),
    ] {
        *served.files.locks.answer.lock() = answer;
        assert_eq!(lock(&mut client, &lock_args(&file, false)).await, status);
    }
    *served.files.locks.answer.lock() = Ok(LockAnswer::Waiting);
    assert_eq!(
        lock(&mut client, &lock_args(&file, true)).await,
        LockStatus::Blocked
    );
    assert!(matches!(last_asked(&served), Operation::Lock(lock) if lock.wait == LockWait::Called));

    let mut beyond = lock_args(&file, true);
    beyond.lock.offset = u64::MAX;
    assert_eq!(lock(&mut client, &beyond).await, LockStatus::TooBig);
    let forged = FileHandle::new(b"forged").unwrap();
    assert_eq!(
        lock(&mut client, &lock_args(&forged, true)).await,
        LockStatus::StaleHandle
    );
}

#[tokio::test]
async fn an_export_decides_who_may_lock_and_as_whom() {
    let export = |id, network: &str, path: &str| Export {
        id: ExportId::new(id),
        path: path.as_bytes().to_vec(),
        networks: vec![network.parse().unwrap()],
        read_only: true,
        squash: Squash::Root,
        ..Export::default()
    };
    let exports = vec![
        export(1, "127.0.0.0/8", "/"),
        export(2, "10.0.0.0/8", "/theirs"),
    ];
    let served = Served::with_exports(exports).await;
    let mut client = Client::connect_from(home(), served.gateway.address()).await;
    let file = client.mount("/").await;
    assert_eq!(
        lock(&mut client, &lock_args(&file, false)).await,
        LockStatus::Granted
    );
    let caller = served.files.callers.lock().last().unwrap().clone();
    assert_eq!(caller.credentials.uid, 65_534);
    let theirs = HandleMaker::new(&key(), FILE_SYSTEM).make(HandleContents {
        export: ExportId::new(2),
        inode: InodeId::ROOT,
        generation: Generation::new(3),
    });
    assert_eq!(
        lock(&mut client, &lock_args(&theirs, false)).await,
        LockStatus::Failed
    );
}

#[tokio::test]
async fn a_test_names_the_holder() {
    let (served, mut client, file) = start(config()).await;
    let args = TestArgs {
        cookie: cookie(),
        exclusive: true,
        lock: wire_lock(&file, 0, 0),
    };
    let results = client.call(&args).await;
    let tested = TestResult::from_bytes(&results).unwrap();
    assert_eq!(tested.reply, TestReply::Other(LockStatus::Granted));
    *served.files.locks.holder.lock() = Some(held(5, 0));
    let results = client.call(&args).await;
    let tested = TestResult::from_bytes(&results).unwrap();
    let TestReply::Denied(holder) = tested.reply else {
        panic!("{tested:?}");
    };
    assert_eq!((holder.offset, holder.length, holder.process), (5, 0, 7));
    assert_eq!(holder.owner.bytes(), b"7@tester");
}

#[tokio::test]
async fn what_is_released_and_given_up_is_what_was_named() {
    let (served, mut client, file) = start(config()).await;
    let unlock = UnlockArgs {
        cookie: cookie(),
        lock: wire_lock(&file, 1, 0),
    };
    let results = client.call(&unlock).await;
    assert_eq!(
        LockResult::from_bytes(&results).unwrap().status,
        LockStatus::Granted
    );
    let Operation::Unlock(asked) = last_asked(&served) else {
        panic!("no unlock");
    };
    assert_eq!(
        (asked.owner, asked.range),
        (held(1, 0).owner, held(1, 0).range)
    );
    *served.files.locks.answer.lock() = Err(FsError::Stale);
    let results = client.call(&unlock).await;
    assert_eq!(
        LockResult::from_bytes(&results).unwrap().status,
        LockStatus::Granted
    );

    *served.files.locks.answer.lock() = Ok(LockAnswer::Denied);
    let cancel = CancelArgs {
        cookie: cookie(),
        block: true,
        exclusive: true,
        lock: wire_lock(&file, 16, 32),
    };
    let results = client.call(&cancel).await;
    assert_eq!(
        LockResult::from_bytes(&results).unwrap().status,
        LockStatus::Denied
    );
    assert!(
        matches!(last_asked(&served), Operation::CancelLock(cancel) if cancel.lock == held(16, 32))
    );

    let unmonitored = NonMonitoredLockArgs {
        cookie: cookie(),
        block: false,
        exclusive: true,
        lock: wire_lock(&file, 0, 1),
        reclaim: false,
        state: 9,
    };
    client.call(&unmonitored).await;
    assert!(matches!(last_asked(&served), Operation::Lock(lock) if lock.client_state == 0));
}

#[tokio::test]
async fn shares_are_asked_for_as_they_came() {
    let (served, mut client, file) = start(config()).await;
    let share = Share {
        caller: CallerName::new(b"tester").unwrap(),
        file: FileHandleBytes::new(file.as_bytes()).unwrap(),
        owner: Owner::new(b"o").unwrap(),
        mode: ShareMode::DenyWrite,
        access: ShareAccess::ReadWrite,
    };
    let (cookie, reclaim) = (cookie(), false);
    let args = ShareArgs {
        cookie,
        share,
        reclaim,
    };
    let results = client.call(&args).await;
    assert_eq!(
        ShareResult::from_bytes(&results).unwrap().status,
        LockStatus::Granted
    );
    let Operation::Share(asked) = last_asked(&served) else {
        panic!("no share");
    };
    let both = Access::READ.and(Access::WRITE);
    assert_eq!((asked.access, asked.deny), (both, Access::WRITE));
    let args = UnshareArgs {
        cookie,
        share,
        reclaim,
    };
    client.call(&args).await;
    assert!(matches!(last_asked(&served), Operation::Unshare(_)));
}

fn grant(number: u64, note: Bytes) -> LockGrant {
    LockGrant {
        grant: number,
        inode: InodeId::ROOT,
        lock: held(16, 32),
        note,
    }
}

/// A client that waits, and the note that it waits with.
async fn wait(served: &Served, client: &mut Client, file: &FileHandle) -> Bytes {
    *served.files.locks.answer.lock() = Ok(LockAnswer::Waiting);
    lock(client, &lock_args(file, true)).await;
    match last_asked(served) {
        Operation::Lock(lock) => lock.note,
        other => panic!("{other:?}"),
    }
}

async fn ended(served: &Served, number: u64) -> bool {
    let ended = &served.files.locks.ended;
    let of = |number| ended.lock().iter().find(|end| end.grant == number).copied();
    eventually("the end of the grant", || of(number).is_some()).await;
    of(number).unwrap().accepted
}

#[tokio::test]
async fn a_client_is_told_of_its_lock_from_the_address_that_it_knows() {
    let machine = LockClient::start(home(), LockStatus::Granted).await;
    let mut config = config();
    config.client_portmap_port = machine.portmap_port;
    let (served, mut client, file) = start(config).await;
    let note = wait(&served, &mut client, &file).await;
    served.files.locks.grants.lock().push(grant(9, note));
    assert!(ended(&served, 9).await);
    let called = machine.called.lock()[0].clone();
    assert_eq!(called.from, served.gateway.address().ip());
    assert_eq!(called.procedure, Procedure::Granted.number());
    let granted = GrantedArgs::from_bytes(&called.arguments).unwrap();
    assert_eq!(granted.lock, wire_lock(&file, 16, 32));
    assert!(granted.exclusive);
    // It goes on being called.
    assert_eq!(
        lock(&mut client, &lock_args(&file, true)).await,
        LockStatus::Blocked
    );
}

#[tokio::test]
async fn a_client_that_takes_no_call_asks_again_by_itself() {
    let machine = LockClient::start(home(), LockStatus::Denied).await;
    let mut config = config();
    config.client_portmap_port = machine.portmap_port;
    let (served, mut client, file) = start(config).await;
    let note = wait(&served, &mut client, &file).await;
    served.files.locks.grants.lock().push(grant(9, note));
    assert!(!ended(&served, 9).await);
    // The gateway learns a moment later that the client should have waited still.
    let mut status = LockStatus::Blocked;
    for _ in 0..500 {
        status = lock(&mut client, &lock_args(&file, true)).await;
        if status != LockStatus::Blocked {
            break;
        }
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
    assert_eq!(status, LockStatus::DeniedGracePeriod);
    assert!(matches!(last_asked(&served), Operation::Lock(lock) if lock.wait == LockWait::Polling));
    // Another client is not taken for it.
    let mut other = Client::connect(served.gateway.address()).await;
    assert_eq!(
        lock(&mut other, &lock_args(&file, true)).await,
        LockStatus::Blocked
    );
}

#[tokio::test]
async fn a_client_that_is_gone_does_not_keep_what_it_was_given() {
    let mut config = config();
    config.client_portmap_port = 1;
    let (served, mut client, file) = start(config).await;
    let note = wait(&served, &mut client, &file).await;
    served.files.locks.grants.lock().push(grant(9, note));
    assert!(!ended(&served, 9).await);
    let status = lock(&mut client, &lock_args(&file, true)).await;
    assert_eq!(status, LockStatus::DeniedGracePeriod);
    // A note of another version can be told to nobody.
    served
        .files
        .locks
        .grants
        .lock()
        .push(grant(10, Bytes::from_static(b"\x09")));
    assert!(!ended(&served, 10).await);
}

#[tokio::test]
async fn an_asynchronous_call_is_answered_by_a_call() {
    let machine = LockClient::start(home(), LockStatus::Granted).await;
    let mut config = config();
    config.client_portmap_port = machine.portmap_port;
    let (served, mut client, file) = start(config).await;
    let nlm = (100_021, 4);
    let args = lock_args(&file, false).to_bytes();
    let lock_message = Procedure::LockMsg.number();
    let status = client.status(nlm.0, nlm.1, lock_message, &args).await;
    assert_eq!(status, ReplyStatus::Success);
    eventually("the answer", || !machine.called.lock().is_empty()).await;
    let called = machine.called.lock()[0].clone();
    assert_eq!(called.procedure, Procedure::LockRes.number());
    let result = LockResult::from_bytes(&called.arguments).unwrap();
    assert_eq!(
        (result.cookie, result.status),
        (cookie(), LockStatus::Granted)
    );
    assert!(matches!(last_asked(&served), Operation::Lock(_)));
    let status = client.status(nlm.0, nlm.1, lock_message, &args[1..]).await;
    assert_eq!(status, ReplyStatus::GarbageArguments);
}

#[tokio::test]
async fn a_client_that_restarted_loses_its_own_locks() {
    let (served, mut client, _) = start(config()).await;
    let host = HostName::new(b"tester").unwrap();
    client.call(&NotifyArgs { host, state: 5 }).await;
    let Operation::FreeLocks(asked) = last_asked(&served) else {
        panic!("nothing freed");
    };
    assert_eq!((asked.client, asked.client_state), (machine(), Some(5)));
    let caller = CallerName::new(b"tester").unwrap();
    client.call(&FreeAllArgs { caller, state: 0 }).await;
    assert!(
        matches!(last_asked(&served), Operation::FreeLocks(free) if free.client_state.is_none())
    );
    // What is not done is said to be so: the client says it again.
    *served.files.locks.answer.lock() = Err(FsError::Unavailable);
    let args = NotifyArgs { host, state: 5 }.to_bytes();
    let status = client.status(100_024, 1, 6, &args).await;
    assert_eq!(status, ReplyStatus::SystemError);
    let results = client.call(&StatArgs { host }).await;
    StatusResult::from_bytes(&results).unwrap();
}
