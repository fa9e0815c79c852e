//! See `src/plan`.

use std::path::Path;

use brownout::plan::problem::Problems;
use brownout::plan::source::SourceText;
use brownout::plan::{Escape, Fill, LoadOptions, Piece, Place, Plan, Shape};

use crate::support::golden::assert_golden;

/// A plan that has nothing wrong, in parts that a test can replace.
const HEAD: &str = "plan = 1\nname = \"t\"\n";
const TARGET: &str = "[target]\nurl = \"http://127.0.0.1:8000\"\n";
const SCENARIO: &str = "[[scenario]]\nname = \"s\"\n[[scenario.step]]\nrequest = \"GET /\"\n";
const LOAD: &str = "[[load.stage]]\nname = \"steady\"\nfor = \"10s\"\nrate = \"10/s\"\n";

fn parse(text: &str) -> Result<Plan, Problems> {
    parse_with(text, &LoadOptions::default())
}

fn parse_with(text: &str, options: &LoadOptions<'_>) -> Result<Plan, Problems> {
    Plan::from_source(&SourceText::new("plan.toml", text), Path::new("plans"), options)
}

/// What is wrong with a plan, one line each, without the text around it.
fn wrong(text: &str) -> Vec<String> {
    let problems = parse(text).expect_err("the plan has a problem");
    problems.sorted().iter().map(|p| format!("{} {}", p.place.as_ref().map_or("-".into(), |p| p.line().to_string()), p.what)).collect()
}

#[test]
fn the_smallest_plan_is_complete_with_defaults() {
    let plan = parse(&[HEAD, TARGET, SCENARIO, LOAD].concat()).expect("nothing is wrong");
    assert!(matches!(&plan.target.place, Place::Url(url) if url.as_str() == "http://127.0.0.1:8000/"));
    assert_eq!(plan.scenarios[0].steps[0].operation, "s/GET /");
    assert_eq!((plan.load.max_in_flight, plan.load.stages.len()), (64, 1));
    assert!(plan.proxy.is_none() && plan.contract.is_none() && plan.gates.is_empty());
}

#[test]
fn every_bad_plan_shows_its_problems_as_its_golden_copy() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/golden/plans");
    let mut plans: Vec<_> = std::fs::read_dir(&folder).expect("the folder").map(|entry| entry.expect("an entry").path()).collect();
    plans.retain(|path| path.extension().is_some_and(|ending| ending == "toml"));
    plans.sort();
    assert!(plans.len() >= 14, "{plans:?}");
    for path in plans {
        let name = path.file_stem().and_then(|name| name.to_str()).expect("a name");
        let text = std::fs::read_to_string(&path).expect("a plan");
        // The contract is found in `plans`, as for a plan that lies there.
        let source = SourceText::new(&format!("{name}.toml"), text);
        let problems = Plan::from_source(&source, Path::new("plans"), &LoadOptions::default()).expect_err(name);
        assert_golden(&format!("plans/{name}.txt"), &problems.render(false));
    }
}

#[test]
fn six_mistakes_are_six_problems() {
    let text = include_str!("../golden/plans/six-mistakes.toml");
    assert_eq!(wrong(text).len(), 6, "{:#?}", wrong(text));
}
