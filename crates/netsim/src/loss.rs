//! Chance: probabilities and models of loss.

use rand_chacha::ChaCha8Rng;
use rand_core::Rng;

/// A chance between never and always.
#[derive(Debug, Clone, Copy, PartialEq, PartialOrd, Default)]
pub struct Probability(f64);

/// A [`Probability`] in percent: `percent(10)` is one in ten.
///
/// # Panics
/// When `value` is not between 0 and 100.
pub fn percent(value: impl Into<f64>) -> Probability {
    Probability::new(value.into() / 100.0)
}

/// How a link loses datagrams.
#[derive(Debug, Clone, Copy, PartialEq, Default)]
#[non_exhaustive]
pub enum Loss {
    /// None is lost.
    #[default]
    None,
    /// Each is lost with the same chance, whatever became of the others (Bernoulli).
    Random(Probability),
    /// Loss in bursts: the link is in a good or a bad state, and may change it before each datagram (Gilbert–Elliott).
    GilbertElliott {
        /// Chance of going from good to bad.
        to_bad: Probability,
        /// Chance of going from bad to good; the mean length of a burst is its inverse.
        to_good: Probability,
        /// Chance of loss while good.
        in_good: Probability,
        /// Chance of loss while bad.
        in_bad: Probability,
    },
}

impl Probability {
    /// A chance from 0 (never) to 1 (always).
    ///
    /// # Panics
    /// When `value` is outside of that.
    pub fn new(value: f64) -> Self {
        assert!(
            (0.0..=1.0).contains(&value),
            "not a probability: {value} of 1"
        );
        Self(value)
    }

    /// The chance as a number from 0 to 1.
    pub fn value(self) -> f64 {
        self.0
    }

    /// Whether it happens this time. What never or always happens draws nothing from the generator, so that switching
    /// one condition on leaves the course of the others as it was as far as possible.
    pub(crate) fn happens(self, generator: &mut ChaCha8Rng) -> bool {
        self.0 > 0.0 && (self.0 >= 1.0 || fraction(generator) < self.0)
    }
}

impl Loss {
    /// Bursts of loss: everything is lost while bad and nothing while good, so that `mean` of all is lost in
    /// runs of `length` datagrams on average.
    ///
    /// # Panics
    /// When `length` is below 1, or `mean` too large for bursts of that length to leave room between them.
    pub fn bursts(mean: Probability, length: f64) -> Self {
        assert!(length >= 1.0, "a burst has one datagram at least");
        let to_good = 1.0 / length;
        Self::GilbertElliott {
            // In balance, the share of bad is to_bad / (to_bad + to_good).
            to_bad: Probability::new(mean.0 * to_good / (1.0 - mean.0)),
            to_good: Probability::new(to_good),
            in_good: Probability::default(),
            in_bad: Probability(1.0),
        }
    }

    /// Whether the next datagram is lost. `bad` is the state of the link, which may change.
    pub(crate) fn happens(self, bad: &mut bool, generator: &mut ChaCha8Rng) -> bool {
        match self {
            Self::None => false,
            Self::Random(chance) => chance.happens(generator),
            Self::GilbertElliott {
                to_bad,
                to_good,
                in_good,
                in_bad,
            } => {
                let change = if *bad { to_good } else { to_bad };
                *bad ^= change.happens(generator);
                let chance = if *bad { in_bad } else { in_good };
                chance.happens(generator)
            }
        }
    }
}

/// A number from 0 up to but not 1, with 53 bits.
pub(crate) fn fraction(generator: &mut ChaCha8Rng) -> f64 {
    (generator.next_u64() >> 11) as f64 / (1u64 << 53) as f64
}

impl From<Probability> for Loss {
    fn from(chance: Probability) -> Self {
        Self::Random(chance)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::seed::generator;

    fn outcomes(loss: Loss, seed: u64) -> Vec<bool> {
        let (mut bad, mut generator) = (false, generator(seed));
        (0..20_000)
            .map(|_| loss.happens(&mut bad, &mut generator))
            .collect()
    }

    fn share(outcomes: &[bool]) -> f64 {
        outcomes.iter().filter(|lost| **lost).count() as f64 / outcomes.len() as f64
    }

    #[test]
    fn random_loss_meets_its_rate() {
        for rate in [0.0, 0.5, 1.0, 10.0, 50.0, 100.0] {
            let share = share(&outcomes(percent(rate).into(), 3));
            assert!((share * 100.0 - rate).abs() < 1.0, "{share} for {rate} %");
        }
        assert_eq!(outcomes(percent(0).into(), 1), outcomes(Loss::None, 2));
    }

    #[test]
    fn bursts_meet_rate_and_length() {
        let outcomes = outcomes(Loss::bursts(percent(10), 5.0), 11);
        let share = share(&outcomes);
        assert!((share - 0.1).abs() < 0.015, "{share}");
        let bursts: Vec<_> = outcomes
            .chunk_by(|a, b| a == b)
            .filter(|run| run[0])
            .map(<[bool]>::len)
            .collect();
        let mean = bursts.iter().sum::<usize>() as f64 / bursts.len() as f64;
        assert!((mean - 5.0).abs() < 0.7, "{mean}");
    }

    #[test]
    fn partial_loss_in_both_states() {
        let loss = Loss::GilbertElliott {
            to_bad: percent(5),
            to_good: percent(5),
            in_good: percent(2),
            in_bad: percent(40),
        };
        let share = share(&outcomes(loss, 5));
        assert!((share - 0.21).abs() < 0.03, "{share}");
    }

    #[test]
    #[should_panic = "not a probability"]
    fn more_than_always_is_refused() {
        percent(101);
    }
}
