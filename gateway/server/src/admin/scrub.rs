//! Whether all that is stored can be read and is what was written.

use std::cell::RefCell;

use futures::future::join_all;
use serde::Serialize;
use sluice_client::Client;
use sluice_types::{ChunkId, FsError, TargetId};

use super::Cluster;

/// The most damaged chunks that are named.
const DAMAGED_MAX: usize = 10_000;

/// What a scrub found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct ScrubReport {
    /// Bytes read and compared with their checksums.
    pub checked_bytes: u64,
    /// Chunks of which something is damaged: the first ten thousand, by target.
    pub damaged: Vec<DamagedChunk>,
    /// How many there are in all.
    pub damaged_total: u64,
    /// Targets that were not scrubbed to their end, and why.
    pub unfinished: Vec<String>,
}

/// A chunk of which something cannot be read, or is not what was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
pub struct DamagedChunk {
    /// The target that has it.
    pub target: u32,
    /// The file's inode: what `find -inum` and `ls -i` call it on a mount.
    pub inode: u64,
    /// Its number in the file.
    pub chunk: u32,
}

impl ScrubReport {
    /// Whether all was read and nothing is damaged.
    pub fn is_clean(&self) -> bool {
        self.damaged_total == 0 && self.unfinished.is_empty()
    }

    /// For people.
    pub fn text(&self) -> String {
        let found = match self.damaged_total {
            0 => "nothing damaged".to_owned(),
            1 => "1 damaged chunk".to_owned(),
            many => format!("{many} damaged chunks"),
        };
        let mut text = format!("read {} bytes: {found}\n", self.checked_bytes);
        for damaged in &self.damaged {
            text.push_str(&format!(
                "  inode {} chunk {} on target {}\n",
                damaged.inode, damaged.chunk, damaged.target
            ));
        }
        for unfinished in &self.unfinished {
            text.push_str(&format!("  {unfinished}\n"));
        }
        text
    }

    fn add(&mut self, target: TargetId, checked_bytes: u64, damaged: &[ChunkId]) {
        self.checked_bytes += checked_bytes;
        self.damaged_total += damaged.len() as u64;
        let room = DAMAGED_MAX.saturating_sub(self.damaged.len());
        let named = damaged.iter().take(room).map(|chunk| DamagedChunk {
            target: target.raw(),
            inode: chunk.inode.raw(),
            chunk: chunk.index.raw(),
        });
        self.damaged.extend(named);
    }
}

/// Scrubs all targets at the same time; `progress` is told now and then how far it is.
///
/// # Errors
/// If the cluster cannot be asked. A target that cannot be is told of in the report.
pub async fn scrub(cluster: &Cluster, progress: impl Fn(&str)) -> anyhow::Result<ScrubReport> {
    let client = cluster.client("sluice admin scrub").await?;
    let report = RefCell::new(ScrubReport::default());
    let targets = client.map().targets.clone();
    // Asked shortly first: a step has a long deadline, and would be tried again all that time.
    let asked = targets.iter().map(|target| client.target_status(target.id));
    let asked = join_all(asked).await;
    let used_bytes: u64 = asked.iter().flatten().map(|status| status.used_bytes).sum();
    let tell = |report: &ScrubReport| {
        // Data in memory is not read, so it may end before all.
        let percent = (report.checked_bytes * 100).checked_div(used_bytes);
        progress(&format!(
            "{}% of {used_bytes} bytes read, {} damaged chunks so far",
            percent.unwrap_or(100).min(100),
            report.damaged_total
        ));
    };
    let scrubs = targets.iter().zip(asked).map(|(target, asked)| {
        let (client, report, tell) = (&client, &report, &tell);
        async move {
            let scrubbed = match asked {
                Ok(_) => scrub_target(client, target.id, report, tell).await,
                Err(error) => Err(error),
            };
            if let Err(error) = scrubbed {
                let why = format!("target {} was not read to its end: {error}", target.id);
                report.borrow_mut().unfinished.push(why);
            }
        }
    });
    join_all(scrubs).await;
    let mut report = report.into_inner();
    report.damaged.sort_unstable();
    Ok(report)
}

async fn scrub_target(
    client: &Client,
    target: TargetId,
    report: &RefCell<ScrubReport>,
    tell: &impl Fn(&ScrubReport),
) -> Result<(), FsError> {
    let mut after = None;
    loop {
        let step = client.scrub_step(target, after).await?;
        {
            let mut report = report.borrow_mut();
            report.add(target, step.checked_bytes, &step.damaged);
            tell(&report);
        }
        after = step.next;
        if after.is_none() {
            return Ok(());
        }
    }
}

#[cfg(test)]
mod tests {
    use sluice_types::{ChunkIndex, InodeId};

    use super::*;

    #[test]
    fn damage_is_named_and_counted() {
        let mut report = ScrubReport::default();
        assert!(report.is_clean());
        let chunk = |index| ChunkId {
            inode: InodeId::new(42).expect("not zero"),
            index: ChunkIndex::new(index),
        };
        report.add(TargetId::new(3), 4096, &[chunk(7)]);
        assert!(!report.is_clean());
        let expected = "read 4096 bytes: 1 damaged chunk\n  inode 42 chunk 7 on target 3\n";
        assert_eq!(report.text(), expected);
        let many: Vec<ChunkId> = (0..DAMAGED_MAX as u32).map(chunk).collect();
        report.add(TargetId::new(4), 0, &many);
        assert_eq!(report.damaged.len(), DAMAGED_MAX);
        assert_eq!(report.damaged_total, DAMAGED_MAX as u64 + 1);
    }

    #[test]
    fn a_target_that_was_not_read_is_not_clean() {
        let report = ScrubReport {
            unfinished: vec!["target 2 was not read to its end: away".to_owned()],
            ..ScrubReport::default()
        };
        assert!(!report.is_clean());
        assert!(report.text().contains("target 2"));
    }
}
