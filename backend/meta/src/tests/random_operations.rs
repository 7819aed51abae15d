//! Random operations, one after the other, against the model.

use super::model::{Model, carry_out, nobody, picture};
use super::support::{Fixture, ROOT, SeededRng};

#[tokio::test]
async fn the_service_does_what_the_model_does() {
    for seed in 0..40 {
        let mut fixture = Fixture::new().await;
        let rng = SeededRng::new(seed);
        let mut model = Model::new(ROOT);
        for number in 0..250 {
            let step = model.random_step(&rng);
            let done = carry_out(&fixture.root(), &step).await;
            let made = done.ok().flatten().unwrap_or_else(|| nobody(&rng));
            let expected = model.apply(&step, made);
            assert_eq!(
                done.map(|_| ()),
                expected,
                "seed {seed}, {number}: {step:?}"
            );
            if rng.below(50) == 0 {
                fixture = fixture.crash().await;
            }
        }
        let root = fixture.root();
        assert_eq!(picture(&root, ROOT).await, model.picture(), "seed {seed}");
        fixture.assert_sound().await;
    }
}
