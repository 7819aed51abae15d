//! The metrics of links: names, units and help.
//!
//! Labels: `side` is `client` for who made the connection, `server` for who accepted it; `service` is `metadata` or
//! `storage`; `reason` one of [`LinkError::kind`](crate::links::LinkError::kind).

use metrics::Unit;

/// Connections inside the cluster that ended before both sides had proved their cluster key, by side, service and reason.
pub const LINKS_REFUSED: &str = "sluice_links_refused_total";

/// Tells the recorder what the metrics mean. Call once, after the recorder is installed.
pub fn describe() {
    metrics::describe_counter!(
        LINKS_REFUSED,
        Unit::Count,
        "Connections inside the cluster that ended before both sides had proved their key"
    );
}

/// Counts a link that was not made.
pub(crate) fn link_refused(side: &'static str, service: &'static str, reason: &'static str) {
    let labels = [("side", side), ("service", service), ("reason", reason)];
    metrics::counter!(LINKS_REFUSED, &labels).increment(1);
}
