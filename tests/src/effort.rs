//! How long the tests take: what `make test` does in minutes, `SLUICE_TEST_EFFORT=full` (`make test-full`) does in
//! full.

use crate::cluster::Shape;

/// `usual`, or `full` if the environment asks for it.
pub fn pick<T>(usual: T, full: T) -> T {
    if std::env::var("SLUICE_TEST_EFFORT").is_ok_and(|effort| effort == "full") {
        full
    } else {
        usual
    }
}

/// For tests that hardly depend on it: how the cluster is cut into processes; in full, each way.
pub fn shapes() -> impl Iterator<Item = Shape> {
    let shapes: &[Shape] = pick(&[Shape::OneProcess], &[Shape::OneProcess, Shape::Separate]);
    shapes.iter().copied()
}

/// The seed of usual runs: what changes their outcome is a change of the code.
const USUAL_SEED: u64 = 20_260_101;

/// A seed: `SLUICE_TEST_SEED` to repeat a run, or else the usual one; a new one in full. Printed, for a
/// failure's message.
pub fn seed() -> u64 {
    let given = std::env::var("SLUICE_TEST_SEED").ok();
    let seed = given
        .and_then(|text| text.parse().ok())
        .unwrap_or_else(|| pick(USUAL_SEED, rand::random()));
    println!("SLUICE_TEST_SEED={seed}");
    seed
}
