//! Whether metadata and storage agree, and each is sound.

use anyhow::Context as _;
use serde::Serialize;
use sluice_client::check;

use super::Cluster;

/// What a check found.
#[derive(Clone, Debug, Default, Serialize)]
pub struct CheckReport {
    /// Inodes seen.
    pub inodes: u64,
    /// Regular files among them.
    pub files: u64,
    /// Chunks seen on all targets.
    pub chunks: u64,
    /// Space they take, in bytes.
    pub allocated_bytes: u64,
    /// What is wrong, in words: the first ten thousand.
    pub problems: Vec<String>,
    /// How much is wrong in all.
    pub problems_total: u64,
}

impl CheckReport {
    /// Whether nothing is wrong.
    pub fn is_clean(&self) -> bool {
        self.problems_total == 0
    }

    /// For people.
    pub fn text(&self) -> String {
        let found = match self.problems_total {
            0 => "nothing wrong".to_owned(),
            1 => "1 problem".to_owned(),
            many => format!("{many} problems"),
        };
        let mut text = format!(
            "checked {} inodes, {} files, {} chunks: {found}\n",
            self.inodes, self.files, self.chunks
        );
        for problem in &self.problems {
            text.push_str(&format!("  {problem}\n"));
        }
        text
    }
}

impl From<&check::CheckReport> for CheckReport {
    fn from(report: &check::CheckReport) -> Self {
        Self {
            inodes: report.inodes,
            files: report.files,
            chunks: report.chunks,
            allocated_bytes: report.allocated_bytes,
            problems: report.problems.clone(),
            problems_total: report.problems_total,
        }
    }
}

/// Checks everything; `progress` is told now and then how far it is.
///
/// # Errors
/// If the cluster cannot be asked.
pub async fn check(
    cluster: &Cluster,
    progress: impl Fn(&str) + Send + Sync,
) -> anyhow::Result<CheckReport> {
    let client = cluster.client("sluice admin check").await?;
    let tell = |report: &check::CheckReport| {
        progress(&format!(
            "{} inodes, {} chunks, {} problems so far",
            report.inodes, report.chunks, report.problems_total
        ));
    };
    let report = check::run(&client, tell)
        .await
        .context("the check could not be finished")?;
    Ok(CheckReport::from(&report))
}
