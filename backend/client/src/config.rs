//! Bounds and times of the striping client.

use std::time::Duration;

/// Bounds and times of the striping client.
#[derive(Clone, Debug)]
pub struct ClientConfig {
    /// Who this is, for administrators to read: host name and role.
    pub name: String,
    /// Of what this process is the only one there can be, so that it ends the session of the one before; empty for nothing.
    pub instance: String,
    /// Whether leases will be held under the session.
    pub holds_leases: bool,
    /// How long a request may take in all, tries and waits included, before it is unavailable.
    pub deadline: Duration,
    /// How long a request waits, of its deadline, for a target that the cluster map says is out of service.
    pub out_of_service_wait: Duration,
    /// How long [`crate::Client::connect`] waits for a cluster to be there and formed.
    pub connect_deadline: Duration,
    /// How often the session is renewed and the map's version looked at.
    pub renewal_interval: Duration,
    /// The wait before a request's second try; doubled before each further one, give or take a half.
    pub backoff_min: Duration,
    /// The longest wait between tries.
    pub backoff_max: Duration,
    /// Pieces of one call under way at once.
    pub pieces_per_call_max: usize,
    /// Bytes under way in all; more wait. The client's memory for data, beside what callers keep of replies.
    pub bytes_in_flight_max: usize,
    /// Bytes under way to one target; more wait. What targets that do not answer can take of
    /// [`ClientConfig::bytes_in_flight_max`] from the others.
    pub bytes_in_flight_per_target_max: usize,
}

impl Default for ClientConfig {
    fn default() -> Self {
        Self {
            name: String::new(),
            instance: String::new(),
            holds_leases: false,
            deadline: Duration::from_secs(30),
            out_of_service_wait: Duration::from_secs(2),
            connect_deadline: Duration::from_secs(30),
            renewal_interval: Duration::from_secs(1),
            backoff_min: Duration::from_millis(10),
            backoff_max: Duration::from_secs(1),
            pieces_per_call_max: 32,
            bytes_in_flight_max: 256 << 20,
            bytes_in_flight_per_target_max: 16 << 20,
        }
    }
}
