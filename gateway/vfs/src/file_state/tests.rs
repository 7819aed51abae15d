//! Tests of the write session's state machine.

use sluice_types::{
    Attributes, DataVersion, Device, FileKind, Generation, Layout, Mode, SessionId, WriteVerifier,
};

use super::*;

const SECOND: Duration = Duration::from_secs(1);

fn node(size_bytes: u64, changed: i64) -> Inode {
    let time = Timestamp::new(changed, 0);
    Inode {
        id: InodeId::ROOT,
        generation: Generation::new(1),
        attributes: Attributes {
            kind: FileKind::Regular,
            mode: Mode::new(0o644),
            link_count: 1,
            uid: 0,
            gid: 0,
            size_bytes,
            used_bytes: 0,
            device: Device::default(),
            accessed: time,
            modified: time,
            changed: time,
        },
        parent: InodeId::ROOT,
        layout: Layout::DEFAULT,
        data_version: DataVersion::new(1),
        writer: SessionId::new(1),
        pending_trim: None,
    }
}

fn receipt(targets: &[u32]) -> WriteReceipt {
    WriteReceipt {
        targets: targets.iter().copied().map(TargetId::new).collect(),
        verifier: WriteVerifier([0; 8]),
    }
}

fn committed(allocated_bytes: Option<u64>) -> CommitReceipt {
    CommitReceipt {
        verifier: WriteVerifier([0; 8]),
        end_bytes: 0,
        allocated_bytes,
    }
}

fn write(session: &mut WriteSession, offset: u64, length: u64, targets: &[u32]) -> Applied {
    session.apply(&Written {
        offset,
        length,
        stability: Stability::Unstable,
        receipt: &receipt(targets),
        now: Timestamp::new(100, 0),
        at: SECOND,
    })
}

fn session() -> WriteSession {
    WriteSession::new(node(10, 50), None, 1, Duration::ZERO)
}

#[test]
fn writes_chain_their_attributes_and_stamps_only_grow() {
    let mut session = session();
    let mut last = session.node.attributes.wcc();
    for write_number in 0..5 {
        let applied = write(&mut session, write_number * 4096, 4096, &[1]);
        assert_eq!(applied.before, last);
        last = applied.after.attributes.wcc();
        assert!(
            last.changed > applied.before.changed,
            "though the clock stands still"
        );
        assert_eq!(last.size_bytes, (write_number + 1) * 4096);
    }
}

#[test]
fn telling_the_service_changes_nothing_that_was_shown() {
    let mut session = session();
    let applied = write(&mut session, 0, 4096, &[1]);
    let report = session.report(applied.sequence, false).unwrap();
    assert_eq!(
        report.update.modified,
        Some(applied.after.attributes.changed)
    );
    assert_eq!(report.update.size_bytes_min, 4096);
    // The service records just that.
    let mut recorded = applied.after.clone();
    recorded.attributes.used_bytes = 0;
    assert!(session.reported(&report, &recorded, SECOND));
    assert_eq!(session.node.attributes, applied.after.attributes);
    assert!(
        session.report(applied.sequence, false).is_none(),
        "told already"
    );
    let end = session.report(0, true).unwrap();
    assert_eq!(end.update.modified, None, "nothing new to tell");
}

#[test]
fn what_was_told_under_an_old_version_is_told_again() {
    let mut session = session();
    let applied = write(&mut session, 0, 4096, &[1]);
    let report = session.report(applied.sequence, false).unwrap();
    assert_eq!(report.update.data_version, DataVersion::new(1));
    // Another caller's write began meanwhile.
    let mut begun = node(10, 50);
    begun.data_version = DataVersion::new(2);
    assert!(!session.reported(&report, &begun, SECOND));
    assert_eq!(session.node.attributes, applied.after.attributes);
    // Its answer may come last.
    session.merge(&node(10, 50));
    let again = session.report(applied.sequence, false).unwrap();
    assert_eq!(again.update.data_version, DataVersion::new(2));
    assert_eq!(again.update.modified, report.update.modified);
    assert_eq!(again.update.size_bytes_min, 4096);
}

#[test]
fn nothing_is_told_over_a_truncation_that_the_session_does_not_know() {
    let mut session = session();
    let applied = write(&mut session, 0, 4096, &[1]);
    let report = session.report(applied.sequence, false).unwrap();
    let mut cut = node(0, 50);
    cut.data_version = DataVersion::new(2);
    cut.pending_trim = Some(0);
    assert!(!session.reported(&report, &cut, SECOND));
    assert!(session.report(applied.sequence, false).is_none());
    assert!(session.is_untold(applied.sequence));
}

#[test]
fn a_failure_to_settle_is_remembered_for_a_while() {
    let state = FileState::new(InodeId::ROOT);
    assert!(!state.is_kept());
    state.note_settled(Some(FsError::Busy), SECOND);
    assert!(state.is_kept());
    assert_eq!(state.settle_failure(SECOND, SECOND), Some(FsError::Busy));
    assert_eq!(state.settle_failure(2 * SECOND, SECOND), None);
    assert!(!state.forget_settle_failure(SECOND * 3 / 2, SECOND));
    assert!(state.forget_settle_failure(2 * SECOND, SECOND));
    assert!(!state.is_kept());
    state.note_settled(Some(FsError::Busy), SECOND);
    state.note_settled(None, SECOND);
    assert_eq!(state.settle_failure(SECOND, SECOND), None);
}

#[test]
fn a_commit_covers_what_came_before_it() {
    let mut session = session();
    write(&mut session, 0, 4096, &[1, 2]);
    let sequence = session.sequence();
    write(&mut session, 4096, 4096, &[2]);
    session.committed(sequence, &committed(None));
    let left = BTreeSet::from([TargetId::new(2)]);
    assert_eq!(session.commit_scope(), Some(CommitScope::Only(left)));
    session.committed(session.sequence(), &committed(Some(12_288)));
    assert_eq!(session.commit_scope(), None);
    assert_eq!(session.node.attributes.used_bytes, 12_288);
}

#[test]
fn after_a_failed_write_all_targets_are_asked_and_the_rest_is_cut() {
    let mut session = session();
    session.note_failure(5, SECOND);
    assert_eq!(session.commit_scope(), Some(CommitScope::All));
    assert!(!session.has_overhang(), "within the size");
    session.note_failure(11, SECOND);
    assert!(session.has_overhang());
    session.committed(session.sequence(), &committed(None));
    assert!(!session.is_endable());
    session.overhang_cut();
    assert!(session.is_endable());
}

#[test]
fn other_changes_are_merged_but_old_news_is_not() {
    let mut session = session();
    write(&mut session, 0, 100, &[1]);
    let mut chmod = node(10, 60);
    chmod.attributes.mode = Mode::new(0o600);
    session.merge(&chmod);
    assert_eq!(session.node.attributes.mode, Mode::new(0o600));
    assert_eq!(session.node.attributes.size_bytes, 100, "the session's own");
    assert_eq!(session.node.attributes.modified, Timestamp::new(100, 0));
    assert_eq!(session.node.attributes.changed, Timestamp::new(100, 0));
    session.merge(&node(10, 55));
    assert_eq!(session.node.attributes.mode, Mode::new(0o600));
}

#[test]
fn what_is_to_be_cut_is_not_learned_from_inodes_that_come_by() {
    let mut session = session();
    let mut cut = node(5, 60);
    cut.pending_trim = Some(5);
    session.adopt(cut.clone());
    assert_eq!(session.node, cut);
    session.adopt(node(5, 60));
    write(&mut session, 0, 100, &[1]);
    // Read before it was cut, and answered after.
    session.merge(&cut);
    assert_eq!(session.node.pending_trim, None);
    assert_eq!(session.node.attributes.size_bytes, 100);
}

#[test]
fn no_inode_takes_back_what_was_not_reported() {
    let mut session = session();
    let applied = write(&mut session, 0, 100, &[1]);
    session.adopt(node(10, 60));
    assert_eq!(
        session.node.attributes.wcc(),
        applied.after.attributes.wcc()
    );
    let report = session.report(applied.sequence, false).unwrap();
    assert_eq!(report.update.size_bytes_min, 100);
}

#[test]
fn reports_are_due_only_with_news_and_not_too_often() {
    let mut session = session();
    assert!(!session.is_report_due(10 * SECOND, SECOND));
    write(&mut session, 0, 1, &[1]);
    assert!(!session.is_report_due(SECOND / 2, SECOND));
    assert!(session.is_report_due(SECOND, SECOND));
    assert!(!session.is_idle(2 * SECOND, 2 * SECOND));
    assert!(session.is_idle(3 * SECOND, 2 * SECOND));
}

#[test]
fn space_is_estimated_within_the_size() {
    let mut session = session();
    for _ in 0..10 {
        write(&mut session, 0, 100, &[1]);
    }
    assert_eq!(session.node.attributes.used_bytes, 4096);
    write(&mut session, 1_000_000, 4096, &[1]);
    assert_eq!(session.node.attributes.used_bytes, 8192);
}

#[tokio::test]
async fn the_exclusive_guard_waits_for_the_shared_ones() {
    let state = FileState::new(InodeId::ROOT);
    let (first, second) = (state.share().await, state.share().await);
    assert!(state.try_exclude().is_none());
    drop((first, second));
    assert!(state.try_exclude().is_some());
}
