//! Results as a table for people and as JSON for programs.

use std::fmt::Write as _;

use serde::Serialize;

use crate::measure::Measured;

/// One load's result.
#[derive(Debug, Serialize)]
pub struct Row {
    /// The load.
    pub load: &'static str,
    /// Calls a second.
    pub calls_per_second: f64,
    /// Payload, in GiB a second; zero for calls without.
    pub gib_per_second: f64,
    /// Half of the calls took no longer, in microseconds.
    pub p50_us: f64,
    /// 99 % of the calls took no longer, in microseconds.
    pub p99_us: f64,
    /// Server CPU time for a call, in microseconds.
    pub cpu_us_per_call: Option<f64>,
    /// Server CPU time for a GiB of payload, in seconds.
    pub cpu_s_per_gib: Option<f64>,
}

impl Row {
    /// The row of a load whose calls carried `bytes` in all.
    pub fn new(load: &'static str, measured: &Measured, bytes: u64) -> Self {
        let seconds = measured.elapsed.as_secs_f64();
        let calls = measured.latencies.len() as f64;
        let gib = bytes as f64 / f64::from(1 << 30);
        let cpu = measured.cpu_seconds;
        Self {
            load,
            calls_per_second: calls / seconds,
            gib_per_second: gib / seconds,
            p50_us: measured.percentile(0.50).as_secs_f64() * 1e6,
            p99_us: measured.percentile(0.99).as_secs_f64() * 1e6,
            cpu_us_per_call: cpu.map(|cpu| cpu * 1e6 / calls),
            cpu_s_per_gib: cpu.filter(|_| bytes > 0).map(|cpu| cpu / gib),
        }
    }
}

/// The results as a table.
pub fn table(rows: &[Row]) -> String {
    let mut text = format!(
        "{:<34} {:>10} {:>8} {:>10} {:>10} {:>12} {:>10}\n",
        "load", "calls/s", "GiB/s", "p50 us", "p99 us", "CPU us/call", "CPU s/GiB"
    );
    for row in rows {
        let optional =
            |value: Option<f64>| value.map_or("-".to_owned(), |value| format!("{value:.2}"));
        // Writing to a String cannot fail.
        let _ = writeln!(
            text,
            "{:<34} {:>10.0} {:>8.2} {:>10.0} {:>10.0} {:>12} {:>10}",
            row.load,
            row.calls_per_second,
            row.gib_per_second,
            row.p50_us,
            row.p99_us,
            optional(row.cpu_us_per_call),
            optional(row.cpu_s_per_gib),
        );
    }
    text
}
