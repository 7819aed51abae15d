//! A stock Linux NFS client that boots in about two seconds: Debian's User-Mode Linux, on a
//! network of its own.
//!
//! A [`Network`] is a network namespace with a bridge. The server side is [`SERVER_ADDRESS`]; a
//! process started with [`Network::server_command`] lives there, and [`Network::enter`] runs a
//! closure of the test itself there (the sockets it opens stay in that network). Each [`Guest`]
//! is one more host on the bridge. Namespaces have unique names, so test runs in parallel do not
//! meet, and nothing leaves them.
//!
//! A guest sees the host's files read-only, has its own `/tmp`, `/run`, `/var`, `/etc` and
//! `/root` (the repository and the target folder are seen even there), and, if given one, an output
//! folder read-write at `/run/out`. It runs one shell script as root, with `$SERVER` the server's
//! address and `/run/mnt` an empty folder to mount on.
//!
//! What is started is stopped when its value is dropped, on a panic too: only by the process ids
//! that were started here. What a killed test run left behind is removed by the next one.

mod machine;
mod network;
mod running;

pub use machine::{Guest, Output};
pub use network::{Network, SERVER_ADDRESS};
pub use running::RunningGuest;
