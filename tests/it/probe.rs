//! See `src/probe`, `src/engine/probing` and `src/cli/probe.rs`.
//!
//! The command is started against the embedded server, and against scripts on real sockets that die, say nothing, or
//! never stop.

use std::ffi::OsStr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use brownout::analysis::{EntryState, Status};
use brownout::contract::replay::Outcome;
use brownout::gate::Decision;
use brownout::plan::{LoadOptions, Plan};
use brownout::probe::{Battery, Mistake, battery};
use brownout::report::{EndedBy, ProbeFacts, Report};
use brownout::severity::Severity;

use crate::support::golden::assert_golden;
use crate::support::shell::Folder;
use crate::support::upstream::{Act, Upstream, answer};

/// A contract with three errors: one that a mistake in a step brings about, one of a hook, one of nothing.
const CONTRACT: &str = r#"
name = "Things"
other_statuses = [200, 201]

[envelope.standard.fields]
code = { type = "string", required = true }

[[error]]
status = 404
code   = "NO_THING"

[[error]]
status  = 503
code    = "RESTING"
provoke = { hook = "rest" }

[[error]]
status  = 500
code    = "BROKEN"
provoke = "hook"
"#;

/// Every mistake but these.
fn all_but(kept: &[Mistake]) -> String {
    let words = Mistake::ALL.iter().filter(|mistake| !kept.contains(mistake)).map(|mistake| format!("\"{}\"", mistake.word()));
    format!("skip = [{}]", words.collect::<Vec<_>>().join(", "))
}

/// A plan against a scripted target, with more lines of `[probe]`.
fn plan_at(upstream: &Upstream, probe: &str) -> Folder {
    let folder = Folder::with_plan(&format!(
        "plan = 1\nname = \"things\"\n[target]\nurl = \"http://{}\"\ntimeouts = {{ connect = \"1s\" }}\n\
         [[scenario]]\nname = \"look\"\n[[scenario.step]]\nname = \"list\"\nrequest = \"GET /things\"\n\
         [load]\n[[load.stage]]\nname = \"all\"\nfor = \"1s\"\nrate = \"1/s\"\n\
         [contract]\nfile = \"contract.toml\"\n[probe]\n{probe}\n\
         [report]\nformats = [\"html\", \"json\", \"junit\", \"markdown\"]\n",
        upstream.address()
    ));
    folder.put("contract.toml", CONTRACT);
    folder
}

const HOOK: &str = "[probe.hook.rest]\non = { request = \"POST /rest\" }\noff = { request = \"DELETE /rest\" }\n";

fn script(acts: Vec<Act>) -> Vec<Act> {
    [vec![Act::ReadRequest], acts, vec![Act::Close]].concat()
}

/// The connection by which the command looks whether there is anybody.
fn looked() -> Vec<Act> {
    vec![Act::WaitForClose]
}

fn ok() -> Vec<Act> {
    script(vec![answer("200 OK", "{}")])
}

fn probe_of<'r>(report: &'r Report, id: &str) -> &'r ProbeFacts {
    report.probes.iter().find(|probe| probe.id == id).unwrap_or_else(|| panic!("{id} is not among {:#?}", report.probes))
}

fn shipped(name: &str, change: impl Fn(String) -> String) -> Arc<Plan> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("plans");
    let text = change(std::fs::read_to_string(folder.join(name)).expect("a shipped plan"));
    let source = brownout::plan::source::SourceText::new(name, text);
    Arc::new(Plan::from_source(&source, &folder, &LoadOptions::default()).unwrap_or_else(|problems| panic!("{}", problems.render(false))))
}

fn battery_of(plan: &Arc<Plan>) -> Battery {
    battery(plan, plan.probe.as_ref().expect("a [probe] part"))
}

#[test]
fn the_shipped_plan_reaches_nearly_every_documented_error_of_the_embedded_server() {
    let folder = Folder::new();
    let plan = Path::new(env!("CARGO_MANIFEST_DIR")).join("plans/probe.toml");
    let line: [&OsStr; 4] = ["probe".as_ref(), plan.as_os_str(), "--out".as_ref(), "run".as_ref()];
    folder.brownout(line).start().ended().exits(0);
    let report = folder.report();
    let contract = report.contract.as_ref().expect("a contract");
    assert_eq!(contract.coverage.in_scope, 28);
    assert!(contract.coverage.seen >= 26, "{:#?}", contract.entries);
    for entry in &contract.entries {
        let seen = matches!(entry.state, EntryState::Conformant | EntryState::Violating);
        assert!(seen || entry.reason.as_deref().is_some_and(|reason| reason.contains('`')), "{entry:#?}");
        let how = if entry.code == "SERVICE_UNAVAILABLE" { "hook" } else { "probe" };
        assert!(!seen || entry.how_seen == [how], "{entry:#?}");
    }
    let wrong: Vec<_> = report.findings.iter().filter(|finding| finding.severity >= Severity::Medium).collect();
    assert!(wrong.is_empty(), "a server that keeps its contract has no findings: {wrong:#?}");
    let bad = report.probes.iter().filter(|probe| ["accepted", "no-answer", "unexpected"].contains(&probe.outcome.as_str()));
    assert_eq!(bad.collect::<Vec<_>>(), Vec::<&ProbeFacts>::new());
    assert_eq!((report.verdict.status, report.accounting.scheduled), (Status::Pass, 0));
    let page = folder.text("run/report.html");
    assert!(
        page.contains("What a probe should be answered with comes from the contract")
            && page.contains("row:*/*/409/RESOURCE_ALREADY_EXISTS")
    );
    assert!(folder.text("run/summary.md").contains("as expected"));
}

#[test]
fn every_row_is_aimed_at_or_says_why_not() {
    let plan = shipped("probe.toml", |text| text);
    let battery = battery_of(&plan);
    assert_eq!(battery.unprovoked, []);
    let mut ids: Vec<&str> = battery.probes.iter().map(|probe| probe.id.as_str()).collect();
    ids.sort_unstable();
    ids.dedup();
    assert_eq!(ids.len(), battery.probes.len(), "an id is one probe's alone");
    assert!(battery.requests() < 700, "bounded: {}", battery.requests());

    // The contract alone, without what the plan adds: hooks, faults and consent are missing, and said to be.
    let cut = |text: String| {
        let end = text.find("  # A state that no request").expect("the hook");
        let gates = text.find("# ── what it has to come to").expect("the gates");
        let without = format!("{}{}", &text[..end], &text[gates..]);
        without.replace("floods       = true", "floods       = false").replace("  [probe.identity.weak]", "  [probe.identity.meek]")
    };
    let plan = shipped("probe.toml", cut);
    let bare = battery_of(&plan);
    let contract = &plan.contract.as_ref().expect("a contract").contract;
    let why = |key: &str| {
        let found = bare.unprovoked.iter().find(|one| contract.row(one.row).key == key);
        found.map_or_else(|| panic!("{key} is aimed at"), |one| one.why.as_str())
    };
    assert!(why("*/*/503/SERVICE_UNAVAILABLE").contains("[probe.hook.maintenance]"));
    assert!(why("response-api/*/504/TIMEOUT").contains("fault behind the target"));
    assert!(why("*/*/500/INTERNAL_ERROR").contains("hook in the target"));
    assert!(why("llm-api/*/429/RATE_LIMIT_EXCEEDED").contains("`floods = true`"));
    assert!(why("*/*/403/INSUFFICIENT_PERMISSION").contains("[probe.identity.weak]"));
    let text = bare.forecast(contract, plan.probe.as_ref().expect("[probe]"));
    assert!(text.contains("left out without `floods = true`") && text.contains("nothing is aimed at"), "{text}");
}

#[test]
fn probes_that_change_something_or_use_up_a_limit_need_consent() {
    let free = battery_of(&shipped("probe.toml", |text| text));
    let (writes, floods) = (free.probes.iter().filter(|p| p.needs.writes).count(), free.probes.iter().filter(|p| p.needs.floods).count());
    assert!(writes >= 3 && floods >= 2, "{writes} {floods}");
    assert!(free.refused.is_empty());
    let strip = |text: String| {
        let (start, end) = (text.find("  # A state that no request").expect("hooks"), text.find("# ── what it has").expect("gates"));
        format!("{}{}", &text[..start], &text[end..])
            .replace("writes       = true", "writes       = false")
            .replace("floods       = true", "floods       = false")
    };
    let shy = battery_of(&shipped("probe.toml", strip));
    assert!(shy.probes.iter().all(|probe| !probe.needs.writes && !probe.needs.floods));
    assert!(!shy.refused.is_empty());
}

#[test]
fn a_hook_is_switched_off_again_after_an_interrupt_too() {
    let patient = script(vec![Act::Wait(Duration::from_secs(20))]);
    let upstream = Upstream::play(vec![looked(), ok(), patient, ok()]);
    let folder = plan_at(&upstream, &format!("{}\n{HOOK}", all_but(&[Mistake::Hooked])));
    let mut started = folder.brownout(["probe", "plan.toml", "--out", "run"]).start();
    started.wait_until("the hooked request", |_| upstream.requests().len() == 2);
    started.signal("INT");
    started.ended().exits(130);
    let heads: Vec<String> = upstream.requests().iter().map(|request| request.head.lines().next().unwrap_or_default().to_owned()).collect();
    assert_eq!(heads, ["POST /rest HTTP/1.1", "GET /things HTTP/1.1", "DELETE /rest HTTP/1.1"]);
    let report = folder.report();
    assert_eq!((report.run.ended_by, report.run.complete), (EndedBy::Sigint, false));
    let hooked = probe_of(&report, "row:*/*/503/RESTING");
    assert_eq!((hooked.outcome.as_str(), hooked.how.as_str()), ("not-sent", "hook"));
}

#[test]
fn an_error_behind_a_hook_is_seen_by_hook_and_a_hook_that_stays_on_is_said() {
    let resting = script(vec![Act::write(
        "HTTP/1.1 503 Service Unavailable\r\nContent-Type: application/json\r\nRetry-After: 1\r\nContent-Length: 18\r\n\r\n{\"code\":\"RESTING\"}",
    )]);
    let refused = script(vec![answer("500 Internal Server Error", "")]);
    let upstream = Upstream::play(vec![looked(), ok(), resting, refused]);
    let folder = plan_at(&upstream, &format!("{}\n{HOOK}", all_but(&[Mistake::Hooked])));
    folder.brownout(["probe", "plan.toml", "--out", "run", "--quiet"]).start().ended().exits(0);
    let report = folder.report();
    let entry =
        |code: &str| report.contract.as_ref().expect("a contract").entries.iter().find(|entry| entry.code == code).expect("it").clone();
    assert_eq!(entry("RESTING").how_seen, ["hook"]);
    assert_eq!((entry("BROKEN").state, entry("NO_THING").state), (EntryState::NeedsHook, EntryState::NotTried));
    assert!(entry("BROKEN").reason.is_some_and(|reason| reason.contains("only a hook in the target")));
    assert!(
        report.data_quality.warnings.iter().any(|warning| warning.contains("the hook `rest` may still be on")),
        "{:?}",
        report.data_quality.warnings
    );
    assert_eq!(upstream.requests().len(), 5, "switching it off is tried three times");
}

#[test]
fn a_target_that_dies_in_the_middle_ends_the_battery_with_a_report() {
    let upstream = Upstream::play(vec![ok()]);
    let folder = plan_at(&upstream, "rate = \"5/s\"\n");
    let mut started = folder.brownout(["probe", "plan.toml", "--out", "run"]).start();
    started.wait_until("some probes", |_| upstream.requests().len() >= 3);
    drop(upstream);
    started.ended().exits(3).says("the target is gone");
    let report = folder.report();
    assert_eq!((report.run.ended_by, report.run.complete), (EndedBy::TargetLost, false));
    assert!(
        report.probes.iter().any(|probe| probe.outcome == "not-sent" && probe.reason.as_deref().is_some_and(|why| why.contains("gone")))
    );
    assert!(report.probes.iter().any(|probe| probe.sent > 0));
}

#[test]
fn a_target_that_says_nothing_is_waited_for_in_bounds() {
    let upstream = Upstream::play(vec![vec![Act::WaitForClose]]);
    let folder = plan_at(&upstream, "timeout = \"300ms\"\nmax_requests = 5\n");
    let ended = folder.brownout(["probe", "plan.toml", "--out", "run"]).start().ended().exits(3);
    ended.says("answered: timed out before the first byte of the answer").says("help: ").prints("ERROR");
    let report = folder.report();
    assert_eq!(report.verdict.status, Status::Error);
    assert!(report.verdict.headline.contains("answered: timed out"), "{}", report.verdict.headline);
    let sent: u32 = report.probes.iter().map(|probe| probe.sent).sum();
    assert!(sent <= 5, "{sent}");
}

#[test]
fn the_bound_on_time_holds_inside_a_request() {
    let upstream = Upstream::play(vec![vec![Act::WaitForClose]]);
    let folder = plan_at(&upstream, "timeout = \"50s\"\nmax_time = \"1s\"\n");
    folder.brownout(["probe", "plan.toml", "--out", "run"]).start().ended().exits(3).says("`max_time` was over");
    let report = folder.report();
    assert!((500..20_000).contains(&report.run.duration_ms), "{}", report.run.duration_ms);
    assert!(report.findings.is_empty(), "that our time was over is no fault of the target's: {:#?}", report.findings);
    assert!(report.probes.iter().all(|probe| probe.outcome == "not-sent"), "{:#?}", report.probes);
}

#[test]
fn a_target_that_gives_no_answer_is_an_error_that_says_what_came_instead() {
    let long = format!("HTTP/1.1 200 OK\r\nX-Long: {}\r\n\r\n", "x".repeat(100_000));
    for (acts, what) in [
        (vec![Act::Close], "connection closed without an answer"),
        (vec![Act::ReadRequest, Act::Reset], "connection reset"),
        (script(vec![Act::write(long)]), "a head of more than 64 KiB"),
        (script(vec![Act::write("220 mail.example.com ESMTP\r\n")]), "not HTTP"),
    ] {
        let upstream = Upstream::play(vec![looked(), acts]);
        let folder = plan_at(&upstream, "max_requests = 4\n[[gate]]\nrequire = \"contract.findings(high) == 0\"\n");
        let ended = folder.brownout(["probe", "plan.toml", "--out", "run", "--quiet"]).start().ended().exits(3);
        ended.says("error: ").says(what).says("help: ");
        let report = folder.report();
        assert_eq!(report.verdict.status, Status::Error, "{what}");
        let gate = &report.verdict.gates[0];
        assert!(gate.decision == Decision::Inconclusive && gate.reason.contains(what), "{gate:#?}");
    }
}

#[test]
fn coverage_that_a_battery_out_of_requests_did_not_reach_is_inconclusive() {
    let upstream = Upstream::play(vec![looked(), ok()]);
    let folder = plan_at(&upstream, "max_requests = 3\n[[gate]]\nrequire = \"contract.coverage == 100%\"\n");
    folder.brownout(["probe", "plan.toml", "--out", "run", "--quiet"]).start().ended().exits(5);
    let report = folder.report();
    assert_eq!(upstream.requests().len(), 3, "the bound is on all requests, the valid ones included");
    let gate = &report.verdict.gates[0];
    assert!(gate.decision == Decision::Inconclusive && gate.reason.contains("`max_requests` was reached"), "{gate:#?}");
    let unsent = report.probes.iter().filter(|probe| probe.reason.as_deref().is_some_and(|why| why.contains("`max_requests` was reached")));
    assert!(unsent.count() > 0, "{:#?}", report.probes);
    assert!(report.data_quality.warnings.iter().any(|warning| warning.contains("`max_requests`")), "{:?}", report.data_quality.warnings);

    // The same gate where every probe had its turn: then what was not seen is not there.
    let upstream = Upstream::play(vec![looked(), ok()]);
    let folder = plan_at(&upstream, "[[gate]]\nrequire = \"contract.coverage == 100%\"\n");
    folder.brownout(["probe", "plan.toml", "--out", "run", "--quiet"]).start().ended().exits(1);
}

#[test]
fn what_a_probe_finds_names_the_probe_wherever_it_is_told() {
    let upstream = Upstream::play(vec![looked(), ok(), script(vec![answer("200 OK", "{}")])]);
    let kept = all_but(&[Mistake::UnknownRoute, Mistake::UnknownMethod]);
    let folder = plan_at(&upstream, &kept);
    folder.brownout(["probe", "plan.toml", "--out", "run", "--quiet"]).start().ended();
    let report = folder.report();
    let finding = report.findings.iter().find(|finding| finding.check == "S06").expect("an accepted mistake");
    let resend = finding.evidence[0].replay.as_ref().expect("a request");
    assert!(resend.probe.as_deref().is_some_and(|probe| finding.probes.iter().any(|known| known == probe)), "{resend:?}");
    assert_eq!(resend.operation.as_deref(), Some("look/list"));
    let replayed = finding.isolated_replay.as_ref().expect("it says why it was not sent again");
    assert!(replayed.outcome == Outcome::NotApplicable && replayed.reason.contains("without load"), "{replayed:?}");
    let junit = folder.text("run/junit.xml");
    let suite = junit.split("<testsuite ").find(|suite| suite.starts_with("name=\"probes\"")).expect("a suite of probes");
    assert!(suite.contains("tests=\"2\"") && suite.contains("failures=\"2\""), "{suite}");
    assert!(suite.contains("name=\"look/list:unknown-route\"") && suite.contains("message=\"accepted: 200"), "{suite}");
    let ended = folder.brownout(["replay", "run/report.json", &finding.id]).ended().exits(5);
    assert!(ended.stdout.contains("CANNOT TELL") && ended.stdout.contains("`look/list:unknown-"), "{ended}");
}

#[test]
fn what_a_battery_creates_is_new_to_a_target_that_has_met_its_seed_before() {
    let sent = |_: usize| {
        let upstream = Upstream::play(vec![looked(), ok()]);
        let folder = plan_at(&upstream, &all_but(&[Mistake::UnknownRoute]));
        let text =
            folder.text("plan.toml").replace("request = \"GET /things\"", "request = \"POST /things\"\njson = { name = \"${uuid}\" }");
        folder.put("plan.toml", text);
        folder.brownout(["probe", "plan.toml", "--out", "run", "--quiet"]).start().ended();
        upstream.requests()[0].body.clone()
    };
    let (first, second) = (sent(1), sent(2));
    assert!(!first.is_empty() && first != second, "{}", String::from_utf8_lossy(&first));
}

#[test]
fn an_answer_without_end_is_let_go() {
    let endless = vec![Act::ReadRequest, Act::write("HTTP/1.1 404 Not Found\r\n\r\n"), Act::WriteForever(vec![b'x'; 65_536])];
    let upstream = Upstream::play(vec![looked(), ok(), endless]);
    let folder = plan_at(&upstream, &format!("timeout = \"1s\"\n{}\n", all_but(&[Mistake::UnknownRoute])));
    folder.brownout(["probe", "plan.toml", "--out", "run", "--quiet"]).start().ended();
    let report = folder.report();
    let probe = probe_of(&report, "look/list:unknown-route");
    assert!(probe.sent == 1 && ["no-answer", "expected"].contains(&probe.outcome.as_str()), "{probe:#?}");
    assert!(report.run.duration_ms < 20_000, "{}", report.run.duration_ms);
}

#[test]
fn a_plan_without_a_contract_or_without_probes_has_nothing_to_probe() {
    let upstream = Upstream::play(vec![ok()]);
    let folder = plan_at(&upstream, &all_but(&[]));
    let ended = folder.brownout(["probe", "plan.toml", "--out", "run"]).start().ended().exits(5);
    assert!(ended.stdout.contains("No probe was sent"), "{ended}");
    assert_eq!(upstream.requests().len(), 0);
    let text = folder.text("plan.toml");
    let (start, end) = (text.find("[contract]").expect("it"), text.find("[report]").expect("it"));
    folder.put("plan.toml", format!("{}{}", &text[..start], &text[end..]));
    folder.brownout(["probe", "plan.toml"]).start().ended().exits(2).says("there is nothing to probe");
}

#[test]
fn what_is_wrong_with_a_probe_part_is_said_at_its_line() {
    let text = "plan = 1\nname = \"x\"\n[target]\nurl = \"https://api.example.com\"\nallow_hosts = [\"api.example.com\"]\n\
        [[scenario]]\nname = \"look\"\n[[scenario.step]]\nname = \"list\"\nrequest = \"GET /things\"\n\
        [load]\n[[load.stage]]\nname = \"all\"\nfor = \"1s\"\nrate = \"1/s\"\n[contract]\nfile = \"jan-server.toml\"\n\
        [probe]\nrate = \"0/s\"\nmax_requests = 0\ntimeout = \"0s\"\nfloods = false\nskip = [\"truncated\"]\nduring = [\"idle\", \"steady\"]\n\
        public = [\"look/lst\"]\nburst = 3\n\
        [probe.identity.weak]\nheader = { Authorization = \"x\" }\n\
        [probe.hook.rest]\non = { request = \"POST /rest\", as = \"amdin\" }\n\
        [[probe.aim]]\nrow = \"*/*/409/RESOURCE_ALREADY_EXIST\"\nrequest = \"GET /x\"\nas = \"week\"\n\
        [[probe.aim]]\nrow = \"CONVERSATION_NOT_FOUND\"\nrequest = \"GET /x\"\n\
        setup = [{ request = \"GET /y\", as = \"nobody\" },\n{ request = \"GET /z\", as = \"nobody\" }]\n\
        [[probe.aim]]\nrow = \"*/*/429/RATE_LIMIT_EXCEEDED\"\nburst = { budget = 10 }\n\
        [[probe.aim]]\nrow = \"*/*/409/RESOURCE_ALREADY_EXISTS\"\nrequest = \"POST /x\"\nrepeat = 2\nhook = \"resst\"\n\
        [[probe.field]]\nstep = \"look/list\"\nrequired = true\n";
    let source = brownout::plan::source::SourceText::new("plan.toml", text);
    let problems = Plan::from_source(&source, Path::new("plans"), &LoadOptions::default()).expect_err("problems");
    assert_golden("plans/probe-part.txt", &problems.render(false));
}

/// A server that answers what it does not know with 404 as long as it is idle, and with 500 while it is busy: within a
/// moment of a request to `/things` on top of the few that a battery sends by itself.
struct Busy {
    address: std::net::SocketAddr,
}

impl Busy {
    const MOMENT: Duration = Duration::from_millis(700);
    const MANY: usize = 5;

    fn start() -> Busy {
        let listener = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("an address");
        let asked = Arc::<std::sync::Mutex<Vec<std::time::Instant>>>::default();
        std::thread::spawn(move || {
            for socket in listener.incoming().flatten() {
                let asked = Arc::clone(&asked);
                std::thread::spawn(move || Busy::serve(socket, &asked));
            }
        });
        Busy { address }
    }

    fn serve(socket: std::net::TcpStream, asked: &std::sync::Mutex<Vec<std::time::Instant>>) {
        use std::io::{BufRead, BufReader, Write};
        let Ok(mut out) = socket.try_clone() else { return };
        let mut lines = BufReader::new(socket).lines().map_while(Result::ok);
        while let Some(first) = lines.next() {
            if lines.by_ref().take_while(|line| !line.is_empty()).count() == 0 {
                return;
            }
            let known = first.starts_with("GET /things ");
            let busy = {
                let mut asked = asked.lock().expect("no panic while locked");
                asked.retain(|at| at.elapsed() < Busy::MOMENT);
                if known {
                    asked.push(std::time::Instant::now());
                }
                asked.len() > Busy::MANY
            };
            let (status, body) = match (known, busy) {
                (true, _) => ("200 OK", "{}"),
                (false, false) => ("404 Not Found", "{\"code\":\"NO_THING\"}"),
                (false, true) => ("500 Internal Server Error", "{\"code\":\"BROKEN\"}"),
            };
            let head = format!("HTTP/1.1 {status}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n", body.len());
            if out.write_all(format!("{head}{body}").as_bytes()).is_err() {
                return;
            }
        }
    }
}

#[test]
fn a_target_that_answers_otherwise_when_it_is_busy_is_seen_under_load() {
    let report = |rate: &str| {
        let busy = Busy::start();
        let folder = Folder::with_plan(&format!(
            "plan = 1\nname = \"busy\"\n[target]\nurl = \"http://{}\"\n\
             [[scenario]]\nname = \"look\"\n[[scenario.step]]\nname = \"list\"\nrequest = \"GET /things\"\n\
             [load]\ndrain = \"2s\"\n[[load.stage]]\nname = \"all\"\nfor = \"3s\"\nrate = \"{rate}\"\n\
             [contract]\nfile = \"contract.toml\"\n[probe]\nduring = [\"idle\", \"load\"]\n{}\n\
             [validity]\nschedule_lag_p99 = \"10s\"\ngenerator_cpu = \"100%\"\n[report]\nformats = [\"json\"]\n",
            busy.address,
            all_but(&[Mistake::UnknownRoute])
        ));
        folder.put("contract.toml", CONTRACT);
        folder.run().ended();
        folder.report()
    };
    let under_load = report("60/s");
    let found: Vec<_> = under_load.findings.iter().filter(|finding| finding.check == "X02").collect();
    let [found] = found.as_slice() else { panic!("one difference: {:#?}", under_load.findings) };
    assert!(found.actual.contains("500") && found.actual.contains("under load") && found.expected.contains("404"), "{found:#?}");
    assert_eq!(found.probes, ["look/list:unknown-route"]);
    assert_eq!(probe_of(&under_load, "look/list:unknown-route").status, Some(404), "what an idle target answered is the probe's result");
    let calm = report("2/s");
    assert!(calm.findings.iter().all(|finding| finding.check != "X02"), "a few requests make nobody busy: {:#?}", calm.findings);
}
