//! Locks between stock Linux clients: NLM and NSM for real.

use std::time::{Duration, Instant};

use sluice_tests::cluster::{Cluster, Settings, Shape};
use sluice_tests::guest::{Guest, RunningGuest};
use sluice_tests::scratch::temporary_dir;

const MINUTE: Duration = Duration::from_secs(60);

/// A Linux client that waits is told by a call; without, it would ask again after 30 s.
const HANDED_OVER_IN: Duration = Duration::from_secs(10);

fn start(shape: Shape) -> Cluster {
    let settings = Settings {
        portmap: "own",
        ..Settings::default()
    };
    Cluster::start_with(shape, settings).unwrap()
}

/// A guest that locks a file as it is told (`tests/guest/locker.pl`).
struct Locker(RunningGuest);

impl Locker {
    fn boot(guest: &Guest<'_>) -> Self {
        Self::boot_with(guest, "rpc.statd --no-notify")
    }

    fn boot_with(guest: &Guest<'_>, status_monitor: &str) -> Self {
        let locker = concat!(env!("CARGO_MANIFEST_DIR"), "/guest/locker.pl");
        let script = format!(
            "set -e
            {status_monitor}
            mount -t nfs $SERVER:/ /run/mnt
            perl {locker} /run/mnt/file"
        );
        let mut guest = guest.spawn(&script).unwrap();
        guest.wait_for_line("ready", MINUTE).unwrap();
        Self(guest)
    }

    fn say(&mut self, what: &str) {
        self.0.send_line(what).unwrap();
    }

    fn answer(&mut self) -> String {
        let line = self.0.wait_for_line("answer: ", MINUTE).unwrap();
        line.trim().trim_start_matches("answer: ").to_owned()
    }

    fn ask(&mut self, what: &str) -> String {
        self.say(what);
        self.answer()
    }

    #[track_caller]
    fn does(&mut self, what: &str) {
        assert_eq!(self.ask(what), "done", "{what}");
    }

    #[track_caller]
    fn is_refused(&mut self, what: &str) {
        let answer = self.ask(what);
        assert!(
            answer.contains("temporarily unavailable"),
            "{what}: {answer}"
        );
    }

    fn end(mut self) {
        self.say("end");
        self.0.wait(MINUTE).unwrap().expect_success();
    }
}

/// `one` has what `other` waits for, and lets it go.
fn hand_over(one: &mut Locker, unlock: &str, other: &mut Locker, lock: &str) {
    other.say(lock);
    std::thread::sleep(Duration::from_secs(2));
    let released = Instant::now();
    one.does(unlock);
    assert_eq!(other.answer(), "done");
    let took = released.elapsed();
    assert!(took < HANDED_OVER_IN, "handed over in {took:?}");
    println!("handed over in {took:?}");
}

fn lock_between_two_guests(shape: Shape) {
    let mut cluster = start(shape);
    let (first, second) = (cluster.guest().unwrap(), cluster.guest().unwrap());
    let (mut first, mut second) = (Locker::boot(&first), Locker::boot(&second));

    // Exclusion, and a split.
    first.does("lock w 0 100 try");
    second.is_refused("lock r 99 1 try");
    second.does("lock w 100 0 try");
    assert_eq!(second.ask("test w 0 0"), "held 0 100");
    first.does("unlock 40 20");
    second.does("lock w 40 20 try");
    second.is_refused("lock w 39 1 try");
    second.is_refused("lock w 60 1 try");
    first.is_refused("lock w 59 1 try");

    // What is shared is shared, and an upgrade waits for the others.
    first.does("unlock 0 0");
    second.does("unlock 0 0");
    first.does("lock r 0 10 try");
    second.does("lock r 5 10 try");
    second.is_refused("lock w 5 10 try");
    hand_over(&mut first, "unlock 0 0", &mut second, "lock w 5 10 wait");

    // Locks outlive every process here.
    cluster.kill9();
    cluster.start_all().unwrap();
    first.is_refused("lock r 0 0 try");
    hand_over(&mut second, "unlock 0 0", &mut first, "lock w 0 0 wait");
    first.does("unlock 0 0");

    second.does("flock try");
    first.is_refused("flock try");
    hand_over(&mut second, "funlock", &mut first, "flock wait");
    let listed = cluster.admin(&["locks"]).unwrap();
    assert!(
        listed.contains("client-1") && listed.contains("exclusive"),
        "{listed}"
    );
    let cleared = cluster.admin(&["locks", "--clear", "--client", "client-1", "--yes"]);
    assert!(cleared.unwrap().contains("1 locks released"));
    second.does("flock try");

    first.end();
    second.end();
    cluster.terminate().unwrap();
}

#[test]
fn two_guests_exclude_one_another_and_hand_over_on_one_process() {
    lock_between_two_guests(Shape::OneProcess);
}

#[test]
fn two_guests_exclude_one_another_and_hand_over_on_separate_processes() {
    lock_between_two_guests(Shape::Separate);
}

/// A guest loses its power with a lock held; when it is back its status monitor says so, and the lock is free.
#[test]
fn a_guest_that_restarts_loses_its_locks() {
    let mut cluster = start(Shape::OneProcess);
    // What a status monitor has to remember lies on the guest's disk.
    let disk = temporary_dir("disk-").unwrap();
    let monitor = "mkdir -p /run/out/nfs/sm /run/out/nfs/sm.bak
        mount --bind /run/out/nfs /var/lib/nfs
        rpc.statd";
    let first = cluster.guest().unwrap().with_output_dir(disk.path());
    let second = cluster.guest().unwrap();
    let mut second = Locker::boot(&second);
    let mut before = Locker::boot_with(&first, monitor);
    before.does("lock w 0 0 try");
    second.is_refused("lock w 0 0 try");
    before.0.kill();
    second.is_refused("lock w 0 0 try");
    second.say("lock w 0 0 wait");
    std::thread::sleep(Duration::from_secs(1));
    let mut after = Locker::boot_with(&first, monitor);
    assert_eq!(second.answer(), "done");
    after.is_refused("lock w 0 0 try");
    hand_over(&mut second, "unlock 0 0", &mut after, "lock w 0 0 wait");
    after.end();
    second.end();
    cluster.terminate().unwrap();
}
