//! The classifier against real servers: each way of counting is named by what it does.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::{Duration, Instant};

use brownout::contract::limiter::{Algorithm, Experiment, Leg, Observation, classify};
use brownout::contract::server::{Cost, Counting};
use brownout::plan::Limits;
use brownout::units::{Micros, Offset};

use crate::support::contract::shipped;
use crate::support::served::{Served, Wish};

const LIMIT: u32 = 12;
const WINDOW: Micros = Micros::from_millis(1_600);
/// A machine that is busy each time is no machine for tests.
const TRIES: usize = 4;
const PATH: &str = "/v1/conversations";

fn served(algorithm: Algorithm) -> Served {
    let mut contract = shipped();
    let server = Arc::make_mut(contract.server.as_mut().expect("a server"));
    server.counting = Counting { algorithm, window: WINDOW };
    for route in &mut server.routes {
        (route.limit, route.cost) = (Some(LIMIT), Cost::Units(1));
    }
    Served::new(contract, &Wish { limits: Limits::Documented, ..Wish::STRICT })
}

/// Walks an experiment with one connection.
fn walk(served: &mut Served, experiment: &Experiment) -> Vec<Observation> {
    let (begun, mut seen) = (Instant::now(), Vec::new());
    let now = || Offset::micros(begun.elapsed().as_micros() as u64);
    let ask = |served: &mut Served, seen: &mut Vec<Observation>| {
        let sent_at = now();
        let answer = served.ask("GET", PATH, "user-token", "");
        seen.push(Observation { sent_at, at: now(), status: answer.status, cost: 1, ..Observation::default() });
        answer.status != 429
    };
    for leg in &experiment.legs {
        let start = now();
        match *leg {
            Leg::Burst { most, beyond } => {
                let (mut left, mut refused) = (most, 0);
                while left > 0 && refused <= beyond {
                    refused += u32::from(!ask(served, &mut seen));
                    left -= 1;
                }
            }
            Leg::Trickle { every, lasts } => {
                for step in 1..=lasts.0 / every.0 {
                    let due = start + Micros(step * every.0);
                    std::thread::sleep(Duration::from_micros(due.since(now()).0));
                    ask(served, &mut seen);
                }
            }
            Leg::Rest(span) => std::thread::sleep(Duration::from_micros((start + span).since(now()).0)),
        }
    }
    seen
}

/// One walk of each algorithm, all at once.
fn trails() -> [Vec<Observation>; 3] {
    let experiment = Experiment::telling(u64::from(LIMIT), WINDOW);
    let walks = Algorithm::ALL.map(|algorithm| {
        let experiment = experiment.clone();
        std::thread::spawn(move || {
            let mut served = served(algorithm);
            let seen = walk(&mut served, &experiment);
            served.target.stop();
            seen
        })
    });
    walks.map(|walk| walk.join().expect("it walks"))
}

/// On a busy machine requests come too late to tell: then the verdict is that it cannot be told, never another algorithm.
#[test]
fn each_way_of_counting_is_named_by_what_it_does() {
    let mut told = BTreeSet::new();
    for _ in 0..TRIES {
        for (algorithm, seen) in Algorithm::ALL.into_iter().zip(trails()) {
            let verdict = classify(&seen);
            let Some(named) = verdict.algorithm else { continue };
            assert_eq!(named, algorithm, "{}\n{seen:?}", verdict.reason);
            let capacity = verdict.capacity.expect("a capacity");
            assert!(capacity.low <= f64::from(LIMIT) && f64::from(LIMIT) <= capacity.high + 1.0, "{algorithm:?}: {capacity:?}");
            told.insert(format!("{algorithm:?}"));
        }
        if told.len() == Algorithm::ALL.len() {
            return;
        }
    }
    panic!("only {told:?} could be told in {TRIES} tries");
}
