//! Calls to clients: that a lock they waited for is theirs (GRANTED), and the answers of the asynchronous procedures.
//!
//! One task waits at the metadata service for grants, and starts a task for each. A client is found by the port mapper on its
//! own machine, and called from the address that it knows this server by: a Linux client takes GRANTED from no other. A
//! client that cannot be called, or does not take what it is told while it should wait, is not believed to be
//! callable for [`DISTRUST`]: meanwhile its waiting is answered so that it asks again by itself.
//!
//! What is said of a grant must be right: a lock taken back from a client that has it would be given to another. So only two
//! things count as refused: that the client was never reached, or that it said no to the first call that it can have
//! got. If a call may have been taken and its reply lost, the grant counts as accepted: a client that did not get it
//! asks again or releases it.
//!
//! Bounds: [`CALLS_MAX`] calls at a time, each as long as `remote` says; [`DISTRUSTED_MAX`] clients.

mod note;
mod remote;

use std::collections::HashMap;
use std::net::{IpAddr, UdpSocket};
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;
use sluice_proto_nfs::nlm::{
    CallerName, Cookie, FileHandleBytes, GrantedArgs, Lock, LockResult, LockStatus, Message, Owner,
    Procedure,
};
use sluice_proto_nfs::xdr::{Decode, Encode};
use sluice_types::{Credentials, FsError};
use sluice_vfs::Caller;
use sluice_wire::meta::{LockGrant, LockGrantEnd};
use tokio::sync::Semaphore;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

pub(crate) use note::CallbackNote;
use remote::{CallFault, Machine};

use crate::engine::Engine;

/// Calls to clients at a time.
const CALLS_MAX: usize = 64;

/// How long a client is not called that could not be, or did not take what it was told.
const DISTRUST: Duration = Duration::from_secs(600);

/// At most so many clients are remembered as such.
const DISTRUSTED_MAX: usize = 4096;

/// How long to wait when the metadata service does not answer.
const PAUSE: Duration = Duration::from_secs(1);

/// What became of the grants of this gateway, and whom it can call.
#[derive(Debug)]
pub(crate) struct LockCallbacks {
    /// Where clients have their port mappers.
    portmap_port: u16,
    /// What is to be said of grants, and of which client.
    ended: Mutex<Vec<(LockGrantEnd, IpAddr)>>,
    /// Until when (monotonic) a client is not called.
    distrusted: Mutex<HashMap<IpAddr, Duration>>,
    places: Arc<Semaphore>,
}

impl LockCallbacks {
    pub(crate) fn new(portmap_port: u16) -> Self {
        Self {
            portmap_port,
            ended: Mutex::default(),
            distrusted: Mutex::default(),
            places: Arc::new(Semaphore::new(CALLS_MAX)),
        }
    }

    /// Whether a client that reached this server at `server` can be told by a call: not if that is not an address of this
    /// machine, as behind a proxy that says so, and not if that failed lately.
    pub(crate) fn can_call(&self, client: IpAddr, server: Option<IpAddr>, now: Duration) -> bool {
        let is_distrusted = {
            let mut distrusted = self.distrusted.lock();
            match distrusted.get(&client) {
                Some(until) if *until > now => true,
                Some(_) => {
                    distrusted.remove(&client);
                    false
                }
                None => false,
            }
        };
        !is_distrusted && server.is_some_and(|server| UdpSocket::bind((server, 0)).is_ok())
    }

    fn distrust(&self, client: IpAddr, now: Duration) {
        let mut distrusted = self.distrusted.lock();
        distrusted.retain(|_, until| *until > now);
        if distrusted.len() < DISTRUSTED_MAX {
            distrusted.insert(client, now + DISTRUST);
        }
    }
}

/// Tells clients of their locks until the gateway stops.
pub(crate) async fn run(engine: Arc<Engine>, tasks: TaskTracker, draining: CancellationToken) {
    let caller = Caller::new(Credentials::root());
    loop {
        let said = std::mem::take(&mut *engine.lock_callbacks.ended.lock());
        let ended = said.iter().map(|(end, _)| *end).collect();
        let answered = tokio::select! {
            () = draining.cancelled() => return,
            answered = engine.files.await_lock_grants(&caller, ended) => answered,
        };
        let grants = match answered {
            Ok(grants) => grants,
            Err(error) => {
                if !error.is_transient() && error != FsError::NotSupported {
                    tracing::warn!(%error, "the metadata service tells of no locks");
                }
                engine.lock_callbacks.ended.lock().extend(said);
                tokio::select! {
                    () = draining.cancelled() => return,
                    () = sleep(PAUSE) => continue,
                }
            }
        };
        let now = engine.clock.monotonic();
        for (end, client) in said {
            if grants.missed.contains(&end.grant) {
                tracing::info!(%client, "a client did not take a lock that it waited for; it has to ask again");
                engine.metrics.lock_callbacks_failed.increment(1);
                engine.lock_callbacks.distrust(client, now);
            }
        }
        for grant in grants.grants {
            let Ok(place) = Arc::clone(&engine.lock_callbacks.places)
                .acquire_owned()
                .await
            else {
                return;
            };
            let engine = Arc::clone(&engine);
            tasks.spawn(async move {
                tell(&engine, &grant).await;
                drop(place);
            });
        }
    }
}

/// Sends the answer of an asynchronous procedure; dropped if too many calls are in work: the client asks again.
pub(crate) fn answer(
    engine: &Arc<Engine>,
    client: IpAddr,
    server: Option<IpAddr>,
    message: &Message<'_>,
) {
    let callbacks = &engine.lock_callbacks;
    let Ok(place) = Arc::clone(&callbacks.places).try_acquire_owned() else {
        return;
    };
    let machine = Machine {
        client,
        server,
        portmap_port: callbacks.portmap_port,
    };
    let (procedure, arguments) = (message.procedure(), message.to_bytes());
    let failed = engine.metrics.lock_callbacks_failed.clone();
    tokio::spawn(async move {
        if machine.call_nlm(procedure, &arguments).await.is_err() {
            failed.increment(1);
        }
        drop(place);
    });
}

/// Tells a client that a lock is its own, and notes what became of that.
async fn tell(engine: &Engine, grant: &LockGrant) {
    let client = grant.lock.owner.client.address;
    engine.metrics.lock_callbacks.increment(1);
    let accepted = match call_granted(engine, grant).await {
        Ok(accepted) => accepted,
        Err(why) => {
            tracing::info!(%client, ?why, "a client could not be told of its lock; it has to ask again");
            let now = engine.clock.monotonic();
            engine.lock_callbacks.distrust(client, now);
            engine.metrics.lock_callbacks_failed.increment(1);
            why.may_have_arrived
        }
    };
    let grant = grant.grant;
    let end = LockGrantEnd { grant, accepted };
    engine.lock_callbacks.ended.lock().push((end, client));
}

async fn call_granted(engine: &Engine, grant: &LockGrant) -> Result<bool, CallFault> {
    let owner = &grant.lock.owner;
    let note = CallbackNote::decode(&grant.note).ok_or_else(CallFault::before_sending)?;
    let number = grant.grant.to_be_bytes();
    let arguments = GrantedArgs {
        cookie: bounded(Cookie::new(&number))?,
        exclusive: grant.lock.exclusive,
        lock: Lock {
            caller: bounded(CallerName::new(&owner.client.name))?,
            file: bounded(FileHandleBytes::new(&note.handle))?,
            owner: bounded(Owner::new(&owner.handle))?,
            process: owner.process,
            offset: grant.lock.range.first(),
            length: grant.lock.range.length(),
        },
    };
    let machine = Machine {
        client: owner.client.address,
        server: note.server,
        portmap_port: engine.lock_callbacks.portmap_port,
    };
    let arguments = arguments.to_bytes();
    let reply = machine.call_nlm(Procedure::Granted, &arguments).await?;
    let result = LockResult::from_bytes(&reply.results).map_err(|_| CallFault::after_sending())?;
    Ok(match result.status {
        LockStatus::Granted => true,
        // It may be the answer to a call that came a second time.
        _ => reply.was_sent_before,
    })
}

fn bounded<T, E>(value: Result<T, E>) -> Result<T, CallFault> {
    value.map_err(|_| CallFault::before_sending())
}
