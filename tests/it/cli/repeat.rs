//! The same plan and seed: the same arrivals and the same fault decisions, however busy the machine is.

use std::sync::atomic::{AtomicBool, Ordering};

use crate::cli::Draft;
use crate::support::shell::Folder;

#[test]
fn equal_seeds_give_equal_arrivals_and_decisions_under_any_load() {
    let fault = "[[fault]]\nname = \"f\"\nchance = \"30%\"\nrespond = { error = \"SERVICE_UNAVAILABLE\", retry_after = \"1s\" }\n\
                 [[fault]]\nname = \"g\"\nchance = { exactly = \"20%\" }\ndelay = \"20ms\"";
    let draft = Draft::embedded().steady("1s", "60/s").more(fault);
    let digests = |seed: &str| {
        let folder = Folder::with_plan(&draft.text());
        let ended = folder.run().args(["--seed", seed]).ended().exits(0);
        let report = folder.report();
        assert_eq!(report.run.seed.to_string(), seed);
        assert!(report.faults.iter().all(|fault| fault.fired > 0), "{ended}");
        (report.run.arrivals_digest, report.run.decisions_digest)
    };
    let (calm, other) = std::thread::scope(|scope| {
        let other = scope.spawn(|| digests("8"));
        (digests("7"), other.join().expect("no panic"))
    });
    let busy = while_busy(|| digests("7"));
    assert_eq!(calm, busy);
    assert!(calm.0 != other.0 && calm.1 != other.1, "another seed is another run: {calm:?} {other:?}");
    assert!(calm.0.chars().any(|c| c != '0') && calm.1.chars().any(|c| c != '0'));
}

/// With every core at work on something else.
fn while_busy<T>(work: impl FnOnce() -> T) -> T {
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..std::thread::available_parallelism().map_or(2, usize::from) {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    std::hint::spin_loop();
                }
            });
        }
        let result = work();
        done.store(true, Ordering::Relaxed);
        result
    })
}
