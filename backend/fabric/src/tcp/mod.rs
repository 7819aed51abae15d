//! The data plane over TCP.
//!
//! A few connections lead from each asker to each daemon; requests take them in turn, many at once, and are
//! answered in any order. Each connection has a task that reads and one that writes, so that neither
//! direction waits for the other. Frames are written with vectored writes straight from the payload's
//! pieces, and payloads are read straight into page-aligned pooled buffers.
//!
//! Who waits for what: before a request takes memory it takes places and bytes from budgets, on both
//! sides: the asker for the larger of payload and expected reply before it sends, the server the
//! same before it reads the payload. A server whose budget is used up stops reading its sockets. Readers
//! of replies never wait for a budget (their space was reserved when the request went out), so the two
//! sides cannot wait for each other.
//!
//! Memory of a transport, at most: `bytes_in_flight_max` + idle buffers + for each connection 4 KiB read
//! buffer and one message. Of a server: `bytes_in_flight_max` + idle buffers + `connections_max` times the
//! same. What a handler or caller keeps of a payload after the reply is its own to bound.

mod budget;
mod client;
mod connection;
mod options;
mod peer;
mod receive;
mod send;
mod server;
mod session;

pub use client::TcpTransport;
pub use options::{TcpOptions, TcpServerOptions};
pub use server::TcpServer;

#[cfg(test)]
mod tests;
