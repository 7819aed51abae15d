//! The few lines of HTTP/1.1 that a scraper and a load balancer speak: one GET a connection.
//!
//! Bounds: [`CONNECTIONS_MAX`] connections at once (further ones wait in the listen queue), a request head of at
//! most [`HEAD_BYTES_MAX`], [`REQUEST_DEADLINE`] to send it and [`RESPONSE_DEADLINE`] to take the answer. So slow
//! clients hold at most 64 * (8 KiB + one rendering of the metrics) for 15 s.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::Readiness;
use crate::explain;
use crate::metrics::MetricsPage;

const CONNECTIONS_MAX: usize = 64;
const HEAD_BYTES_MAX: usize = 8 * 1024;
const REQUEST_DEADLINE: Duration = Duration::from_secs(5);
const RESPONSE_DEADLINE: Duration = Duration::from_secs(10);

/// The metrics and health port of a process; it closes when this is dropped.
#[derive(Debug)]
pub struct HealthServer {
    address: SocketAddr,
    accepting: JoinHandle<()>,
    upkeep: JoinHandle<()>,
}

impl HealthServer {
    /// As [`HealthServer::start`], with errors for people: `setting` is what changes the address.
    ///
    /// # Errors
    /// If the address cannot be listened on, and what to do about it.
    pub async fn open(
        address: SocketAddr,
        setting: &str,
        readiness: Readiness,
        metrics: MetricsPage,
    ) -> anyhow::Result<Self> {
        let started = Self::start(address, readiness, metrics).await;
        started.map_err(|error| explain::listen("the metrics port", address, setting, &error))
    }

    /// Listens on `address` and serves from now on.
    ///
    /// # Errors
    /// If the address cannot be listened on.
    pub async fn start(
        address: SocketAddr,
        readiness: Readiness,
        metrics: MetricsPage,
    ) -> io::Result<Self> {
        let listener = TcpListener::bind(address).await?;
        let address = listener.local_addr()?;
        let upkeep = tokio::spawn(metrics.clone().upkeep());
        let pages = Arc::new(Pages { readiness, metrics });
        Ok(Self {
            address,
            accepting: tokio::spawn(accept(listener, pages)),
            upkeep,
        })
    }

    /// Where it listens.
    pub fn address(&self) -> SocketAddr {
        self.address
    }
}

impl Drop for HealthServer {
    fn drop(&mut self) {
        self.accepting.abort();
        self.upkeep.abort();
    }
}

#[derive(Debug)]
struct Pages {
    readiness: Readiness,
    metrics: MetricsPage,
}

async fn accept(listener: TcpListener, pages: Arc<Pages>) {
    const PAUSE_AFTER_ERROR: Duration = Duration::from_millis(100);
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                let pages = Arc::clone(&pages);
                tokio::spawn(async move {
                    // A client that goes away or is too slow is its own loss.
                    let _ended_early = serve(stream, &pages).await;
                    drop(place);
                });
            }
            Err(error) => {
                tracing::warn!(%error, "the metrics port cannot take a connection");
                tokio::time::sleep(PAUSE_AFTER_ERROR).await;
            }
        }
    }
}

async fn serve(mut stream: TcpStream, pages: &Pages) -> io::Result<()> {
    let head = timeout(REQUEST_DEADLINE, read_head(&mut stream)).await??;
    let response = pages.answer(&head);
    timeout(RESPONSE_DEADLINE, async {
        stream.write_all(response.as_bytes()).await?;
        stream.shutdown().await
    })
    .await?
}

/// The request's head, without the blank line; what comes after it is not looked at.
async fn read_head(stream: &mut TcpStream) -> io::Result<Vec<u8>> {
    let mut head = Vec::with_capacity(1024);
    loop {
        if stream.read_buf(&mut head).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        if let Some(end) = head.windows(4).position(|window| window == b"\r\n\r\n") {
            head.truncate(end);
            return Ok(head);
        }
        if head.len() > HEAD_BYTES_MAX {
            return Err(io::ErrorKind::InvalidData.into());
        }
    }
}

impl Pages {
    fn answer(&self, head: &[u8]) -> String {
        let Some((method, path)) = request_line(head) else {
            return response("400 Bad Request", "not an HTTP request\n", true);
        };
        let with_body = method == "GET";
        if !with_body && method != "HEAD" {
            return response("405 Method Not Allowed", "only GET and HEAD\n", true);
        }
        match path {
            "/metrics" => response("200 OK", &self.metrics.render(), with_body),
            "/healthz" => response("200 OK", "alive\n", with_body),
            "/readyz" if self.readiness.is_ready() => response("200 OK", "ready\n", with_body),
            "/readyz" => {
                let why = format!("not ready\n{}", self.readiness.explanation());
                response("503 Service Unavailable", &why, with_body)
            }
            _ => {
                let pages = "here are /metrics, /healthz and /readyz\n";
                response("404 Not Found", pages, with_body)
            }
        }
    }
}

/// Method and path, without a query.
fn request_line(head: &[u8]) -> Option<(&str, &str)> {
    let line = head.split(|byte| *byte == b'\r').next()?;
    let mut words = std::str::from_utf8(line).ok()?.split(' ');
    let (method, target, version) = (words.next()?, words.next()?, words.next()?);
    let path = target.split('?').next()?;
    version.starts_with("HTTP/1.").then_some((method, path))
}

fn response(status: &str, body: &str, with_body: bool) -> String {
    let length = body.len();
    let body = if with_body { body } else { "" };
    format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/plain; version=0.0.4; charset=utf-8\r\n\
         content-length: {length}\r\nconnection: close\r\n\r\n{body}"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn ask(address: SocketAddr, request: &str) -> String {
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(request.as_bytes()).await.unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).await.unwrap();
        answer
    }

    async fn start() -> (HealthServer, Readiness) {
        let readiness = Readiness::new();
        let address = SocketAddr::from(([127, 0, 0, 1], 0));
        let server = HealthServer::start(address, readiness.clone(), MetricsPage::install());
        (server.await.unwrap(), readiness)
    }

    #[tokio::test]
    async fn readiness_is_told_with_its_reasons() {
        let (server, readiness) = start().await;
        let condition = readiness.condition("metadata");
        condition.unmet("10.0.0.1:7400 does not answer");
        let answer = ask(server.address(), "GET /readyz HTTP/1.1\r\n\r\n").await;
        assert!(answer.starts_with("HTTP/1.1 503 "), "{answer}");
        assert!(
            answer.ends_with("metadata: 10.0.0.1:7400 does not answer\n"),
            "{answer}"
        );
        condition.met();
        let answer = ask(
            server.address(),
            "GET /readyz?x=1 HTTP/1.0\r\nhost: x\r\n\r\n",
        )
        .await;
        assert!(answer.starts_with("HTTP/1.1 200 "), "{answer}");
    }

    #[tokio::test]
    async fn metrics_and_health_and_nothing_else() {
        let (server, _readiness) = start().await;
        let answer = ask(server.address(), "GET /metrics HTTP/1.1\r\n\r\n").await;
        assert!(
            answer.contains("sluice_process_resident_bytes "),
            "{answer}"
        );
        let answer = ask(server.address(), "HEAD /healthz HTTP/1.1\r\n\r\n").await;
        assert!(
            answer.starts_with("HTTP/1.1 200 ") && answer.ends_with("\r\n\r\n"),
            "{answer}"
        );
        for (request, status) in [
            ("POST /metrics HTTP/1.1\r\n\r\n", "405"),
            ("GET /etc/passwd HTTP/1.1\r\n\r\n", "404"),
            ("\u{1}\u{2}\r\n\r\n", "400"),
        ] {
            let answer = ask(server.address(), request).await;
            assert_eq!(answer.split(' ').nth(1), Some(status), "{answer}");
        }
    }

    #[tokio::test]
    async fn an_endless_head_is_cut_off() {
        let (server, _readiness) = start().await;
        let mut stream = TcpStream::connect(server.address()).await.unwrap();
        let mut sent = 0;
        // The server closes; at the latest then a write fails.
        while stream.write_all(&[b'x'; 4096]).await.is_ok() {
            sent += 4096;
            assert!(sent < 64 * 1024 * 1024, "the server keeps reading");
        }
    }
}
