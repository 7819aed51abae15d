//! The process's own metrics, and the page on which all crates' metrics are shown.
//!
//! Histograms are true Prometheus histograms with fixed buckets, by the unit that ends their name, so that
//! they can be added up over gateways.

use std::fs;
use std::sync::OnceLock;
use std::time::Duration;

use metrics::{Unit, counter, describe_gauge, gauge};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle};
use sluice_types::{Clock as _, SystemClock};

/// Physical memory that the process has.
pub const RESIDENT_BYTES: &str = "sluice_process_resident_bytes";
/// Processor time that the process took since its start, in seconds.
pub const CPU_SECONDS: &str = "sluice_process_cpu_seconds";
/// Open file descriptors.
pub const OPEN_FDS: &str = "sluice_process_open_fds";
/// The most file descriptors it may have.
pub const OPEN_FDS_MAX: &str = "sluice_process_open_fds_max";
/// Threads.
pub const THREADS: &str = "sluice_process_threads";
/// When the process started, in seconds since the epoch.
pub const START_TIME_SECONDS: &str = "sluice_process_start_time_seconds";
/// 1, with the version as a label.
pub const BUILD_INFO: &str = "sluice_process_build_info";

/// Upper bounds in seconds: 5 us to 30 s, two or three a decade.
const SECONDS_BUCKETS: &[f64] = &[
    0.000_005, 0.000_01, 0.000_025, 0.000_05, 0.000_1, 0.000_25, 0.000_5, 0.001, 0.002_5, 0.005,
    0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0,
];
/// Upper bounds in bytes: 512 B to 64 MiB.
const BYTES_BUCKETS: &[f64] = &[
    512.0,
    4_096.0,
    16_384.0,
    65_536.0,
    131_072.0,
    262_144.0,
    524_288.0,
    1_048_576.0,
    4_194_304.0,
    16_777_216.0,
    67_108_864.0,
];
/// Upper bounds of counts, as of a batch's members.
const COUNT_BUCKETS: &[f64] = &[
    1.0, 2.0, 4.0, 8.0, 16.0, 32.0, 64.0, 128.0, 256.0, 512.0, 1_024.0, 4_096.0,
];

/// Says what this crate's metrics mean.
pub fn describe() {
    describe_gauge!(
        RESIDENT_BYTES,
        Unit::Bytes,
        "Physical memory that the process has."
    );
    describe_gauge!(
        CPU_SECONDS,
        Unit::Seconds,
        "Processor time that the process took since its start."
    );
    describe_gauge!(OPEN_FDS, "Open file descriptors.");
    describe_gauge!(
        OPEN_FDS_MAX,
        "The most file descriptors the process may have."
    );
    describe_gauge!(THREADS, "Threads of the process.");
    describe_gauge!(
        START_TIME_SECONDS,
        Unit::Seconds,
        "When the process started, since the epoch."
    );
    describe_gauge!(BUILD_INFO, "1, with the version as a label.");
}

/// Describes the metrics of every crate in the process.
pub fn describe_all() {
    describe();
    sluice_cache::metrics::describe();
    sluice_client::metrics::describe();
    sluice_fabric::metrics::describe();
    sluice_gateway_nfs::metrics::describe();
    sluice_meta::metrics::describe();
    sluice_storage::metrics::describe();
    sluice_store::metrics::describe();
    sluice_vfs::metrics::describe();
    sluice_wire::metrics::describe();
}

/// Counters that are made when something first goes wrong: shown as 0 until then, so that the first error is seen as a
/// rise, and what a dashboard asks for is there.
const FROM_ZERO: [&str; 9] = [
    sluice_client::metrics::RECLAIM_FAILURES,
    sluice_client::metrics::RENEWAL_FAILURES,
    sluice_client::metrics::RETRIES,
    sluice_fabric::metrics::ERRORS,
    sluice_gateway_nfs::metrics::ERRORS,
    sluice_meta::metrics::ERRORS_TOTAL,
    sluice_storage::metrics::REFUSED,
    sluice_storage::metrics::REPORT_ERRORS,
    sluice_wire::metrics::LINKS_REFUSED,
];

/// The page `/metrics`: everything recorded in this process.
#[derive(Clone, Debug)]
pub struct MetricsPage {
    handle: Option<PrometheusHandle>,
}

impl MetricsPage {
    /// The process's page. The first call makes it the process's recorder of metrics.
    pub fn install() -> Self {
        static HANDLE: OnceLock<Option<PrometheusHandle>> = OnceLock::new();
        let handle = HANDLE.get_or_init(|| match recorder() {
            Ok(handle) => Some(handle),
            Err(error) => {
                tracing::error!(%error, "metrics cannot be recorded");
                None
            }
        });
        Self {
            handle: handle.clone(),
        }
    }

    /// The page, in Prometheus' text format.
    pub fn render(&self) -> String {
        sample_process();
        self.handle
            .as_ref()
            .map(PrometheusHandle::render)
            .unwrap_or_default()
    }

    /// Folds recorded samples into buckets now and then, so that they take no memory when nobody asks for the page.
    pub async fn upkeep(self) {
        const PERIOD: Duration = Duration::from_secs(5);
        let Some(handle) = self.handle else { return };
        loop {
            tokio::time::sleep(PERIOD).await;
            handle.run_upkeep();
        }
    }
}

fn recorder() -> Result<PrometheusHandle, metrics_exporter_prometheus::BuildError> {
    let suffix = |text: &str| Matcher::Suffix(text.to_owned());
    let handle = PrometheusBuilder::new()
        .set_buckets(COUNT_BUCKETS)?
        .set_buckets_for_metric(suffix("_seconds"), SECONDS_BUCKETS)?
        .set_buckets_for_metric(suffix("_bytes"), BYTES_BUCKETS)?
        .install_recorder()?;
    describe_all();
    for name in FROM_ZERO {
        counter!(name).absolute(0);
    }
    gauge!(START_TIME_SECONDS).set(SystemClock::new().now().seconds() as f64);
    gauge!(BUILD_INFO, "version" => env!("CARGO_PKG_VERSION")).set(1.0);
    Ok(handle)
}

/// Takes the process's figures from the kernel; what cannot be read keeps its last value.
fn sample_process() {
    if let Some(stat) = fs::read_to_string("/proc/self/stat")
        .ok()
        .as_deref()
        .and_then(Stat::parse)
    {
        gauge!(RESIDENT_BYTES).set(stat.resident_bytes as f64);
        gauge!(CPU_SECONDS).set(stat.cpu_seconds);
        gauge!(THREADS).set(stat.threads as f64);
    }
    if let Ok(entries) = fs::read_dir("/proc/self/fd") {
        gauge!(OPEN_FDS).set(entries.count() as f64);
    }
    let limit = rustix::process::getrlimit(rustix::process::Resource::Nofile);
    gauge!(OPEN_FDS_MAX).set(limit.current.map_or(f64::INFINITY, |limit| limit as f64));
}

/// What is wanted of proc_pid_stat(5).
#[derive(Clone, Copy, Debug, PartialEq)]
struct Stat {
    cpu_seconds: f64,
    threads: u64,
    resident_bytes: u64,
}

impl Stat {
    fn parse(text: &str) -> Option<Self> {
        // Linux shows user time in ticks of 1/100 s whatever its own tick is.
        const TICKS_PER_SECOND: f64 = 100.0;
        // The command's name may hold anything, also a parenthesis; fields are counted from 3 behind its end.
        let (_, rest) = text.rsplit_once(')')?;
        let fields: Vec<&str> = rest.split_ascii_whitespace().collect();
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        Some(Self {
            cpu_seconds: (field(14)? + field(15)?) as f64 / TICKS_PER_SECOND,
            threads: field(20)?,
            resident_bytes: field(24)? * rustix::param::page_size() as u64,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_this_process() {
        let text = fs::read_to_string("/proc/self/stat").unwrap();
        let stat = Stat::parse(&text).unwrap();
        assert!(stat.resident_bytes > 1024 * 1024, "{stat:?}");
        assert!(stat.threads >= 1, "{stat:?}");
        let odd = "7 (a) b) S 1 1 1 0 -1 0 0 0 0 0 150 50 0 0 20 0 3 0 9 100 2 9";
        let stat = Stat::parse(odd).unwrap();
        assert_eq!((stat.cpu_seconds, stat.threads), (2.0, 3));
        assert_eq!(Stat::parse("7 (a"), None);
    }

    #[test]
    fn histograms_have_buckets() {
        let page = MetricsPage::install();
        metrics::histogram!("sluice_process_test_seconds").record(0.000_02);
        let text = page.render();
        assert!(
            text.contains("sluice_process_test_seconds_bucket{le=\"0.000025\"} 1"),
            "{text}"
        );
        assert!(
            text.contains("sluice_process_build_info{version="),
            "{text}"
        );
    }
}
