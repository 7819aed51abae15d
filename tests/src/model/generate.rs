//! Random operations, the same for the same seed and the same model.

use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use sluice_types::{Device, FileKind, Stability, Timestamp};

use super::operation::{Action, Change, CreateMode, Operation, TimeChange, USERS};
use super::tree::{Model, Node};

/// Files of the model grow no larger than this, in bytes: over several chunks.
const FILE_BYTES_MAX: u64 = 5 << 20;

const MODES: [u16; 14] = [
    0o755, 0o777, 0o700, 0o644, 0o666, 0o600, 0o000, 0o444, 0o1777, 0o2775, 0o4755, 0o2755, 0o111,
    0o3770,
];

/// Draws operations.
#[derive(Debug)]
pub struct Generator {
    random: StdRng,
    /// Only operations of root, and only those that a crash test wants.
    crash: bool,
}

impl Generator {
    /// Everything, as anybody.
    pub fn new(seed: u64) -> Self {
        Self {
            random: StdRng::seed_from_u64(seed),
            crash: false,
        }
    }

    /// Changes only, as root.
    pub fn for_crashes(seed: u64) -> Self {
        Self {
            crash: true,
            ..Self::new(seed)
        }
    }

    /// The next operation on `model`.
    pub fn next(&mut self, model: &Model) -> Operation<Node> {
        if self.crash {
            let action = self.change_action(model);
            return Operation { user: 0, action };
        }
        let user = *[0, 0, 1, 2].choose(&mut self.random).unwrap_or(&0);
        let action = match self.random.random_range(0..10) {
            0..4 => self.look_action(model),
            _ => self.change_action(model),
        };
        Operation { user, action }
    }

    fn look_action(&mut self, model: &Model) -> Action<Node> {
        let node = self.node(model);
        match self.random.random_range(0..8) {
            0 => Action::GetAttributes { node },
            1 => Action::Access { node },
            2 => Action::ReadSymlink {
                node: self.of_kind(model, FileKind::Symlink),
            },
            3 => self.lookup(model),
            4 => Action::List {
                directory: self.directory(model),
                page_bytes: *[512, 1024, 4096, 65_536]
                    .choose(&mut self.random)
                    .unwrap_or(&4096),
            },
            5 => Action::Commit {
                node: self.of_kind(model, FileKind::Regular),
            },
            _ => {
                let node = self.of_kind(model, FileKind::Regular);
                let offset = self.random.random_range(0..FILE_BYTES_MAX + 1000);
                let count = self.length();
                Action::Read {
                    node,
                    offset,
                    count,
                }
            }
        }
    }

    fn lookup(&mut self, model: &Model) -> Action<Node> {
        let directory = self.directory(model);
        let name = self.name();
        // The root may be a folder of a larger file system: what is above it is not the model's.
        let outside = directory == Model::ROOT && name == b"..";
        let name = if outside { b".".to_vec() } else { name };
        Action::Lookup { directory, name }
    }

    fn change_action(&mut self, model: &Model) -> Action<Node> {
        let directory = self.directory(model);
        let name = self.name();
        let mode = self.mode();
        match self.random.random_range(0..32) {
            0..5 => Action::Create {
                directory,
                name,
                how: self.create_mode(),
            },
            5..8 => Action::MakeDirectory {
                directory,
                name,
                mode,
            },
            8 => {
                let length = *[1, 20, 1024, 4095, 4096]
                    .choose(&mut self.random)
                    .unwrap_or(&1);
                Action::MakeSymlink {
                    directory,
                    name,
                    target: vec![b't'; length],
                }
            }
            9 => self.make_node(directory, name, mode),
            10..12 => Action::Link {
                node: self.node(model),
                directory,
                name,
            },
            12..14 => Action::Remove { directory, name },
            14 => Action::RemoveDirectory { directory, name },
            15..19 => Action::Rename {
                from: directory,
                from_name: name,
                to: self.directory(model),
                to_name: self.name(),
            },
            19..23 if !self.crash => {
                let node = self.node(model);
                let change = self.change();
                let stale_guard = self.random.random_bool(0.1);
                Action::SetAttributes {
                    node,
                    change,
                    stale_guard,
                }
            }
            19..21 => {
                let node = self.of_kind(model, FileKind::Regular);
                let size = Some(self.random.random_range(0..FILE_BYTES_MAX));
                let change = Change {
                    size,
                    ..Change::default()
                };
                Action::SetAttributes {
                    node,
                    change,
                    stale_guard: false,
                }
            }
            21..23 => Action::Commit {
                node: self.of_kind(model, FileKind::Regular),
            },
            _ => self.write(model),
        }
    }

    fn make_node(&mut self, directory: Node, name: Vec<u8>, mode: u16) -> Action<Node> {
        let kinds = [
            FileKind::Fifo,
            FileKind::Socket,
            FileKind::BlockDevice,
            FileKind::CharacterDevice,
        ];
        let kind = *kinds.choose(&mut self.random).unwrap_or(&FileKind::Fifo);
        let device = Device { major: 7, minor: 3 };
        Action::MakeNode {
            directory,
            name,
            kind,
            device,
            mode,
        }
    }

    fn write(&mut self, model: &Model) -> Action<Node> {
        let node = self.of_kind(model, FileKind::Regular);
        let length = self.length() as usize;
        let offset = match self.random.random_range(0..3) {
            0 => model.size(node).min(FILE_BYTES_MAX),
            1 => self.random.random_range(0..64) << 16,
            _ => self.random.random_range(0..FILE_BYTES_MAX),
        };
        let fill: u8 = self.random.random_range(1..=255);
        let step = self.random.random_range(0..7);
        let data = (0..length).map(|at| fill.wrapping_add((at as u8).wrapping_mul(step)));
        let stability = match self.random.random_range(0..4) {
            0 => Stability::FileSync,
            1 => Stability::DataSync,
            _ => Stability::Unstable,
        };
        Action::Write {
            node,
            offset,
            data: data.collect(),
            stability,
        }
    }

    fn create_mode(&mut self) -> CreateMode {
        let mode = self.mode();
        match self.random.random_range(0..4) {
            0 => CreateMode::Guarded { mode },
            1 => CreateMode::Exclusive {
                verifier: [self.random.random_range(0..3); 8],
            },
            2 => CreateMode::Unchecked {
                mode,
                truncate: true,
            },
            _ => CreateMode::Unchecked {
                mode,
                truncate: false,
            },
        }
    }

    fn change(&mut self) -> Change {
        let mut change = Change::default();
        match self.random.random_range(0..7) {
            0..2 => change.mode = Some(self.mode()),
            2 => change.size = Some(self.random.random_range(0..FILE_BYTES_MAX)),
            3 => {
                let user = USERS.choose(&mut self.random).map_or(0, |user| user().uid);
                change.uid = Some(user);
            }
            4 => change.gid = [0, 2001, 2002, 3000].choose(&mut self.random).copied(),
            5 => {
                change.accessed = Some(self.time_change());
                change.modified = Some(self.time_change());
            }
            _ => change.modified = Some(self.time_change()),
        }
        change
    }

    fn time_change(&mut self) -> TimeChange {
        if self.random.random_bool(0.3) {
            return TimeChange::Now;
        }
        let seconds = self.random.random_range(0..i64::from(u32::MAX));
        TimeChange::To(Timestamp::new(
            seconds,
            self.random.random_range(0..1_000_000_000),
        ))
    }

    fn mode(&mut self) -> u16 {
        if self.crash {
            return 0o755;
        }
        *MODES.choose(&mut self.random).unwrap_or(&0o755)
    }

    fn length(&mut self) -> u32 {
        match self.random.random_range(0..8) {
            0 => 0,
            1..5 => self.random.random_range(1..5000),
            5..7 => self.random.random_range(1..200_000),
            _ => self.random.random_range(1..1 << 20),
        }
    }

    fn name(&mut self) -> Vec<u8> {
        match self.random.random_range(0..60) {
            0 => b".".to_vec(),
            1 => b"..".to_vec(),
            2 => vec![b'n'; 255],
            3 => vec![b'n'; 256],
            4 => vec![0xff, 0x01, b'\n'],
            _ => format!("name-{}", self.random.random_range(0..10)).into_bytes(),
        }
    }

    fn directory(&mut self, model: &Model) -> Node {
        if self.random.random_bool(0.25) {
            return Model::ROOT;
        }
        self.of_kind(model, FileKind::Directory)
    }

    /// A node, mostly of this kind, mostly alive.
    fn of_kind(&mut self, model: &Model, kind: FileKind) -> Node {
        if self.random.random_bool(0.03) {
            return self.node(model);
        }
        let fit = |(node, alive): (Node, bool)| (alive && model.kind(node) == kind).then_some(node);
        let candidates: Vec<Node> = model.nodes().filter_map(fit).collect();
        candidates
            .choose(&mut self.random)
            .copied()
            .unwrap_or(Model::ROOT)
    }

    /// Any node, mostly alive.
    fn node(&mut self, model: &Model) -> Node {
        let alive = self.random.random_bool(0.92);
        let fit = |(node, is): (Node, bool)| (is == alive).then_some(node);
        let candidates: Vec<Node> = model.nodes().filter_map(fit).collect();
        candidates
            .choose(&mut self.random)
            .copied()
            .unwrap_or(Model::ROOT)
    }
}
