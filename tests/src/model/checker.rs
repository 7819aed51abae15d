//! Performs operations on a subject and on the model, and compares.

use std::collections::{BTreeMap, VecDeque};

use sluice_types::{FileKind, FsError, Stability};

use super::operation::{Action, Operation, USERS};
use super::subject::{Answer, Performed, Seen, SeenChange, Subject, SubjectError};
use super::tree::{Model, Node};
use super::{Expect, Generator};

/// How many operations a failure's message shows.
const HISTORY: usize = 12;

/// The largest read of an audit, in bytes.
const AUDIT_READ_BYTES: u32 = 1 << 20;

/// Why a check stopped.
#[derive(Debug, PartialEq, Eq)]
pub enum Mismatch {
    /// Subject and model differ.
    Wrong(String),
    /// The subject went away; what was in flight may have been done or not. See [`Checker::recover`].
    Interrupted,
}

impl std::fmt::Display for Mismatch {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Wrong(what) => f.write_str(what),
            Self::Interrupted => f.write_str("the subject went away"),
        }
    }
}

type Checked<T = ()> = Result<T, Mismatch>;

/// A model and the subject that must agree with it.
#[derive(Debug)]
pub struct Checker<S: Subject> {
    model: Model,
    subject: S,
    /// By node.
    handles: Vec<S::Handle>,
    in_flight: Option<Operation<Node>>,
    history: VecDeque<String>,
}

impl<S: Subject> Checker<S>
where
    S::Handle: PartialEq,
{
    /// Checks the tree below `root`, an empty directory with these attributes.
    pub fn new(subject: S, root: S::Handle, mode: u16, uid: u32, gid: u32) -> Self {
        Self {
            model: Model::new(mode, uid, gid),
            subject,
            handles: vec![root],
            in_flight: None,
            history: VecDeque::new(),
        }
    }

    /// The model as it is now.
    pub fn model(&self) -> &Model {
        &self.model
    }

    /// Does `count` operations of `generator`, with an audit after every `audit_every` and at the end.
    ///
    /// # Errors
    /// [`Mismatch`], with the operations before it.
    pub async fn run(
        &mut self,
        generator: &mut Generator,
        count: usize,
        audit_every: usize,
    ) -> Checked {
        for number in 1..=count {
            let operation = generator.next(&self.model);
            let result = self.step(operation).await;
            result.map_err(|mismatch| self.told(mismatch, number))?;
            if number % audit_every == 0 || number == count {
                let result = self.audit().await;
                result.map_err(|mismatch| self.told(mismatch, number))?;
            }
        }
        Ok(())
    }

    fn told(&self, mismatch: Mismatch, number: usize) -> Mismatch {
        let Mismatch::Wrong(what) = mismatch else {
            return mismatch;
        };
        let history: Vec<&str> = self.history.iter().map(String::as_str).collect();
        Mismatch::Wrong(format!(
            "operation {number}: {what}\nafter:\n  {}",
            history.join("\n  ")
        ))
    }

    /// Does one operation on both.
    ///
    /// # Errors
    /// [`Mismatch`].
    pub async fn step(&mut self, operation: Operation<Node>) -> Checked {
        self.remember(&operation);
        let expected = self.model.expect(&operation);
        match self.perform(&operation).await {
            Ok(performed) => {
                if let Expect::Failure(errors) = expected {
                    return wrong(format!("succeeded ({performed:?}) instead of {errors:?}"));
                }
                self.see_before(&operation, &performed.changes)?;
                self.compare(&operation, performed.answer)?;
                self.see_after(&performed.changes)
            }
            Err(SubjectError::Refused(error)) => match expected {
                Expect::Failure(allowed) | Expect::Either(allowed) if allowed.contains(&error) => {
                    Ok(())
                }
                other => wrong(format!("refused with {error:?}; expected {other:?}")),
            },
            Err(SubjectError::Unknown) => {
                self.in_flight = Some(operation);
                Err(Mismatch::Interrupted)
            }
            Err(SubjectError::Broken(what)) => wrong(format!("broken answer: {what}")),
        }
    }

    fn remember(&mut self, operation: &Operation<Node>) {
        if self.history.len() == HISTORY {
            self.history.pop_front();
        }
        let text = operation.to_string();
        self.history.push_back(text);
    }

    async fn perform(
        &self,
        operation: &Operation<Node>,
    ) -> Result<Performed<S::Handle>, SubjectError> {
        let action = operation
            .action
            .clone()
            .map(|node| self.handles[node.0].clone());
        self.subject.perform(&USERS[operation.user](), action).await
    }

    fn compare(&mut self, operation: &Operation<Node>, answer: Answer<S::Handle>) -> Checked {
        let granted = match &operation.action {
            Action::Access { node } => self.model.granted(*node, operation.user),
            _ => 0,
        };
        let node = self.model.apply(operation);
        match (answer, &operation.action) {
            (Answer::Found(handle, seen), _) => {
                let Some(node) = node else {
                    return wrong("found a node where there is none".to_owned());
                };
                self.know(node, handle)?;
                self.see(node, seen)
            }
            (Answer::Attributes(seen), action) => match changed_node(action) {
                Some(node) => self.see(node, seen),
                None => Ok(()),
            },
            (Answer::Granted(bits), _) => same("access", &bits, &granted),
            (Answer::Target(target), Action::ReadSymlink { node }) => {
                same("target", &target, &self.model.at(*node).target)
            }
            (
                Answer::Data(data, end),
                Action::Read {
                    node,
                    offset,
                    count,
                },
            ) => self.compare_data(*node, *offset, *count, &data, end),
            (
                Answer::Written(count, verifier, durable),
                Action::Write {
                    node,
                    offset,
                    data,
                    stability,
                },
            ) => {
                same("bytes written", &(count as usize), &data.len())?;
                let file = self.model.data_mut(*node);
                match stability {
                    Stability::Unstable if durable => file.write_stable(*offset as usize, data),
                    Stability::Unstable => file.write_unstable(*offset as usize, data, verifier),
                    _ => same("durability", &durable, &true)?,
                }
                Ok(())
            }
            (Answer::Committed(verifier), Action::Commit { node }) => {
                let held = self.model.data_mut(*node).commit(verifier);
                // A client would write again now; here the bytes may be there or not.
                let held = held || self.subject.may_restart();
                same("COMMIT under the verifier of the writes", &held, &true)
            }
            (Answer::Names(names), Action::List { directory, .. }) => {
                self.compare_names(*directory, names)
            }
            (Answer::Done, _) => Ok(()),
            (answer, action) => wrong(format!("{answer:?} is no answer to {action:?}")),
        }
    }

    fn know(&mut self, node: Node, handle: S::Handle) -> Checked {
        match self.handles.get(node.0) {
            Some(known) => same("handle", &handle, known),
            None => {
                self.handles.push(handle);
                Ok(())
            }
        }
    }

    fn see(&mut self, node: Node, seen: Option<Seen>) -> Checked {
        match seen.map(|seen| self.model.observe(node, &seen)) {
            Some(Err(what)) => wrong(format!("of {node:?}, {what}")),
            _ => Ok(()),
        }
    }

    /// What an answer says was before the action is what was seen last (RFC 1813 2.6): a client keeps its cache by it.
    fn see_before(
        &mut self,
        operation: &Operation<Node>,
        changes: &[SeenChange<S::Handle>],
    ) -> Checked {
        if self.subject.may_restart() {
            return Ok(()); // A file's times may be lost with its writer.
        }
        if self.model.clears_set_id_bits(operation) {
            return Ok(()); // That is a change of its own, ahead of the write's: before may be between them.
        }
        for change in changes {
            let Some(before) = change.before else {
                continue;
            };
            let node = self.node_of(&change.object)?;
            let seen = self.model.observe_before(node, &before);
            seen.map_err(|what| Mismatch::Wrong(format!("of {node:?} before the action, {what}")))?;
        }
        Ok(())
    }

    /// What an answer says is after the action is what the action makes of it, and what is seen next.
    fn see_after(&mut self, changes: &[SeenChange<S::Handle>]) -> Checked {
        if self.subject.may_restart() {
            return Ok(());
        }
        for change in changes {
            let node = self.node_of(&change.object)?;
            same("attributes told", &change.after.is_some(), &true)?;
            self.see(node, change.after)?;
        }
        Ok(())
    }

    fn node_of(&self, handle: &S::Handle) -> Checked<Node> {
        let place = self.handles.iter().position(|known| known == handle);
        match place {
            Some(place) => Ok(Node(place)),
            None => wrong(format!("a change of {handle:?}, which is unknown")),
        }
    }

    fn compare_data(&self, node: Node, offset: u64, count: u32, data: &[u8], end: bool) -> Checked {
        let expected = self.model.data(node).current();
        let from = (offset as usize).min(expected.len());
        let to = from.saturating_add(count as usize).min(expected.len());
        let expected_end = offset as usize + data.len() >= expected.len();
        if count > 0 {
            same("end of file", &end, &expected_end)?;
        }
        // A READ may bring less than asked for, but something.
        let short = data.len() < to - from && !data.is_empty();
        let compared = if short { from + data.len() } else { to };
        compare_bytes(offset, data, &expected[from..compared])
    }

    fn compare_names(&self, directory: Node, names: Vec<(Vec<u8>, u64)>) -> Checked {
        let count = names.len();
        let listed: BTreeMap<Vec<u8>, u64> = names.into_iter().collect();
        same("entries listed once", &listed.len(), &count)?;
        let expected: Vec<&[u8]> = self.model.names(directory).map(|(name, _)| name).collect();
        let seen: Vec<&[u8]> = listed.keys().map(Vec::as_slice).collect();
        same("names listed", &seen, &expected)?;
        for (name, node) in self.model.names(directory) {
            if let Some(file_id) = self.model.at(node).file_id {
                same("inode number listed", &listed[name], &file_id)?;
            }
        }
        Ok(())
    }

    /// Compares everything: names, attributes, times and data of what is there, and that what is gone is
    /// stale.
    ///
    /// # Errors
    /// [`Mismatch`].
    pub async fn audit(&mut self) -> Checked {
        let nodes: Vec<(Node, bool)> = self.model.nodes().collect();
        for (node, alive) in nodes {
            let result = self.look(Action::GetAttributes { node }).await;
            if !alive {
                match result {
                    Err(SubjectError::Refused(FsError::Stale)) => continue,
                    other => return wrong(format!("removed {node:?} gives {other:?}")),
                }
            }
            let Answer::Attributes(seen) = given(result, node)? else {
                return wrong("no attributes".to_owned());
            };
            self.see(node, seen)?;
            match self.model.kind(node) {
                FileKind::Regular => {
                    let expected = self.model.data(node).current();
                    let data = self.read_whole(node).await?;
                    compare_bytes(0, &data, &expected).map_err(|error| of(node, error))?;
                }
                FileKind::Directory => {
                    let page_bytes = 8192;
                    let list = Action::List {
                        directory: node,
                        page_bytes,
                    };
                    let Answer::Names(names) = given(self.look(list).await, node)? else {
                        return wrong("no listing".to_owned());
                    };
                    self.compare_names(node, names)
                        .map_err(|error| of(node, error))?;
                }
                _ => {}
            }
        }
        Ok(())
    }

    async fn look(&self, action: Action<Node>) -> Result<Answer<S::Handle>, SubjectError> {
        let performed = self.perform(&Operation { user: 0, action }).await?;
        Ok(performed.answer)
    }

    async fn read_whole(&self, node: Node) -> Checked<Vec<u8>> {
        let mut whole = Vec::new();
        loop {
            let offset = whole.len() as u64;
            let read = Action::Read {
                node,
                offset,
                count: AUDIT_READ_BYTES,
            };
            let Answer::Data(data, end) = given(self.look(read).await, node)? else {
                return wrong("no data".to_owned());
            };
            whole.extend_from_slice(&data);
            if end {
                return Ok(whole);
            }
            if data.is_empty() {
                return wrong(format!(
                    "{node:?}: nothing read at {offset}, before the end"
                ));
            }
        }
    }

    /// After a crash: checks through `subject` that every acknowledged change is there, and that
    /// the one in flight was done wholly or not at all.
    ///
    /// # Errors
    /// [`Mismatch`]: with what is wrong on either assumption.
    pub async fn recover(&mut self, subject: S) -> Checked {
        self.subject = subject;
        self.model.forget_file_times();
        let in_flight = self.in_flight.take();
        let (before, handles) = (self.model.clone(), self.handles.clone());
        let without = match &in_flight {
            Some(Operation {
                action: Action::Write {
                    node, offset, data, ..
                },
                ..
            }) => {
                // Any part of a write may be there.
                let file = self.model.data_mut(*node);
                file.write_unstable(*offset as usize, data, [0xee; 8]);
                self.settle().await
            }
            _ => self.settle().await,
        };
        let (Err(Mismatch::Wrong(without)), Some(operation)) = (&without, in_flight) else {
            return without;
        };
        self.model = before;
        self.handles = handles;
        let with = self.assume(&operation).await;
        match with {
            Err(Mismatch::Wrong(with)) => wrong(format!(
                "after a crash during {operation}\nif it was not done: {without}\nif it was done: {with}"
            )),
            other => other,
        }
    }

    /// Takes it that `operation` was done before the crash.
    async fn assume(&mut self, operation: &Operation<Node>) -> Checked {
        if let Expect::Failure(_) = self.model.expect(operation) {
            return wrong("it could not have been done".to_owned());
        }
        let made = self.model.apply(operation);
        if let Some((directory, name)) = made_name(&operation.action)
            && let Some(node) = made
        {
            let lookup = Action::Lookup { directory, name };
            let Answer::Found(handle, seen) = given(self.look(lookup).await, node)? else {
                return wrong("LOOKUP found nothing".to_owned());
            };
            self.know(node, handle)?;
            self.see(node, seen)?;
        }
        self.settle().await
    }

    /// Makes everything durable that a crash left, checks that no file has bytes it cannot have, and audits.
    async fn settle(&mut self) -> Checked {
        let files = self
            .model
            .nodes()
            .filter(|(node, alive)| *alive && self.model.kind(*node) == FileKind::Regular);
        let files: Vec<Node> = files.map(|(node, _)| node).collect();
        for node in files {
            given(self.look(Action::Commit { node }).await, node)?;
            let data = self.read_whole(node).await?;
            let settled = self.model.data_mut(node).settle(data);
            settled.map_err(|what| Mismatch::Wrong(format!("{node:?}: {what}")))?;
        }
        self.audit().await
    }
}

fn changed_node(action: &Action<Node>) -> Option<Node> {
    match action {
        Action::GetAttributes { node } | Action::SetAttributes { node, .. } => Some(*node),
        Action::Link { node, .. } => Some(*node),
        _ => None,
    }
}

fn made_name(action: &Action<Node>) -> Option<(Node, Vec<u8>)> {
    match action {
        Action::Create {
            directory, name, ..
        }
        | Action::MakeDirectory {
            directory, name, ..
        }
        | Action::MakeSymlink {
            directory, name, ..
        }
        | Action::MakeNode {
            directory, name, ..
        } => Some((*directory, name.clone())),
        _ => None,
    }
}

fn given<H: std::fmt::Debug>(
    result: Result<Answer<H>, SubjectError>,
    node: Node,
) -> Checked<Answer<H>> {
    match result {
        Ok(answer) => Ok(answer),
        Err(SubjectError::Unknown) => Err(Mismatch::Interrupted),
        Err(error) => wrong(format!("{node:?}, which is there, gives {error:?}")),
    }
}

fn of(node: Node, mismatch: Mismatch) -> Mismatch {
    match mismatch {
        Mismatch::Wrong(what) => Mismatch::Wrong(format!("of {node:?}: {what}")),
        Mismatch::Interrupted => mismatch,
    }
}

fn same<T: PartialEq + std::fmt::Debug>(what: &str, seen: &T, expected: &T) -> Checked {
    if seen == expected {
        return Ok(());
    }
    wrong(format!("{what}: {seen:?}, not {expected:?}"))
}

fn compare_bytes(offset: u64, seen: &[u8], expected: &[u8]) -> Checked {
    same("length of data", &seen.len(), &expected.len())?;
    match seen
        .iter()
        .zip(expected)
        .position(|(seen, expected)| seen != expected)
    {
        None => Ok(()),
        Some(at) => wrong(format!(
            "byte {} is {:#04x}, not {:#04x}",
            offset + at as u64,
            seen[at],
            expected[at]
        )),
    }
}

fn wrong<T>(what: String) -> Checked<T> {
    Err(Mismatch::Wrong(what))
}
