//! `brownout probe` finds out by itself how a target counts, where the contract lets it go on after a refusal.

use crate::support::shell::Folder;

const CONTRACT: &str = include_str!("../../../plans/contracts/jan-server.toml");

const PLAN: &str = r#"
plan = 1
name = "how does it count"
seed = 1

[target]
embedded = { preset = "strict", limits = "documented" }
headers  = { Authorization = "Bearer user-token" }

[contract]
file = "contract.toml"

[[scenario]]
name = "models"

  [[scenario.step]]
  request = "GET /v1/models/catalogs"

[load]

  [[load.stage]]
  name = "none"
  for  = "1s"
  rate = "1/s"

[probe]
floods       = true
max_requests = 2000

[report]
formats = ["json"]
"#;

/// What a probe of a server that counts in this way calls it, and the limit its headers name.
fn told(algorithm: &str) -> (Option<String>, Option<u64>) {
    let folder = Folder::with_plan(PLAN);
    let contract = CONTRACT
        .replacen("\nlimit    = 100 ", &format!("\nalgorithm = \"{algorithm}\"\nwindow = \"2s\"\nlimit    = 40 "), 1)
        .replace("window = \"60s\"", "window = \"2s\"")
        .replace("stop_on = 429 }", "stop_on = 429, tell = true }");
    folder.put("contract.toml", contract);
    folder.brownout(["probe", "plan.toml", "--out", "run"]).ended().exits(0);
    let contract = folder.report().contract.expect("a contract");
    let limiter = contract.limiters.iter().find(|limiter| limiter.operation.ends_with("/execute")).expect("the limiter of its probe");
    (limiter.algorithm.clone(), limiter.advertised_limit)
}

/// On a busy machine it may come out that it cannot be told; another algorithm never.
#[test]
fn a_burst_that_goes_on_tells_how_the_target_counts() {
    let algorithms = ["token-bucket", "fixed-window", "sliding-window"];
    let found = algorithms.map(|algorithm| std::thread::spawn(move || told(algorithm)));
    let mut named = 0;
    for (algorithm, found) in algorithms.into_iter().zip(found) {
        let (told, limit) = found.join().expect("a report");
        assert_eq!(limit, Some(100), "the route's own limit is in its headers");
        assert!(told.as_deref().is_none_or(|told| told == algorithm), "{algorithm} was called {told:?}");
        named += usize::from(told.is_some());
    }
    assert!(named > 0, "not one of three could be told");
}
