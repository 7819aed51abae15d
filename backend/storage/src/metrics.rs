//! Names, units and help of a storage daemon's metrics. What happens inside a target is in
//! `sluice_store::metrics`.

use metrics::{Unit, describe_counter, describe_gauge};

/// Requests refused before they reached a store, by `reason`.
pub const REFUSED: &str = "sluice_storage_refused_total";
/// Reports to the metadata service that failed.
pub const REPORT_ERRORS: &str = "sluice_storage_report_errors_total";
/// Targets by `state`: `serving` or `failed`.
pub const TARGETS: &str = "sluice_storage_targets";

/// Tells the recorder units and help of all metrics here.
pub fn describe() {
    describe_counter!(
        REFUSED,
        Unit::Count,
        "Requests refused before they reached a store"
    );
    describe_counter!(
        REPORT_ERRORS,
        Unit::Count,
        "Reports to the metadata service that failed"
    );
    describe_gauge!(
        TARGETS,
        Unit::Count,
        "Storage targets of this process by state"
    );
}
