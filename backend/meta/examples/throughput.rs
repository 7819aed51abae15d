//! Measures the metadata service over its embedded engine: durable creates, with recorded replies and without, lookups and
//! attribute reads.
//!
//! `cargo run --release -p sluice-meta --example throughput -- DIRECTORY [IN_FLIGHT] [SECONDS]`

use std::error::Error;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use sluice_meta::kv::{EmbeddedEngine, EmbeddedOptions};
use sluice_meta::{MetaConfig, MetaService};
use sluice_types::{CallId, Clock, FileName, InodeId, SetAttributes, SystemClock, SystemRng};
use sluice_wire::meta::{
    CallContext, Create, CreateHow, GetInode, Lookup, LookupName, MetadataExt,
};

#[tokio::main(flavor = "multi_thread", worker_threads = 2)]
async fn main() -> Result<(), Box<dyn Error>> {
    let mut arguments = std::env::args().skip(1);
    let directory = PathBuf::from(arguments.next().ok_or("which directory?")?);
    let in_flight: u64 = arguments.next().map_or(Ok(16), |text| text.parse())?;
    let seconds: u64 = arguments.next().map_or(Ok(3), |text| text.parse())?;
    let clock: Arc<dyn Clock> = Arc::new(SystemClock::new());
    let options = EmbeddedOptions::default();
    let engine = Arc::new(EmbeddedEngine::open(&directory, options, clock.clone())?);
    let rng = Arc::new(SystemRng::new());
    let service = MetaService::open(engine, MetaConfig::default(), clock.clone(), rng).await?;
    let bench = Arc::new(Bench {
        service,
        clock,
        lasting: Duration::from_secs(seconds),
        done: AtomicU64::new(0),
    });
    for what in [Load::Create, Load::CreateOnce, Load::Lookup, Load::GetInode] {
        bench.run(what, in_flight).await?;
    }
    Ok(())
}

#[derive(Clone, Copy, Debug)]
enum Load {
    Create,
    /// For a client's call, so that the reply is recorded.
    CreateOnce,
    Lookup,
    GetInode,
}

struct Bench {
    service: Arc<MetaService>,
    clock: Arc<dyn Clock>,
    lasting: Duration,
    done: AtomicU64,
}

impl Bench {
    async fn run(self: &Arc<Self>, what: Load, in_flight: u64) -> Result<(), Box<dyn Error>> {
        self.done.store(0, Ordering::SeqCst);
        let began = self.clock.monotonic();
        let mut tasks = tokio::task::JoinSet::new();
        for task in 0..in_flight {
            let bench = Arc::clone(self);
            tasks.spawn(async move {
                let mut number = 0;
                while bench.clock.monotonic() - began < bench.lasting {
                    bench.one(what, task, number).await?;
                    number += 1;
                    bench.done.fetch_add(1, Ordering::Relaxed);
                }
                Ok::<(), sluice_types::FsError>(())
            });
        }
        for ended in tasks.join_all().await {
            ended?;
        }
        let elapsed = self.clock.monotonic() - began;
        let done = self.done.load(Ordering::SeqCst);
        let rate = done as f64 / elapsed.as_secs_f64();
        let mean_us = elapsed.as_secs_f64() * in_flight as f64 / done as f64 * 1e6;
        println!("{what:?}: {rate:.0}/s with {in_flight} in flight, {mean_us:.1} us each");
        Ok(())
    }

    async fn one(&self, what: Load, task: u64, number: u64) -> Result<(), sluice_types::FsError> {
        let mut context = CallContext::internal();
        let directory = InodeId::ROOT;
        match what {
            Load::Create | Load::CreateOnce => {
                let is_once = matches!(what, Load::CreateOnce);
                context.call = is_once.then(|| call(task, number));
                let kind = if is_once { "once" } else { "file" };
                let name = FileName::new(format!("{kind} {task}.{number}"))?;
                let how = CreateHow::Unchecked(SetAttributes::default());
                let create = Create {
                    directory,
                    name,
                    how,
                };
                self.service.run(&context, create).await.map(drop)
            }
            Load::Lookup => {
                let name = FileName::new(format!("file {task}.{}", number % 50))?;
                let entry = LookupName::Name(name);
                let lookup = Lookup { directory, entry };
                self.service.run(&context, lookup).await.map(drop)
            }
            Load::GetInode => {
                let inode = directory;
                self.service
                    .run(&context, GetInode { inode })
                    .await
                    .map(drop)
            }
        }
    }
}

fn call(task: u64, number: u64) -> CallId {
    CallId {
        client: format!("client {task}@192.0.2.1").into(),
        xid: number as u32,
        procedure: 8,
        checksum: number as u32,
    }
}
