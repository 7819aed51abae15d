//! The durable side of sessions: each change is one transaction, and durable when it returns.

use std::sync::Arc;

use sluice_types::{FenceEpoch, SessionId};

use super::SESSIONS_MAX;
use crate::error::MetaError;
use crate::kv::{CommitPoint, Engine, Isolation, Key, KvError, Transaction};
use crate::records::{SessionRecord, decode_number, encode_number, keys};

/// What is stored of sessions.
pub(super) struct Stored {
    pub(super) open: Vec<(SessionId, SessionRecord)>,
    pub(super) epoch: FenceEpoch,
    pub(super) next: SessionId,
    /// How often the service started, this time included.
    pub(super) starts: u64,
}

/// Loads what is stored and counts a start of the service; with `forget_all`, no session is open any more.
pub(super) async fn load(engine: &Arc<dyn Engine>, forget_all: bool) -> Result<Stored, MetaError> {
    let mut transaction = engine.begin(Isolation::Serializable);
    let mut open = open_sessions(&mut *transaction).await?;
    let mut epoch = number(&mut *transaction, &keys::fence_epoch()).await?;
    let starts = number(&mut *transaction, &keys::starts()).await? + 1;
    let last = number(&mut *transaction, &keys::last_session()).await?;
    if forget_all && !open.is_empty() {
        epoch += 1;
        for (id, _) in open.drain(..) {
            transaction.delete(keys::session(id));
        }
        transaction.put(keys::fence_epoch(), encode_number(epoch));
    }
    transaction.put(keys::starts(), encode_number(starts));
    engine.durable(transaction.commit().await?).await?;
    Ok(Stored {
        open,
        epoch: FenceEpoch::new(epoch),
        next: SessionId::new(last + 1),
        starts,
    })
}

/// Stores a new session and ends its predecessors.
pub(super) async fn begin(
    engine: &Arc<dyn Engine>,
    record: &SessionRecord,
    predecessors: &[SessionId],
) -> Result<(SessionId, FenceEpoch), MetaError> {
    loop {
        let mut transaction = engine.begin(Isolation::Serializable);
        let last = number(&mut *transaction, &keys::last_session()).await?;
        let id = SessionId::new(last + 1);
        transaction.put(keys::last_session(), encode_number(id.raw()));
        transaction.put(keys::session(id), record.encode());
        let epoch = remove(&mut *transaction, predecessors).await?;
        if let Some(point) = committed(transaction).await? {
            engine.durable(point).await?;
            return Ok((id, epoch));
        }
    }
}

/// Ends sessions.
pub(super) async fn end(
    engine: &Arc<dyn Engine>,
    ids: &[SessionId],
) -> Result<FenceEpoch, MetaError> {
    loop {
        let mut transaction = engine.begin(Isolation::Serializable);
        let epoch = remove(&mut *transaction, ids).await?;
        if let Some(point) = committed(transaction).await? {
            engine.durable(point).await?;
            return Ok(epoch);
        }
    }
}

async fn remove(
    transaction: &mut dyn Transaction,
    ids: &[SessionId],
) -> Result<FenceEpoch, MetaError> {
    let mut epoch = number(transaction, &keys::fence_epoch()).await?;
    if !ids.is_empty() {
        epoch += 1;
        transaction.put(keys::fence_epoch(), encode_number(epoch));
    }
    for id in ids {
        transaction.delete(keys::session(*id));
    }
    Ok(FenceEpoch::new(epoch))
}

/// `None` if the transaction is to be run again.
async fn committed(transaction: Box<dyn Transaction>) -> Result<Option<CommitPoint>, MetaError> {
    match transaction.commit().await {
        Ok(point) => Ok(Some(point)),
        Err(KvError::Conflict) => {
            tokio::task::yield_now().await;
            Ok(None)
        }
        Err(error) => Err(error.into()),
    }
}

async fn open_sessions(
    transaction: &mut dyn Transaction,
) -> Result<Vec<(SessionId, SessionRecord)>, MetaError> {
    let pairs = transaction
        .range(&keys::sessions(), SESSIONS_MAX + 1)
        .await?;
    let sessions = pairs.into_iter().filter_map(|(key, value)| {
        let id = keys::parse_session(&key)?;
        Some(SessionRecord::decode(&value).map(|record| (id, record)))
    });
    sessions.collect()
}

async fn number(transaction: &mut dyn Transaction, key: &Key) -> Result<u64, MetaError> {
    let value = transaction.get(key).await?;
    value.map_or(Ok(0), |value| decode_number("number", &value))
}
