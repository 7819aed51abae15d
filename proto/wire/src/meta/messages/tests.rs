use std::collections::BTreeSet;

use sluice_types::{Device, Mode, Timestamp};

use super::*;
use crate::generated::common::v1 as common;
use crate::meta::*;
use crate::sample::{Sample, Sampler, sample_struct, sample_variant};

sample_struct! {
    CallContext { credentials, session, call, lease }
    Lookup { directory, entry }
    Looked { node, directory }
    GetInode { inode }
    SetInode { inode, changes, guard, data_version }
    Changed { before, after }
    CheckAccess { inode }
    AccessChecked { granted, node }
    Create { directory, name, how }
    MakeDirectory { directory, name, attributes }
    MakeSymlink { directory, name, attributes, target }
    MakeNode { directory, name, attributes, node }
    Link { inode, directory, name }
    DirectoryChange { before, after }
    Made { node, directory, existed }
    Remove { directory, name }
    RemoveDirectory { directory, name }
    Removed { node, directory }
    Rename { from_directory, from_name, to_directory, to_name }
    Renamed { from, to, node, replaced }
    ReadSymlink { inode }
    SymlinkRead { target, node }
    ReadDirectory { directory, after, entries_max, with_nodes }
    DirectoryEntry { name, inode, cookie, node }
    Listing { entries, end, directory }
    FileSystemStatus {}
    FileSystemCounts { inodes_used, inodes_free, removals_queued }
    BeginWrite { inode }
    UpdateWritten { inode, data_version, size_bytes_min, used_bytes, modified, end }
    FinishTrim { inode, data_version, trimmed_to, end }
    ListRemovals { after, limit }
    Removal { inode, layout }
    Removals { removals }
    FinishRemovals { inodes }
    Done {}
    ListInodes { after, limit }
    InodeList { nodes, end }
    SetLayout { directory, layout }
    GetMap { known }
    TargetReport { uuid, capacity_bytes, used_bytes, failed }
    RegisterTargets { address, targets }
    Registered { targets, map, sessions }
    OpenSession { session, name, instance, holds_leases, synced_term }
    SessionOpened { session, lifetime_ms, map_version, fence_epoch, term }
    CloseSession { session }
    AwaitRecalls { acknowledged, synced_term }
    Recall { inode, kind }
    Recalls { sequence, term, recalls }
    CheckMetadata {}
    MetadataProblems { problems }
    FindRemoval { inode }
    RemovalFound { queued }
    ListSessions { after, limit }
    SessionStatus { session, name, silent_ms }
    SessionList { sessions, end }
    ListWrites { after, limit }
    WriteStatus { inode, session, age_ms }
    WriteList { writes, end }
    LockClient { name, address }
    LockOwner { client, process, handle }
    HeldLock { owner, range, exclusive }
    Lock { inode, lock, wait, client_state, note }
    Locked { answer }
    Unlock { inode, owner, range }
    TestLock { inode, lock }
    LockTested { holder }
    CancelLock { inode, lock }
    LockCancelled { found }
    Share { inode, owner, access, deny }
    Unshare { inode, owner }
    FreeLocks { client, client_state }
    LocksFreed { count }
    LockPlace { inode, number }
    ListLocks { inode, client, after, limit }
    LockStatus { place, owner, range, exclusive, access, deny, waiting }
    LockList { locks, end }
    ClearLocks { inode, client }
    LockGrantEnd { grant, accepted }
    AwaitLockGrants { ended }
    LockGrant { grant, inode, lock, note }
    LockGrants { grants, missed }
}

sample_variant! {
    LockWait [No, Called, Polling]
    LockAnswer [Granted, Denied, Waiting, TooMany]
}

impl Sample for LookupName {
    fn sample(sampler: &mut Sampler) -> Self {
        match sampler.below(3) {
            0 => Self::Current,
            1 => Self::Parent,
            _ => Self::Name(sampler.value()),
        }
    }
}

impl Sample for CreateHow {
    fn sample(sampler: &mut Sampler) -> Self {
        match sampler.below(3) {
            0 => Self::Unchecked(sampler.value()),
            1 => Self::Guarded(sampler.value()),
            _ => Self::Exclusive(sampler.value()),
        }
    }
}

impl Sample for LeaseKind {
    fn sample(sampler: &mut Sampler) -> Self {
        match sampler.value() {
            true => Self::Read,
            false => Self::Write,
        }
    }
}

impl Sample for NodeKind {
    fn sample(sampler: &mut Sampler) -> Self {
        match sampler.below(4) {
            0 => Self::Fifo,
            1 => Self::Socket,
            2 => Self::BlockDevice(sampler.value()),
            _ => Self::CharacterDevice(sampler.value()),
        }
    }
}

macro_rules! all_operations {
    ($($name:ident),* $(,)?) => {
        fn operations(sampler: &mut Sampler) -> Vec<Operation> {
            vec![$(Operation::$name(sampler.value())),*]
        }

        fn outcomes(sampler: &mut Sampler) -> Vec<Outcome> {
            vec![$(Outcome::$name(sampler.value())),*]
        }
    };
}

all_operations!(
    Lookup,
    GetInode,
    SetInode,
    CheckAccess,
    Create,
    MakeDirectory,
    MakeSymlink,
    MakeNode,
    Link,
    Remove,
    RemoveDirectory,
    Rename,
    ReadSymlink,
    ReadDirectory,
    FileSystemStatus,
    BeginWrite,
    UpdateWritten,
    FinishTrim,
    ListRemovals,
    FinishRemovals,
    ListInodes,
    SetLayout,
    GetMap,
    RegisterTargets,
    OpenSession,
    CheckMetadata,
    FindRemoval,
    ListSessions,
    ListWrites,
    CloseSession,
    AwaitRecalls,
    Lock,
    Unlock,
    TestLock,
    CancelLock,
    Share,
    Unshare,
    FreeLocks,
    ListLocks,
    ClearLocks,
    AwaitLockGrants,
);

#[test]
fn every_operation_survives_the_way_there() {
    let mut seen = BTreeSet::new();
    for seed in 0..300 {
        let mut sampler = Sampler::new(seed);
        for operation in operations(&mut sampler) {
            seen.insert(operation.name());
            let context: CallContext = sampler.value();
            let bytes = encode_call(context.clone(), operation.clone());
            let (context_back, operation_back) = decode_call(bytes).unwrap();
            assert_eq!(operation_back, operation, "seed {seed}");
            assert_eq!(context_back.credentials, context.credentials);
            assert_eq!(context_back.session, context.session);
            assert_eq!(context_back.call, context.call);
        }
    }
    let all: BTreeSet<_> = Operation::NAMES.iter().copied().collect();
    assert_eq!(seen, all, "the test's own list is complete");
}

#[test]
fn every_outcome_survives_the_way_back() {
    for seed in 0..300 {
        let mut sampler = Sampler::new(seed);
        for outcome in outcomes(&mut sampler) {
            let bytes = encode_result(Ok(outcome.clone()));
            assert_eq!(decode_result(bytes).unwrap(), Ok(outcome), "seed {seed}");
        }
        let error: FsError = sampler.value();
        assert_eq!(
            decode_result(encode_result(Err(error))).unwrap(),
            Err(error)
        );
    }
}

#[test]
fn damaged_bytes_are_refused_or_mean_something_valid() {
    for seed in 0..100 {
        let mut sampler = Sampler::new(seed);
        for operation in operations(&mut sampler) {
            let mut bytes = encode_call(sampler.value(), operation).to_vec();
            let at = sampler.below(bytes.len() as u64) as usize;
            bytes[at] = sampler.bits() as u8;
            if sampler.value() {
                bytes.truncate(at);
            }
            if let Ok((context, operation)) = decode_call(bytes.into()) {
                let again = decode_call(encode_call(context, operation.clone())).unwrap();
                assert_eq!(again.1, operation);
            }
        }
    }
}

/// A request whose context is good.
fn request(operation: OperationMessage) -> message::Request {
    message::Request {
        context: Some(CallContext::internal().into()),
        operation: Some(operation),
    }
}

/// The field that is complained of.
fn complaint(message: &message::Request) -> &'static str {
    match decode_call(message.encode_to_vec().into()) {
        Err(WireError::Missing { field } | WireError::Invalid { field, .. }) => field,
        other => panic!("expected a complaint about a field, got {other:?}"),
    }
}

fn lookup_of(name: Bytes) -> message::Request {
    request(OperationMessage::Lookup(message::Lookup {
        directory: 1,
        entry: Some(message::LookupName {
            entry: Some(message::lookup_name::Entry::Name(name)),
        }),
    }))
}

fn set(changes: common::SetAttributes, guard: Option<common::Timestamp>) -> message::Request {
    request(OperationMessage::SetInode(message::SetInode {
        inode: 1,
        changes: Some(changes),
        guard,
        data_version: None,
    }))
}

fn layout(chunk_size: u32, stripe_width: u32, replicas: u32) -> message::Request {
    let layout = common::Layout {
        chunk_size,
        stripe_width,
        replicas,
        placement_seed: 0,
    };
    request(OperationMessage::SetLayout(message::SetLayout {
        directory: 1,
        layout: Some(layout),
    }))
}

#[test]
fn bad_values_are_named() {
    let get = |inode| request(OperationMessage::GetInode(message::GetInode { inode }));
    assert_eq!(complaint(&get(0)), "inode");
    assert_eq!(
        complaint(&message::Request {
            context: None,
            ..get(1)
        }),
        "context"
    );
    assert_eq!(
        complaint(&message::Request {
            operation: None,
            ..get(1)
        }),
        "operation"
    );
    for name in [&b""[..], b".", b"..", b"a/b", b"a\0", &[b'a'; 256]] {
        assert_eq!(complaint(&lookup_of(Bytes::copy_from_slice(name))), "name");
    }
    let mode = common::SetAttributes {
        mode: Some(0o10000),
        ..Default::default()
    };
    assert_eq!(complaint(&set(mode, None)), "mode");
    let guard = common::Timestamp {
        seconds: 0,
        nanoseconds: 1_000_000_000,
    };
    assert_eq!(
        complaint(&set(Default::default(), Some(guard))),
        "nanoseconds"
    );
    assert_eq!(complaint(&layout(3 << 16, 1, 1)), "chunk_size");
    assert_eq!(complaint(&layout(1 << 20, 0, 1)), "stripe_width");
    assert_eq!(complaint(&layout(1 << 20, 1025, 1)), "stripe_width");
    assert_eq!(complaint(&layout(1 << 20, 1, 4)), "replicas");
}

#[test]
fn callers_are_bounded() {
    let mut message = request(OperationMessage::GetInode(message::GetInode { inode: 1 }));
    let context = message.context.as_mut().unwrap();
    context.credentials.as_mut().unwrap().groups = vec![1; 17];
    assert_eq!(complaint(&message), "groups");
    let context = message.context.as_mut().unwrap();
    context.credentials.as_mut().unwrap().groups.clear();
    let client = Bytes::from(vec![b'c'; 1025]);
    context.call = Some(message::CallId {
        client,
        xid: 1,
        procedure: 2,
        checksum: 3,
    });
    assert_eq!(complaint(&message), "client");
}

#[test]
fn maps_that_make_no_sense_are_refused() {
    let target = |id| common::Target {
        id,
        uuid: vec![0; 16].into(),
        address: String::new(),
        state: common::TargetState::Online as i32,
    };
    let map = |ids: &[u32], replicas: &[u32]| common::ClusterMap {
        version: 1,
        file_system: 2,
        targets: ids.iter().map(|id| target(*id)).collect(),
        groups: vec![common::PlacementGroup {
            replicas: replicas.to_vec(),
        }],
    };
    let read = |map| {
        let result = Some(ResultMessage::GetMap(map));
        decode_result(message::Reply { result }.encode_to_vec().into())
    };
    assert!(read(map(&[1, 2], &[2, 1])).is_ok());
    let bad = [
        map(&[2, 1], &[1]),
        map(&[1, 1], &[1]),
        map(&[1], &[]),
        map(&[1], &[1, 1, 1, 1]),
        map(&[1], &[3]),
    ];
    for map in bad {
        let described = format!("{map:?}");
        assert!(
            matches!(read(map), Err(WireError::Invalid { .. })),
            "{described}"
        );
    }
}

#[test]
fn an_unknown_failure_is_an_error() {
    for number in [0, 25, -1] {
        let result = Some(ResultMessage::Failure(number));
        let bytes = message::Reply { result }.encode_to_vec();
        let field = match decode_result(bytes.into()) {
            Err(WireError::Invalid { field, .. }) => field,
            other => panic!("{other:?}"),
        };
        assert_eq!(field, "failure");
    }
}

#[test]
fn the_bytes_stay_the_same() {
    // Golden: a recorded reply must be readable by the next version, so its bytes may not change.
    let outcome = Outcome::CheckAccess(AccessChecked {
        granted: sluice_types::Access::READ,
        node: golden_inode(),
    });
    let hex: String = encode_result(Ok(outcome))
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    assert_eq!(hex, GOLDEN);
}

const GOLDEN: &str = "2a440804124008ac0215070000001a25080110a403180120e8072864300538802042004a04080110025204080310045a04080510\
    0620ac022a08088080401010180130094005";

fn golden_inode() -> sluice_types::Inode {
    sluice_types::Inode {
        id: sluice_types::InodeId::new(300).unwrap(),
        generation: sluice_types::Generation::new(7),
        attributes: sluice_types::Attributes {
            kind: sluice_types::FileKind::Regular,
            mode: Mode::new(0o644),
            link_count: 1,
            uid: 1000,
            gid: 100,
            size_bytes: 5,
            used_bytes: 4096,
            device: Device { major: 0, minor: 0 },
            accessed: Timestamp::new(1, 2),
            modified: Timestamp::new(3, 4),
            changed: Timestamp::new(5, 6),
        },
        parent: sluice_types::InodeId::new(300).unwrap(),
        layout: sluice_types::Layout::DEFAULT,
        data_version: sluice_types::DataVersion::new(9),
        writer: sluice_types::SessionId::new(0),
        pending_trim: Some(5),
    }
}
