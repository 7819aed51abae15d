//! The removal queue, listed while it changes.

use sluice_types::InodeId;
use sluice_wire::meta::{BeginWrite, FinishRemovals, ListRemovals};

use super::support::{Fixture, ROOT};

/// Makes a file that may have data and removes it, at the time `at`, in seconds.
async fn removed(fixture: &Fixture, name: &str, at: u64) -> InodeId {
    let root = fixture.root();
    let inode = root.create(ROOT, name, 0o644).await.unwrap().id;
    root.run(BeginWrite { inode }).await.unwrap();
    fixture.clock.set(at);
    root.remove(ROOT, name).await.unwrap();
    inode
}

async fn listed(fixture: &Fixture, limit: u32) -> Vec<InodeId> {
    listed_after(fixture, None, limit).await
}

async fn listed_after(fixture: &Fixture, after: Option<InodeId>, limit: u32) -> Vec<InodeId> {
    let list = ListRemovals { after, limit };
    let listed = fixture.root().run(list).await.unwrap();
    listed
        .removals
        .iter()
        .map(|removal| removal.inode)
        .collect()
}

async fn finish(fixture: &Fixture, inodes: &[InodeId]) {
    let inodes = inodes.to_vec();
    fixture.root().run(FinishRemovals { inodes }).await.unwrap();
}

#[tokio::test]
async fn what_is_not_finished_is_listed_again() {
    let fixture = Fixture::new().await;
    let mut inodes = Vec::new();
    for at in 2001..=2005 {
        inodes.push(removed(&fixture, "file", at).await);
    }
    assert_eq!(listed(&fixture, 3).await, inodes[..3]);
    finish(&fixture, &inodes[1..3]).await;
    let left = [inodes[0], inodes[3], inodes[4]];
    assert_eq!(listed(&fixture, 2).await, left[..2]);
    assert_eq!(listed(&fixture, 100).await, left);
    finish(&fixture, &left).await;
    assert_eq!(listed(&fixture, 100).await, []);
    fixture.assert_sound().await;
}

#[tokio::test]
async fn a_listing_goes_on_behind_what_stays() {
    let fixture = Fixture::new().await;
    let mut inodes = Vec::new();
    for at in 2001..=2005 {
        inodes.push(removed(&fixture, "file", at).await);
    }
    let after = Some(inodes[1]);
    assert_eq!(listed_after(&fixture, after, 2).await, inodes[2..4]);
    assert_eq!(listed_after(&fixture, after, 10).await, inodes[2..]);
    assert_eq!(listed_after(&fixture, Some(inodes[4]), 10).await, []);
    finish(&fixture, &inodes[1..2]).await;
    assert_eq!(listed_after(&fixture, after, 1).await, inodes[..1]);
}

/// The clock was set back, or one of two removals at once was stamped first and committed last.
#[tokio::test]
async fn what_is_queued_before_the_front_is_found_at_the_latest_when_the_rest_is_gone() {
    let fixture = Fixture::new().await;
    let first = removed(&fixture, "first", 2100).await;
    let second = removed(&fixture, "second", 2200).await;
    assert_eq!(listed(&fixture, 1).await, [first]);
    finish(&fixture, &[first]).await;
    assert_eq!(listed(&fixture, 1).await, [second]);
    fixture.clock.set(10);
    let early = removed(&fixture, "early", 11).await;
    // In its turn or not: what matters is that it comes.
    assert_eq!(listed(&fixture, 2).await, [early, second]);
    finish(&fixture, &[second]).await;
    assert_eq!(listed(&fixture, 1).await, [early]);
    finish(&fixture, &[early]).await;
    assert_eq!(listed(&fixture, 1).await, []);
    // And after a restart the front is not known.
    let left = removed(&fixture, "left", 2300).await;
    let fixture = fixture.crash().await;
    assert_eq!(listed(&fixture, 1).await, [left]);
}
