//! What is decided about faults is written down, the same in every run, and can be applied again.

use serde_json::Value;

use crate::cli::Draft;
use crate::support::shell::Folder;

/// Retries, a sequence, a coin and a delay that is drawn; no window, so that the level is exact.
const FAULTS: &str = "[retry.r]\nattempts = 3\nbackoff = { exponential = { base = \"1ms\", cap = \"5ms\" } }\non = [\"5xx\", \"reset\"]\nmethods = \"any\"\n\
    [[fault]]\nname = \"blip\"\nper = \"exchange\"\nchance = { exactly = \"20%\" }\nsequence = [{ status = 503 }, \"reset\", \"pass\"]\n\
    [[fault]]\nname = \"slow\"\nchance = \"30%\"\ndelay = { uniform = { min = \"1ms\", max = \"9ms\" } }\n\
    [proxy]\nrepeatable = \"exact\"";

/// As many arrivals with every seed.
const LOAD: &str = "arrivals = \"even\"\ndrain = \"2s\"\n[[load.stage]]\nname = \"steady\"\nfor = \"1s\"\nrate = \"60/s\"";

fn plan() -> String {
    let text = Draft::embedded().load(LOAD).more(FAULTS).text();
    text.replace("[[scenario]]\nname = \"s\"\n", "[[scenario]]\nname = \"s\"\nretry = \"r\"\n")
}

fn log(folder: &Folder) -> String {
    std::fs::read_to_string(folder.at("run/faults.jsonl")).expect("a log")
}

fn lines(log: &str) -> Vec<Value> {
    log.lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[test]
fn the_same_run_twice_has_the_same_decision_log_byte_by_byte() {
    let once = || {
        let folder = Folder::with_plan(&plan());
        folder.run().ended().exits(0);
        let report = folder.report();
        let decisions = report.decisions.expect("decisions");
        assert_eq!((decisions.level.as_str(), decisions.reason), ("exact", None));
        let written = decisions.log.expect("a log");
        let log = log(&folder);
        assert_eq!((written.missing, written.lines as usize), (0, log.lines().count() - 2));
        assert!(report.artifacts.iter().any(|file| file.path == "faults.jsonl" && file.bytes == log.len() as u64));
        log
    };
    let (one, other) = (once(), once());
    assert_eq!(one, other);
    let verdicts: Vec<String> = lines(&one).iter().filter_map(|line| Some(line["verdict"].as_str()?.to_owned())).collect();
    for expected in ["spared", "passed", "disturbed"] {
        assert!(verdicts.iter().any(|verdict| verdict == expected), "{expected}: {one}");
    }
}

#[test]
fn a_run_with_a_log_decides_what_the_log_says_whatever_the_seed() {
    let folder = Folder::with_plan(&plan());
    folder.run().ended().exits(0);
    let first = log(&folder);
    std::fs::copy(folder.at("run/faults.jsonl"), folder.at("kept.jsonl")).expect("a copy");
    folder.run().args(["--force", "--seed", "99", "--faults", "kept.jsonl"]).ended().exits(0);
    let again = log(&folder);
    let of_attempts = |log: &str| log.lines().skip(1).map(str::to_owned).collect::<Vec<_>>();
    assert_eq!(of_attempts(&first), of_attempts(&again));
    let followed = folder.report().decisions.and_then(|decisions| decisions.followed).expect("it followed the log");
    assert_eq!((followed.known as usize, followed.unknown, followed.unmet), (first.lines().count() - 2, 0, 0));
}

#[test]
fn what_a_log_does_not_know_passes_and_what_it_knows_too_much_is_said() {
    let folder = Folder::with_plan(&plan());
    folder.run().ended().exits(0);
    // Of the log only the first ten attempts are left, and one that never comes.
    let text = log(&folder);
    let mut kept: Vec<String> = text.lines().take(11).map(str::to_owned).collect();
    kept.push(text.lines().nth(1).expect("a line").replacen("\"arrival\":0", "\"arrival\":999999", 1));
    kept.push("{\"lines\":11,\"missing\":0}\n".to_owned());
    folder.put("kept.jsonl", kept.join("\n"));
    let ended = folder.run().args(["--force", "--faults", "kept.jsonl"]).ended();
    let report = folder.report();
    let followed = report.decisions.expect("decisions").followed.expect("it followed the log");
    assert_eq!((followed.known, followed.unmet), (10, 1), "{ended}");
    assert!(followed.unknown > 20, "{followed:?}");
    let said = report.data_quality.warnings.join("\n");
    assert!(said.contains("say nothing") && said.contains("no attempt came"), "{said}");
    assert!(report.faults.iter().any(|fault| fault.eligible > 0));
}

#[test]
fn a_log_that_does_not_fit_the_plan_is_a_mistake_with_its_line() {
    let folder = Folder::with_plan(&plan());
    folder.put("other.jsonl", "{\"brownout_faults\":1,\"plan\":\"p\",\"seed\":1,\"level\":\"exact\",\"rules\":[\"gone\"]}\n\
        {\"arrival\":0,\"scenario\":\"s\",\"step\":\"GET /v1/models/catalogs\",\"attempt\":1,\"eligible\":[\"gone\"],\"verdict\":\"spared\"}\n\
        {\"lines\":1,\"missing\":0}\n");
    let ended = folder.run().args(["--faults", "other.jsonl"]).ended().exits(2);
    assert!(ended.to_string().contains("line 2: the plan has no fault `gone`"), "{ended}");
    let ended = folder.run().args(["--faults", "absent.jsonl"]).ended().exits(2);
    assert!(ended.to_string().contains("absent.jsonl"), "{ended}");
}

#[test]
fn check_explains_what_a_run_then_does() {
    let folder = Folder::with_plan(&plan());
    folder.run().ended().exits(0);
    let told = folder.brownout(["check", "plan.toml", "--explain", "-n", "30"]).ended().exits(0).to_string();
    // Every disturbed attempt of the first thirty arrivals stands in both, with what is done to it.
    let mut compared = 0;
    for line in lines(&log(&folder)).iter().filter(|line| line["arrival"].as_u64().is_some_and(|arrival| arrival < 30)) {
        if line["verdict"] != "disturbed" {
            continue;
        }
        let (arrival, attempt) = (line["arrival"].to_string(), line["attempt"].to_string());
        let what = line["what"].as_str().expect("what was done");
        let row = told.lines().map(|row| row.split_whitespace().collect::<Vec<_>>());
        let mut row = row.filter(|row| row.first() == Some(&arrival.as_str()));
        let found = row.any(|row| {
            let text = row.join(" ");
            text.contains(&format!(" {attempt} {} {what}", line["rule"].as_str().expect("a rule")))
        });
        assert!(found, "{line} is not in\n{told}");
        compared += 1;
    }
    assert!(compared > 5, "{compared}");
}

#[test]
fn a_promise_that_a_fault_cannot_keep_is_refused() {
    let text = plan().replace("name = \"slow\"\n", "name = \"slow\"\nmax_active = 3\n");
    let folder = Folder::with_plan(&text);
    let ended = folder.brownout(["check", "plan.toml"]).ended().exits(2);
    assert!(ended.to_string().contains("the fault `slow` limits how many attempts are disturbed at once"), "{ended}");
}

#[test]
fn a_body_that_a_rule_reads_reaches_the_target_whole() {
    let faults = "[[fault]]\nname = \"jan\"\nmatch = { method = \"POST\", body = { json = { title = \"jan-*\" } } }\nrespond = { status = 418 }\n\
                  [[fault]]\nname = \"other\"\nmatch = { body = \"nobody says this\" }\nrespond = { status = 500 }";
    let long = "x".repeat(200_000);
    let step =
        |title: &str| format!("request = \"POST /v1/conversations\"\njson = {{ title = \"{title}\" }}\nexpect = {{ status = [201, 418] }}");
    for (title, fired) in [("jan-nano", true), ("other", false), (long.as_str(), false)] {
        let folder = Folder::with_plan(&Draft::embedded().step(&step(title)).more(faults).text());
        let ended = folder.run().ended();
        let report = folder.report();
        assert_eq!(report.faults[0].fired > 0, fired, "{ended}");
        assert!(report.accounting.attempts > 5 && report.accounting.failed == 0, "{ended}");
    }
}
