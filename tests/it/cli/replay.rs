//! `brownout replay`: a finding of a report is fixed, still fails, or nobody can tell.

use brownout::analysis::FindingFacts;
use brownout::contract::replay::Outcome;
use brownout::report::Report;

use crate::cli::{CONTRACT, Draft};
use crate::support::golden::assert_golden;
use crate::support::shell::{Ended, Folder, Line};
use crate::support::upstream::{Act, Upstream, answer, refused_address};

fn finding<'r>(report: &'r Report, check: &str, status: Option<u16>) -> &'r FindingFacts {
    let found = report.findings.iter().find(|finding| finding.check == check && finding.status == status);
    found.unwrap_or_else(|| panic!("no {check} about {status:?} in {:#?}", report.findings))
}

fn outcome(finding: &FindingFacts) -> Option<Outcome> {
    finding.isolated_replay.as_ref().map(|replayed| replayed.outcome)
}

fn replay(folder: &Folder, id: &str) -> Line {
    folder.brownout(["replay", "run/report.json", id])
}

/// What was printed, without what differs from run to run.
fn shown(ended: &Ended, upstream: &Upstream) -> String {
    let address = upstream.address().to_string();
    let lines =
        ended.stdout.lines().filter(|line| !line.starts_with("  took")).map(|line| format!("{}\n", line.replace(&address, "ADDRESS")));
    format!("exit code {}\n{}{}", ended.code, lines.collect::<String>(), ended.stderr)
}

/// A target whose answers are errors of no kind that is documented.
fn teapot() -> Upstream {
    Upstream::always(Act::write(
        "HTTP/1.1 418 I'm a teapot\r\nContent-Type: application/json\r\nContent-Length: 17\r\n\r\n{\"code\":\"TEAPOT\"}",
    ))
}

fn ran(draft: &Draft) -> (Folder, Report) {
    let folder = Folder::with_plan(&draft.text());
    let ended = folder.run().ended();
    assert!(folder.at("run/report.json").is_file(), "{ended}");
    let report = folder.report();
    (folder, report)
}

#[test]
fn a_broken_reset_still_fails_and_is_fixed_in_a_strict_server() {
    let draft = Draft::of("embedded = { preset = \"${preset}\", limits = \"documented\" }")
        .target("headers = { Authorization = \"Bearer user-token\" }")
        .step("request = \"POST /v1/chat/completions\"\njson = { model = \"jan-v1-4b\", messages = [{ role = \"user\", content = \"hello\" }] }\nexpect = { status = [200, 429] }")
        .steady("2s", "60/s")
        .contract()
        .more("[vars]\npreset = \"broken-reset\"");
    let (folder, report) = ran(&draft);
    let (reset, limited) = (finding(&report, "R09", Some(200)), finding(&report, "R04", Some(429)));
    assert_eq!(outcome(limited), Some(Outcome::Reproduced), "the bucket is still empty right after the run: {limited:#?}");
    assert!(folder.text("run/report.html").contains("Idle replay: reproduced"));
    replay(&folder, &reset.id).ended().exits(1).prints("STILL FAILS").prints("the answer was 200");
    let ended = replay(&folder, &reset.id).args(["--set", "preset=strict"]).ended().exits(0).prints("FIXED");
    assert!(!ended.stdout.contains("user-token"), "{ended}");
    replay(&folder, &limited.id[..6]).ended().exits(5).prints("CANNOT TELL").prints("it may take a burst");
}

#[test]
fn a_finding_that_still_fails_is_shown_with_the_answer() {
    let upstream = teapot();
    let (folder, report) = ran(&Draft::at(&upstream).contract().steady("300ms", "10/s"));
    let teapot = finding(&report, "S01", Some(418));
    assert_eq!(outcome(teapot), Some(Outcome::Reproduced));
    let before = upstream.requests().len();
    let ended = replay(&folder, &teapot.id).ended();
    assert_golden("cli/replay-still-fails.txt", &shown(&ended, &upstream));
    assert_eq!(upstream.requests().len(), before + 1, "one request, and no more");
    // The folder of the report will do, too.
    folder.brownout(["replay", "run", &teapot.id]).ended().exits(1);
}

#[test]
fn a_finding_that_only_the_load_brought_about_is_not_reproduced() {
    let bad = |body: &str| Act::write(format!("HTTP/1.1 404 Not Found\r\nContent-Length: {}\r\n\r\n{body}", body.len()));
    let mut scripts: Vec<_> = (0..3).map(|_| vec![Act::ReadRequest, bad("oops"), Act::Close]).collect();
    let body = r#"{"error":"Not Found","code":"NOT_FOUND","message":"There is no such thing"}"#;
    let good = Act::write(format!(
        "HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nCache-Control: no-store\r\nContent-Length: {}\r\n\r\n{body}",
        body.len()
    ));
    scripts.push(vec![Act::ReadRequest, good, Act::Close]);
    let upstream = Upstream::play(scripts);
    let draft = Draft::at(&upstream).target("connections = { reuse = \"none\" }").contract().steady("500ms", "6/s");
    let (folder, report) = ran(&draft);
    let broken = report.findings.iter().find(|finding| ["B02", "B05"].contains(&finding.check.as_str()));
    let broken = broken.unwrap_or_else(|| panic!("{:#?}", report.findings));
    assert_eq!(outcome(broken), Some(Outcome::NotReproduced), "{broken:#?}");
    assert!(folder.text("run/summary.md").contains("Idle replay: not reproduced"), "{}", folder.text("run/summary.md"));
    replay(&folder, &broken.id).ended().exits(0).prints("FIXED");
}

#[test]
fn a_body_that_is_cut_is_cut_again() {
    let cut = Act::write("HTTP/1.1 200 OK\r\nContent-Length: 10\r\n\r\nabcd");
    let upstream = Upstream::play(vec![vec![Act::ReadRequest, cut, Act::Close]]);
    let (folder, report) = ran(&Draft::at(&upstream).contract().steady("300ms", "10/s"));
    let short = finding(&report, "P03", Some(200));
    assert_eq!(outcome(short), Some(Outcome::Reproduced), "{short:#?}");
    replay(&folder, &short.id).ended().exits(1).prints("STILL FAILS").prints("body cut short after 4 bytes");
}

#[test]
fn a_target_that_was_not_the_runs_is_named() {
    let (one, other) = (teapot(), teapot());
    let folder = Folder::with_plan(&Draft::at(&one).contract().steady("300ms", "10/s").text());
    let (asked, planned) = (format!("http://{}", other.address()), format!("http://{}", one.address()));
    folder.run().args(["--target", &asked]).ended();
    let id = finding(&folder.report(), "S01", Some(418)).id.clone();
    let note = format!("the run's target was {asked}; {planned} is the plan's: `--target {asked}` asks that one");
    replay(&folder, &id).ended().exits(1).prints(&note);
    let told = replay(&folder, &id).args(["--target", &asked]).ended().exits(1);
    assert!(!told.stdout.contains("the run's target"), "{told}");
}

#[test]
fn a_finding_that_is_not_there_is_said_with_those_that_are() {
    let upstream = teapot();
    let (folder, report) = ran(&Draft::at(&upstream).contract().steady("300ms", "10/s"));
    let ended = replay(&folder, "zzz").ended().exits(2);
    // Which others there are is for the checks to say.
    let listed = |line: &&str| line.starts_with("  ") && !line.contains("help") && !line.contains(" S01 ");
    let said = shown(&ended, &upstream).lines().filter(|line| !listed(line)).map(|line| format!("{line}\n")).collect::<String>();
    assert_golden("cli/replay-no-such-finding.txt", &said);
    let ended = replay(&folder, "").ended().exits(2);
    assert_eq!(ended.stderr.lines().filter(|line| line.starts_with("  ") && !line.contains("help")).count(), report.findings.len().min(11));
}

#[test]
fn a_target_that_is_gone_ends_with_3() {
    let upstream = teapot();
    let (folder, report) = ran(&Draft::at(&upstream).contract().steady("300ms", "10/s"));
    let gone = format!("http://{}", refused_address());
    let ended = replay(&folder, &report.findings[0].id).args(["--target", &gone]).ended().exits(3).says("cannot connect to 127.0.0.1:");
    assert!(ended.stderr.contains("help: "), "{ended}");
}

#[test]
fn secrets_stay_out_of_the_report_and_go_into_the_request() {
    let upstream = teapot();
    let draft = Draft::at(&upstream)
        .target("headers = { Authorization = \"Bearer ${token}\", Cookie = \"sid=4711-4711\" }")
        .step("request = \"GET /v1/models/catalogs?key=${token}\"")
        .contract()
        .steady("300ms", "10/s")
        .more("[vars]\ntoken = { env = \"TOKEN\", required = true, secret = true }");
    let folder = Folder::with_plan(&draft.text());
    folder.run().env("TOKEN", "s3cr3t/value").ended();
    let report = folder.report();
    let id = &finding(&report, "S01", Some(418)).id;
    for (file, bytes) in folder.all_bytes("run") {
        let text = String::from_utf8_lossy(&bytes).into_owned();
        assert!(!text.contains("s3cr3t") && !text.contains("4711-4711"), "{}", file.display());
    }
    replay(&folder, id).ended().exits(2).says("set the environment variable `TOKEN`");
    let ended = replay(&folder, id).env("TOKEN", "an0th3r/value").ended().exits(1);
    assert!(!ended.stdout.contains("an0th3r") && ended.stdout.contains("$TOKEN"), "{ended}");
    let last = upstream.requests().pop().expect("a request");
    assert_eq!(last.header("authorization"), Some("Bearer an0th3r/value"));
    assert_eq!(last.header("cookie"), Some("sid=4711-4711"), "it stands in the plan's text");
    assert!(last.head.starts_with("GET /v1/models/catalogs?key=an0th3r/value HTTP/1.1"), "{}", last.head);
}

#[test]
fn what_is_no_report_is_refused_with_what_it_is() {
    let upstream = teapot();
    let (folder, _) = ran(&Draft::at(&upstream).contract().steady("300ms", "10/s"));
    let whole = folder.text("run/report.json");
    let sent = upstream.requests().len();
    let mut said = String::new();
    for (name, text) in [
        ("no-json.json", "hello".to_owned()),
        ("empty.json", String::new()),
        ("other.json", "{\"a\":1}".to_owned()),
        ("list.json", "[1,2]".to_owned()),
        ("older.json", whole.replacen("\"schema_version\": \"1.", "\"schema_version\": \"0.", 1)),
        ("newer.json", whole.replacen("\"schema_version\": \"1.", "\"schema_version\": \"2.", 1)),
        ("truncated.json", whole[..whole.len() / 2].to_owned()),
        ("damaged.json", whole.replacen("\"findings\": [", "\"findings\": [7, ", 1)),
    ] {
        folder.put(name, text);
        let ended = folder.brownout(["replay", name, "x"]).ended().exits(2);
        // Where in the text it ends differs with its numbers.
        let first = ended
            .stderr
            .lines()
            .next()
            .unwrap_or_default()
            .split(" at line")
            .next()
            .and_then(|first| first.split(" (EOF").next())
            .unwrap_or_default()
            .to_owned();
        said.push_str(&format!("{first}\n"));
    }
    folder.brownout(["replay", "nowhere.json", "x"]).ended().exits(2).says("nowhere.json: ");
    assert_golden("cli/replay-no-report.txt", &said);
    assert_eq!(upstream.requests().len(), sent, "nothing was sent");
}

#[test]
fn a_report_that_was_tampered_with_sends_nothing() {
    let upstream = teapot();
    let (folder, report) = ran(&Draft::at(&upstream).contract().steady("300ms", "10/s"));
    let sent = upstream.requests().len();
    let id = report.findings[0].id.as_str();
    let tampered = |change: &dyn Fn(&mut FindingFacts)| {
        let mut report = report.clone();
        report.findings.truncate(1);
        change(&mut report.findings[0]);
        folder.put("run/report.json", brownout::report::json::render(&report));
    };
    let resend = |finding: &mut FindingFacts, path: &str, method: &str| {
        for sample in &mut finding.evidence {
            let kept = sample.replay.as_mut().expect("a request");
            (kept.path_and_query, kept.method) = (path.to_owned(), method.to_owned());
        }
    };
    tampered(&|finding| resend(finding, "/ HTTP/1.1\r\nx-evil: 1", "GET"));
    replay(&folder, id).ended().exits(5).prints("its target is no path");
    tampered(&|finding| resend(finding, "http://elsewhere.test/", "GET"));
    replay(&folder, id).ended().exits(5).prints("its target is no path");
    tampered(&|finding| finding.evidence.iter_mut().for_each(|sample| sample.replay = None));
    replay(&folder, id).ended().exits(5).prints("the report holds no request of this finding");
    tampered(&|finding| finding.check = "Z99\u{1b}[2J".to_owned());
    replay(&folder, id).ended().exits(5).prints("this version knows no check");
    tampered(&|finding| finding.check = "I03".to_owned());
    replay(&folder, id).ended().exits(5).prints("compares the answers of a whole run");
    // The plan only reads; what a report says does not make it write.
    let elsewhere =
        Draft::of("url = \"http://something.invalid\"\nallow_hosts = [\"something.invalid\"]").contract().steady("300ms", "10/s");
    folder.put("plan.toml", elsewhere.text());
    tampered(&|finding| resend(finding, "/v1/models", "DELETE"));
    replay(&folder, id).ended().exits(2).says("does not consent to writing");
    assert_eq!(upstream.requests().len(), sent, "nothing was sent");
}

#[test]
fn a_plan_that_is_not_where_it_was_is_asked_for() {
    let upstream = teapot();
    let (folder, report) = ran(&Draft::at(&upstream).contract().steady("300ms", "10/s"));
    std::fs::rename(folder.at("plan.toml"), folder.at("moved.toml")).expect("it moves");
    let id = report.findings[0].id.as_str();
    replay(&folder, id).ended().exits(2).says("no plan at plan.toml").says("--plan");
    let ended = replay(&folder, id).args(["--plan", "moved.toml"]).ended().exits(1);
    assert!(!ended.stderr.contains("note: "), "it is the same plan: {ended}");
    folder.put("other.toml", Draft::at(&upstream).more(&format!("[contract]\nfile = \"{CONTRACT}\"\nprofile = \"strict\"")).text());
    replay(&folder, id).args(["--plan", "other.toml"]).ended().says("note: the plan is not the one");
    folder.put("bare.toml", Draft::at(&upstream).text());
    replay(&folder, id).args(["--plan", "bare.toml"]).ended().exits(2).says("names no contract");
}

#[test]
fn a_run_that_was_cut_short_says_that_nothing_was_sent_again() {
    let upstream = teapot();
    let folder = Folder::with_plan(&Draft::at(&upstream).contract().steady("30s", "10/s").text());
    let mut started = folder.run().start();
    started.wait_until("a few requests", |_| upstream.requests().len() > 5);
    started.signal("INT");
    started.ended().exits(130);
    let report = folder.report();
    let reasons: Vec<_> = report.findings.iter().filter_map(|finding| finding.isolated_replay.as_ref()).collect();
    assert!(!reasons.is_empty() && reasons.iter().all(|replayed| replayed.reason.contains("cut short")), "{reasons:?}");
}

#[test]
fn a_target_with_nothing_wrong_is_asked_nothing_more() {
    let upstream = Upstream::always(answer("200 OK", ""));
    let (_, report) = ran(&Draft::at(&upstream).contract().steady("300ms", "10/s"));
    assert_eq!((report.findings.len(), upstream.requests().len() as u64), (0, report.accounting.attempts));
}

#[test]
fn the_terminal_says_of_each_finding_whether_it_came_again_alone() {
    let upstream = teapot();
    let folder = Folder::with_plan(&Draft::at(&upstream).contract().steady("300ms", "10/s").text());
    let ended = folder.run().ended();
    let lines: Vec<&str> = ended.stdout.lines().skip_while(|line| !line.starts_with("  worst ")).take(2).collect();
    assert!(lines.len() == 2 && lines.iter().all(|line| line.ends_with(" · sent alone: reproduced")), "{ended}");
}

#[test]
fn what_only_a_whole_run_shows_says_that_nothing_was_sent_again() {
    let draft = Draft::of("embedded = { preset = \"request-id-duplicate\", limits = \"off\" }")
        .target("headers = { Authorization = \"Bearer user-token\" }")
        .step("request = \"POST /v1/responses\"\njson = { model = \"fail-generation\", input = \"x\" }\nexpect = { status = [500] }")
        .steady("500ms", "20/s")
        .contract();
    let (folder, report) = ran(&draft);
    let duplicate = report.findings.iter().find(|finding| finding.check == "I03").expect("ids that were used before");
    assert_eq!(outcome(duplicate), Some(Outcome::NotApplicable), "{duplicate:#?}");
    replay(&folder, &duplicate.id).ended().exits(5).prints("NOT APPLICABLE").prints("whole run");
}
