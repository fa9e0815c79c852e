//! What to send so that a limiter shows which one it is.

use crate::units::Micros;

/// Legs to be walked one after the other, by one identity that sends nothing else.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Experiment {
    pub legs: Vec<Leg>,
    /// What it tells, in words.
    pub why: &'static str,
}

/// A part of an experiment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Leg {
    /// As fast as possible, until the first refusal and for so many requests beyond it, and so many at most.
    Burst { most: u32, beyond: u32 },
    /// One request every so often, refused or not.
    Trickle { every: Micros, lasts: Micros },
    /// Nothing for so long.
    Rest(Micros),
}

impl Experiment {
    /// Tells token bucket, fixed and sliding window of this limit apart.
    ///
    /// After the burst a bucket admits every second request of the trickle, evenly; a window none until it is over, and
    /// then all. The rest ends just after the second window: a fixed window has all to give to the second burst, a sliding
    /// one only what was taken longest ago.
    pub fn telling(limit: u64, window: Micros) -> Experiment {
        let limit = limit.clamp(1, 1_000_000);
        // Even at a hundred requests a second the pattern shows.
        let every = Micros((window.0 / (2 * limit)).max(10_000));
        let most = u32::try_from(limit.saturating_mul(2) + 1).unwrap_or(u32::MAX);
        // One refusal may be an accident, several are a state.
        let beyond = u32::try_from(limit / 3).unwrap_or(u32::MAX).clamp(4, 100);
        let part = |tenths: u64| Micros(window.0.saturating_mul(tenths) / 10);
        Experiment {
            legs: vec![
                Leg::Burst { most, beyond },
                Leg::Trickle { every, lasts: part(13) },
                Leg::Rest(Micros(part(15).0 / 2)),
                Leg::Burst { most, beyond },
                Leg::Trickle { every, lasts: part(9) },
            ],
            why: "a burst, a trickle at twice the refill for more than a window, a rest until the next, then both again",
        }
    }

    /// How many requests it may take.
    pub fn requests(&self) -> u64 {
        let of = |leg: &Leg| match leg {
            Leg::Burst { most, .. } => u64::from(*most),
            Leg::Trickle { every, lasts } => lasts.0 / every.0.max(1) + 1,
            Leg::Rest(_) => 0,
        };
        self.legs.iter().map(of).sum()
    }

    /// How long it takes, bursts aside.
    pub fn lasts(&self) -> Micros {
        let of = |leg: &Leg| match leg {
            Leg::Burst { .. } => Micros::ZERO,
            Leg::Trickle { lasts, .. } | Leg::Rest(lasts) => *lasts,
        };
        self.legs.iter().map(of).fold(Micros::ZERO, |sum, part| Micros(sum.0.saturating_add(part.0)))
    }
}
