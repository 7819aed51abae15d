//! What can be set of the file service.

use std::time::Duration;

/// What can be set of the file service; the defaults suit a gateway with a few GiB of memory.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VfsConfig {
    /// How long a file must not have been written until its writing is over.
    pub session_idle: Duration,
    /// How often sizes and times of files being written are told to the metadata service: what a lost gateway can be behind,
    /// until storage is asked.
    pub report_interval: Duration,
    /// How long unstable data may lie on storage after the last write, until the gateway commits it itself.
    pub commit_idle: Duration,
    /// At most so many files are being written at a time; more writers wait.
    pub sessions_max: usize,
    /// How long a writer waits for another file's writing to be over before it is told to try again.
    pub session_wait: Duration,
    /// How many sessions are reported or ended at a time in the background.
    pub reports_in_flight_max: usize,
    /// For how many files storage is asked at a time in the background: to commit, or to finish what was left open. Files
    /// of an absent target take these places, never those above.
    pub storage_work_in_flight_max: usize,
    /// How long after a failure storage is not asked again for the same file in the background.
    pub storage_work_pause: Duration,
    /// How far a sequential reader's blocks are fetched ahead, in bytes; 0 for never.
    pub read_ahead_bytes_max: u64,
    /// How many ranges of 1 MiB are fetched ahead at a time, over all files.
    pub read_ahead_in_flight_max: usize,
    /// Memory for remembered inodes, in bytes.
    pub attribute_cache_bytes: u64,
    /// Memory for remembered names, in bytes.
    pub name_cache_bytes: u64,
    /// How long the space that storage reported counts as current.
    pub status_age_max: Duration,
    /// How long a target, or the metadata service, is waited for when it is asked for its space.
    pub status_wait: Duration,
    /// How long calls to a file that cannot be made ready, because what an earlier life of the gateway left
    /// open cannot be finished now, are answered with the same failure at once.
    pub settle_failure_memory: Duration,
    /// How long a change of which it is not known whether the metadata service carried it out keeps what it would change
    /// from being remembered. Longer than any call can be on its way.
    pub uncertain_change: Duration,
}

impl Default for VfsConfig {
    fn default() -> Self {
        Self {
            session_idle: Duration::from_secs(2),
            report_interval: Duration::from_secs(1),
            commit_idle: Duration::from_secs(30),
            sessions_max: 65_536,
            session_wait: Duration::from_secs(10),
            reports_in_flight_max: 64,
            storage_work_in_flight_max: 64,
            storage_work_pause: Duration::from_secs(10),
            read_ahead_bytes_max: 8 * 1024 * 1024,
            read_ahead_in_flight_max: 64,
            attribute_cache_bytes: 64 * 1024 * 1024,
            name_cache_bytes: 32 * 1024 * 1024,
            status_age_max: Duration::from_secs(1),
            status_wait: Duration::from_secs(2),
            settle_failure_memory: Duration::from_secs(1),
            uncertain_change: Duration::from_secs(60),
        }
    }
}
