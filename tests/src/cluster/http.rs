//! The little HTTP that a test needs.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, Result};

use crate::guest::Network;

/// An answer.
#[derive(Debug)]
pub struct HttpAnswer {
    /// The status: 200 and so on.
    pub status: u16,
    /// The body.
    pub body: String,
}

/// GETs `path` from a server in `network`.
///
/// # Errors
/// If nobody answers in ten seconds.
pub fn http_get(network: &Network, server: SocketAddr, path: &str) -> Result<HttpAnswer> {
    network.enter(|| {
        let patience = Duration::from_secs(10);
        let mut stream = TcpStream::connect_timeout(&server, patience)?;
        stream.set_read_timeout(Some(patience))?;
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nHost: {server}\r\nConnection: close\r\n\r\n"
        )?;
        let mut bytes = Vec::new();
        stream.read_to_end(&mut bytes)?;
        parse(&String::from_utf8_lossy(&bytes))
    })?
}

fn parse(text: &str) -> Result<HttpAnswer> {
    let (head, body) = text
        .split_once("\r\n\r\n")
        .context("no end of the header")?;
    let status = head.split(' ').nth(1).context("no status")?.parse()?;
    let chunked = head
        .to_ascii_lowercase()
        .contains("transfer-encoding: chunked");
    let body = if chunked {
        unchunk(body)?
    } else {
        body.to_owned()
    };
    Ok(HttpAnswer { status, body })
}

fn unchunk(mut rest: &str) -> Result<String> {
    let mut body = String::new();
    loop {
        let (length, after) = rest.split_once("\r\n").context("a chunk has no length")?;
        let length = usize::from_str_radix(length.trim(), 16)?;
        if length == 0 {
            return Ok(body);
        }
        body.push_str(after.get(..length).context("a chunk is cut short")?);
        rest = after.get(length + 2..).context("a chunk has no end")?;
    }
}
