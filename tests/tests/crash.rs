//! kill -9 at random moments, under load: after each restart every acknowledged change is there, what was in
//! flight has happened or not, and the store's own check finds nothing wrong.

use std::cell::Cell;
use std::time::Duration;

use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use sluice_tests::cluster::{Cluster, Shape};
use sluice_tests::effort;
use sluice_tests::model::{Checker, Generator, Mismatch, NfsSubject};
use sluice_tests::nfs_client::files::with_mode;

/// Clients that work at the same time, each in a folder of its own.
const WORKERS: u64 = 4;

type Worker = (Checker<NfsSubject>, Generator);

#[tokio::test]
async fn one_process_killed_at_random_moments_loses_nothing_acknowledged() {
    kill_repeatedly(Shape::OneProcess, effort::pick(15, 50)).await;
}

#[tokio::test]
async fn each_of_separate_processes_killed_at_random_moments_loses_nothing_acknowledged() {
    kill_repeatedly(Shape::Separate, effort::pick(14, 50)).await;
}

async fn kill_repeatedly(shape: Shape, rounds: u32) {
    let seed = effort::seed();
    let mut random = StdRng::seed_from_u64(seed);
    let mut cluster = Cluster::start(shape).unwrap();
    let mut workers = new_workers(&cluster, seed).await;
    for round in 1..=rounds {
        let victims = choose_victims(&cluster, round, &mut random);
        let delay = Duration::from_millis(random.random_range(20..1200));
        let gateway = cluster.gateway().name().to_owned();
        let gently = !victims.contains(&gateway) && random.random_bool(0.5);
        let operations =
            work_until_killed(&mut cluster, &mut workers, &victims, delay, gently).await;
        cluster.start_all().unwrap();
        for (number, (checker, _)) in workers.iter_mut().enumerate() {
            let (client, _) = cluster.client().await.unwrap();
            let recovered = checker.recover(NfsSubject::for_crashes(client)).await;
            if let Err(mismatch) = recovered {
                panic!(
                    "SLUICE_TEST_SEED={seed}, round {round}, {victims:?} killed after {delay:?} and {operations} \
                     operations, worker {number}: {mismatch}"
                );
            }
        }
        cluster.admin(&["check"]).unwrap();
    }
    cluster.terminate().unwrap();
}

async fn new_workers(cluster: &Cluster, seed: u64) -> Vec<Worker> {
    let mut workers = Vec::new();
    for number in 0..WORKERS {
        let (client, root) = cluster.client().await.unwrap();
        let name = format!("worker-{number}");
        let made = client
            .mkdir(root, name.as_bytes(), with_mode(0o755))
            .await
            .unwrap();
        let subject = NfsSubject::for_crashes(client);
        let checker = Checker::new(subject, made.object.unwrap(), 0o755, 0, 0);
        workers.push((checker, Generator::for_crashes(seed.wrapping_add(number))));
    }
    workers
}

/// Every daemon in turn, sometimes all at once.
fn choose_victims(cluster: &Cluster, round: u32, random: &mut StdRng) -> Vec<String> {
    let names: Vec<String> = cluster
        .daemons()
        .iter()
        .map(|daemon| daemon.name().to_owned())
        .collect();
    if round.is_multiple_of(5) {
        return names;
    }
    let in_turn = names[round as usize % names.len()].clone();
    let another = names
        .choose(random)
        .filter(|name| **name != in_turn && random.random_bool(0.2));
    another.cloned().into_iter().chain([in_turn]).collect()
}

/// Lets all workers work and kills the victims after `delay`: with the gateway, so that connections break, or
/// (`gently`) without it: then workers see how their last operations end. How many operations were done.
async fn work_until_killed(
    cluster: &mut Cluster,
    workers: &mut [Worker],
    victims: &[String],
    delay: Duration,
    gently: bool,
) -> u32 {
    let operations = Cell::new(0);
    let stop = Cell::new(false);
    let work = workers.iter_mut().map(async |(checker, generator)| {
        while !stop.get() {
            let operation = generator.next(checker.model());
            match checker.step(operation).await {
                Ok(()) => operations.set(operations.get() + 1),
                Err(Mismatch::Interrupted) => return,
                Err(mismatch) => panic!("before the crash: {mismatch}"),
            }
        }
    });
    let kill = async {
        tokio::time::sleep(delay).await;
        stop.set(gently);
        for victim in victims {
            cluster.kill9_one(victim).unwrap();
        }
        if gently {
            cluster.start_all().unwrap();
            return;
        }
        let gateway = cluster.gateway().name().to_owned();
        if !victims.contains(&gateway) {
            // It goes on for a while without the others.
            tokio::time::sleep(Duration::from_millis(200)).await;
            cluster.kill9_one(&gateway).unwrap();
        }
    };
    tokio::join!(futures::future::join_all(work), kill);
    operations.get()
}
