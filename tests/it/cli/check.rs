//! Plans with mistakes, and `brownout check`: every mistake is shown, and nothing is sent.

use crate::cli::{CONTRACT, Draft, sound};
use crate::support::golden::assert_golden;
use crate::support::shell::Folder;

#[test]
fn every_mistake_in_what_is_named_ends_with_2_and_leaves_no_folder() {
    let upstream = sound();
    let plain = || Draft::at(&upstream);
    let fault = "[[fault]]\nname = \"f\"\nchance = \"10%\"\nrespond = { error = \"RATE_LIMIT_EXCEDED\" }";
    for (plan, said) in [
        (plain().more("[contract]\nfile = \"nowhere.toml\""), "nowhere.toml"),
        (plain().more("[["), "this is not TOML"),
        (plain().target("tiemouts = 1"), "did you mean `timeouts`?"),
        (plain().contract().more(fault), "did you mean `RATE_LIMIT_EXCEEDED`?"),
        (plain().gate("reponse.p99 < 1s"), "did you mean `response.p99`?"),
        (plain().more("[vars]\ntoken = { env = \"TOKEN\", required = true, secret = true }"), "set the environment variable `TOKEN`"),
    ] {
        let folder = Folder::with_plan(&plan.text());
        for line in [folder.check(), folder.run()] {
            let ended = line.ended().exits(2).says(said).says("plan.toml:");
            assert!(ended.stderr.ends_with("problem; nothing was sent\n"), "{ended}");
            assert_eq!(ended.stdout, "");
        }
        assert!(!folder.at("run").exists(), "a refused plan leaves nothing");
    }
    assert_eq!(upstream.connections(), 0, "nothing was sent");
}

#[test]
fn a_missing_plan_is_said_with_what_to_do() {
    let folder = Folder::new();
    let ended = folder.run().ended().exits(2);
    assert_golden("cli/missing-plan.txt", &ended.stderr);
    let ended = folder.brownout(["run", "."]).ended().exits(2);
    assert_golden("cli/plan-is-a-folder.txt", &ended.stderr);
}

#[test]
fn six_mistakes_are_six() {
    let folder = Folder::with_plan(include_str!("../../golden/plans/six-mistakes.toml"));
    std::fs::create_dir(folder.at("contracts")).expect("a folder");
    std::fs::copy(CONTRACT, folder.at("contracts/jan-server.toml")).expect("a copy");
    let ended = folder.check().ended().exits(2).says("6 problems; nothing was sent");
    assert_eq!(ended.stderr.matches("error: ").count(), 6, "{ended}");
}

#[test]
fn every_plan_named_is_looked_at() {
    let folder = Folder::with_plan(&Draft::embedded().text());
    let ended = folder.brownout(["check", "missing.toml", "plan.toml"]).ended().exits(2).says("missing.toml");
    assert!(ended.stdout.contains("stages") && ended.stdout.contains("steady"), "{ended}");
}

#[test]
fn a_host_that_is_not_allowed_is_never_spoken_to() {
    let upstream = sound();
    // A name for this machine that is not in the list: the socket would hear it.
    let elsewhere = format!("http://elsewhere.localhost:{}", upstream.address().port());
    let folder = Folder::with_plan(&Draft::of(&format!("url = \"{elsewhere}\"")).text());
    folder.run().ended().exits(2).says("`elsewhere.localhost` is outside `allow_hosts`");
    let folder = Folder::with_plan(&Draft::embedded().text());
    let ended = folder.run().args(["--target", &elsewhere]).ended().exits(2).says("`elsewhere.localhost` is outside `allow_hosts`");
    assert!(ended.stderr.contains("allow_hosts = [\"elsewhere.localhost\"]"), "what to do is said: {ended}");
    assert_eq!(upstream.connections(), 0, "nothing was sent");
}

#[test]
fn the_shipped_contract_has_a_broken_example_and_lacks_405() {
    let plans = concat!(env!("CARGO_MANIFEST_DIR"), "/plans");
    let folder = Folder::new();
    std::fs::create_dir_all(folder.at("plans/contracts")).expect("a folder");
    for file in ["quickstart.toml", "contracts/jan-server.toml"] {
        std::fs::copy(format!("{plans}/{file}"), folder.at("plans").join(file)).expect("a copy");
    }
    std::fs::create_dir_all(folder.at("plans/data")).expect("a folder");
    std::fs::copy(format!("{plans}/data/prompts.csv"), folder.at("plans/data/prompts.csv")).expect("a copy");
    let ended = folder.brownout(["check", "plans/quickstart.toml"]).ended().exits(0);
    assert_eq!(ended.stderr.matches("warning: ").count(), 2, "{ended}");
    assert_golden("cli/contract-warning.txt", &ended.stderr);
}

#[test]
fn a_plan_can_be_shown_with_its_variables_replaced_and_secrets_masked() {
    let vars = "[vars]\ntoken = { env = \"TOKEN\", secret = true, required = true }\nrate = { default = 3 }";
    let plan = Draft::of("url = \"http://127.0.0.1:1\"").steady("1s", "${rate}/s").target("headers = { X-Key = \"${token}\" }").more(vars);
    let folder = Folder::with_plan(&plan.text());
    let line = folder.check().args(["--print", "--set", "rate=11"]).env("TOKEN", "very-secret-value");
    let ended = line.ended().exits(0).prints("rate = \"11/s\"").prints("X-Key = \"${token}\"");
    assert!(!ended.stdout.contains("very-secret-value"));
    let ended = folder.check().args(["--set", "raet=11"]).env("TOKEN", "very-secret-value").ended().exits(2);
    assert!(ended.stderr.contains("did you mean `rate`?"), "{ended}");
}

#[test]
fn warnings_on_a_contract_are_grouped_waived_and_stop_nothing() {
    let rows: String = (0..9).map(|n| format!("[[error]]\nstatus = {}\ncode = \"A{n}\"\nretry = \"backoff\"\n", 431 + n)).collect();
    let contract = format!(
        "name = \"doubtful\"\n[envelope.standard.fields]\ncode = {{ required = true }}\n{rows}\
         [[waiver]]\ncheck = \"Q05\"\nreason = \"DOC-1\"\nexpires = \"9999-12-31\"\n\
         [[waiver]]\ncheck = \"Q07\"\nentry = \"*/*/43*/*\"\nreason = \"DOC-2\"\nexpires = \"9999-12-31\"\n\
         [[waiver]]\ncheck = \"H04\"\nreason = \"DOC-3\"\nexpires = \"2020-12-31\"\n"
    );
    let folder = Folder::with_plan(&Draft::of("url = \"http://127.0.0.1:1\"").more("[contract]\nfile = \"doubtful.toml\"").text());
    folder.put("doubtful.toml", contract);
    let ended = folder.check().ended().exits(0);
    assert_golden("cli/contract-warnings.txt", &ended.stderr);
}

#[test]
fn a_contract_is_checked_by_itself() {
    let folder = Folder::with_plan(&Draft::embedded().text());
    std::fs::copy(CONTRACT, folder.at("jan-server.toml")).expect("a copy");
    folder.put("broken.toml", "name = \"x\"\n[envelope.standard.fields]\ncode = { requird = true }\n[[error]]\nstatus = 404\n");
    let ended = folder.brownout(["check", "jan-server.toml"]).ended().exits(0).says("[Q01]");
    assert_golden("cli/contract-alone.txt", &ended.stdout);
    folder.brownout(["check", "jan-server.toml", "broken.toml"]).ended().exits(2).says("did you mean `required`?").says("broken.toml:3:");
    // Where a plan is needed, a contract is named as what it is.
    let ended = folder.brownout(["run", "jan-server.toml"]).ended().exits(2);
    ended.says("this is a contract, and a plan is expected").says("`[contract]` with `file = \"jan-server.toml\"`");
}
