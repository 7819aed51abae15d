//! Bytes as they are, for tests of what no decent client sends.

use std::io::{ErrorKind, Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::Result;

/// A blocking connection without any idea of a protocol.
#[derive(Debug)]
pub struct RawConnection {
    stream: TcpStream,
}

/// How the server took what was sent.
#[derive(Debug, PartialEq, Eq)]
pub enum Answer {
    /// Bytes came.
    Bytes(Vec<u8>),
    /// The server closed the connection.
    Closed,
    /// Neither, within the time given.
    Nothing,
}

impl RawConnection {
    /// Connects.
    ///
    /// # Errors
    /// If the server does not accept.
    pub fn connect(address: SocketAddr) -> Result<Self> {
        let stream = TcpStream::connect_timeout(&address, Duration::from_secs(10))?;
        stream.set_nodelay(true)?;
        stream.set_write_timeout(Some(Duration::from_secs(10)))?;
        Ok(Self { stream })
    }

    /// Sends bytes; false if the server has closed the connection.
    pub fn send(&mut self, bytes: &[u8]) -> bool {
        self.stream.write_all(bytes).is_ok()
    }

    /// Sends a message as one record.
    pub fn send_record(&mut self, message: &[u8]) -> bool {
        let marker = (1 << 31) | message.len() as u32;
        self.send(&marker.to_be_bytes()) && self.send(message)
    }

    /// What comes next, within `patience`.
    ///
    /// # Errors
    /// If the socket itself fails.
    pub fn answer(&mut self, patience: Duration) -> Result<Answer> {
        self.stream.set_read_timeout(Some(patience))?;
        let mut buffer = vec![0; 64 * 1024];
        match self.stream.read(&mut buffer) {
            Ok(0) => Ok(Answer::Closed),
            Ok(count) => {
                buffer.truncate(count);
                Ok(Answer::Bytes(buffer))
            }
            Err(error) => match error.kind() {
                ErrorKind::WouldBlock | ErrorKind::TimedOut => Ok(Answer::Nothing),
                ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => Ok(Answer::Closed),
                _ => Err(error.into()),
            },
        }
    }
}
