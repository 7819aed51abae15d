//! How long the tests take: what `make test` does in minutes, `SLUICE_TEST_EFFORT=full` does in full.

/// `usual`, or `full` if the environment asks for it.
pub fn pick<T>(usual: T, full: T) -> T {
    if std::env::var("SLUICE_TEST_EFFORT").is_ok_and(|effort| effort == "full") {
        full
    } else {
        usual
    }
}

/// A seed: `SLUICE_TEST_SEED` to repeat a run, or else a new one. Printed, for a failure's message.
pub fn seed() -> u64 {
    let given = std::env::var("SLUICE_TEST_SEED").ok();
    let seed = given
        .and_then(|text| text.parse().ok())
        .unwrap_or_else(rand::random);
    println!("SLUICE_TEST_SEED={seed}");
    seed
}
