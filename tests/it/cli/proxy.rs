//! `brownout proxy`: the fault proxy alone, with clients that are not ours.

use std::io::Write as _;
use std::time::{Duration, Instant};

use brownout::report::Report;
use serde_json::Value;

use crate::cli::{CONTRACT, assert_accounts};
use crate::support::shell::{Ended, Folder};
use crate::support::upstream::{Act, Upstream, answer};

/// A plan for clients of this target, with these tables beside `[proxy]`.
fn plan(target: &str, more: &str) -> String {
    format!("plan = 1\nname = \"Strangers\"\nseed = 7\n\n[target]\n{target}\n{more}\n[report]\nformats = [\"json\"]\n")
}

fn at(upstream: &Upstream) -> String {
    format!("url = \"http://{}\"", upstream.address())
}

fn ok() -> Upstream {
    Upstream::play(vec![vec![Act::ReadRequest, answer("200 OK", "hello"), Act::Again]])
}

/// A session of the folder's plan with this client.
fn session(folder: &Folder, options: &[&str], client: &[&str]) -> Ended {
    let fixed = ["proxy", "plan.toml", "--out", "run"];
    let line = folder.brownout(fixed.iter().chain(options).copied());
    let line = if client.is_empty() { line } else { line.args(["--"]).args(client) };
    line.env("PATH", &std::env::var("PATH").unwrap_or_default()).ended()
}

/// What the report says of the session, by the path of keys.
fn fact<'r>(report: &'r Report, path: &[&str]) -> &'r Value {
    path.iter().fold(&report.extra["session"], |value, key| &value[*key])
}

/// The attempts that were kept, in order.
fn attempts(folder: &Folder) -> Vec<Value> {
    folder.text("run/attempts.jsonl").lines().map(|line| serde_json::from_str(line).expect("JSON")).collect()
}

#[test]
fn a_client_without_faults_has_an_amplification_of_exactly_one() {
    let upstream = ok();
    let folder = Folder::with_plan(&plan(&at(&upstream), "[proxy]\n[[gate]]\nrequire = \"retry.max_attempts <= 1\"\n"));
    let script = "for i in 1 2 3 4 5 6 7 8; do curl -s \"$BROWNOUT_URL/items\"; curl -s -d a=$i \"$BROWNOUT_URL/items/$i\"; done";
    let ended = session(&folder, &[], &["sh", "-c", script]);
    assert_eq!(ended.stdout, "hello".repeat(16), "{}", ended.stderr);
    let report = folder.report();
    assert_accounts(&report);
    assert_eq!((report.accounting.exchanges, report.accounting.attempts, report.accounting.ok), (16, 16, 16));
    assert_eq!(report.retries.amplification, Some(1.0));
    let routes: Vec<&str> =
        fact(&report, &["routes"]).as_array().expect("routes").iter().filter_map(|route| route["route"].as_str()).collect();
    assert_eq!(routes, ["GET /items", "POST /items/{id}"]);
    assert_eq!(fact(&report, &["client", "exit_code"]), 0);
    assert_eq!(report.target.path[..2], ["client", "fault proxy"]);
}

#[test]
fn curl_retries_are_counted_to_one_exchange_and_rules_are_accounted_for() {
    let upstream = ok();
    let rules = "[proxy]\n[[fault]]\nname = \"twice\"\nsequence = [{ status = 503 }, { status = 503 }, \"pass\"]\n\
                 [[gate]]\nrequire = \"fault.fired(twice) == 2\"\n[[gate]]\nrequire = \"retry.max_attempts <= 3\"\n";
    let folder = Folder::with_plan(&plan(&at(&upstream), rules));
    let ended = session(&folder, &[], &["curl", "-s", "--retry", "4", "--retry-delay", "1", "{url}/x"]);
    assert!(ended.stdout.ends_with("hello"), "{ended:?}");
    let report = folder.report();
    assert_accounts(&report);
    assert_eq!((report.accounting.exchanges, report.accounting.attempts, report.accounting.ok), (1, 3, 1), "{ended:?}");
    assert_eq!((report.faults[0].planned, report.faults[0].fired, report.faults[0].unreached), (2, 2, 0));
    assert_eq!(upstream.requests().len(), 1, "the target saw the last attempt alone");
    assert_eq!(report.decisions.as_ref().map(|decisions| decisions.level.as_str()), Some("ordinal"), "the client is not ours");
    let end_ms = report.run.duration_ms;
    assert!(report.stages[0].end_ms <= end_ms && report.faults[0].windows[0].end_ms <= end_ms, "nothing outlasts the session");
    let waits: Vec<(&str, u32, u64)> =
        report.retries.backoff.iter().map(|wait| (wait.policy.as_str(), wait.retry, wait.waits_us.n)).collect();
    assert_eq!(waits, [("the client", 1, 1), ("the client", 2, 1)]);
    let seen = attempts(&folder);
    let statuses: Vec<Option<u64>> = seen.iter().map(|attempt| attempt["status"].as_u64()).collect();
    assert_eq!(statuses, [Some(503), Some(503), Some(200)]);
    assert!(seen.iter().all(|attempt| attempt["exchange"] == 0));
    assert_waits(&seen, "curl was told to wait a second");
    ended.exits(0);
}

#[test]
fn the_target_hears_its_own_name_and_the_report_no_arguments_of_the_client() {
    let upstream = ok();
    let folder = Folder::with_plan(&plan(&format!("url = \"http://localhost:{}\"", upstream.address().port()), "[proxy]\n"));
    session(&folder, &[], &["curl", "-s", "-H", "Authorization: Bearer of-the-client", "{url}/x"]).exits(0);
    let host = upstream.requests()[0].header("host").map(str::to_owned);
    assert_eq!(host, Some(format!("localhost:{}", upstream.address().port())));
    let report = folder.report();
    assert_eq!(fact(&report, &["client", "command"]), &serde_json::json!(["curl", "… (4 arguments)"]));
    assert!(!folder.text("run/report.json").contains("of-the-client"));
}

#[test]
fn a_target_is_not_blamed_for_what_a_rule_did_to_every_attempt() {
    let upstream = ok();
    let folder = Folder::with_plan(&plan(&at(&upstream), "[proxy]\n[[fault]]\nname = \"lost\"\nreset = true\n"));
    let ended = session(&folder, &[], &["curl", "-s", "{url}/x"]);
    assert!(ended.stderr.contains("Nothing succeeded"), "{}", ended.stderr);
    ended.exits(5);
}

/// No wait between attempts was shorter than a second; the attempt before it ends by our stamps when its last byte is given to
/// the HTTP library, which is never later than when the client has it. It may be longer: the machine may be busy.
fn assert_waits(seen: &[Value], what: &str) {
    assert!(seen[0]["head_us"].as_u64() > Some(0), "the session's clock runs when its client begins");
    for pair in seen.windows(2) {
        let at = |attempt: &Value, stamp: &str| attempt[stamp].as_i64().expect("a stamp");
        let gap = at(&pair[1], "head_us") - at(&pair[0], "ended_us");
        assert!((999_900..20_000_000).contains(&gap), "{what}, and waited {gap} µs");
    }
}

#[test]
fn the_wait_of_a_client_that_is_known_is_measured_as_it_was() {
    let upstream = ok();
    let refused = "{ respond = { status = 429, headers = { Retry-After = \"1\" }, body = \"no\" } }";
    let rules = format!("[proxy]\n[[fault]]\nname = \"thrice\"\nsequence = [{refused}, {{ status = 503 }}, \"reset\", \"pass\"]\n");
    let folder = Folder::with_plan(&plan(&at(&upstream), &rules));
    let script = "import http.client, os, time\n\
                  host = os.environ['BROWNOUT_URL'].removeprefix('http://')\n\
                  for attempt in range(4):\n\
                  \x20   if attempt: time.sleep(1.0)\n\
                  \x20   try:\n\
                  \x20       client = http.client.HTTPConnection(host)\n\
                  \x20       client.request('GET', '/x')\n\
                  \x20       client.getresponse().read()\n\
                  \x20   except OSError:\n\
                  \x20       pass\n";
    folder.put("client.py", script);
    let ended = session(&folder, &[], &["python3", "-I", "client.py"]);
    let seen = attempts(&folder);
    assert_eq!(seen.len(), 4, "{ended:?}");
    assert_waits(&seen, "the client slept for a second");
}

#[test]
fn more_requests_at_once_than_exchanges_are_kept_are_all_accounted_for() {
    let upstream = ok();
    let rules = "[proxy]\n[[fault]]\nname = \"busy\"\nrespond = { status = 503 }\ndelay = \"6s\"\n";
    let folder = Folder::with_plan(&plan(&at(&upstream), rules));
    let script = "import os, resource, socket, sys\n\
                  hard = resource.getrlimit(resource.RLIMIT_NOFILE)[1]\n\
                  if hard != resource.RLIM_INFINITY and hard < 5000: sys.exit(9)\n\
                  resource.setrlimit(resource.RLIMIT_NOFILE, (5000, hard))\n\
                  host, port = os.environ['BROWNOUT_URL'].removeprefix('http://').split(':')\n\
                  all = []\n\
                  for k in range(4500):\n\
                  \x20   one = socket.create_connection((host, int(port)))\n\
                  \x20   one.sendall(b'GET /?%d HTTP/1.1\\r\\nHost: h\\r\\n\\r\\n' % k)\n\
                  \x20   all.append(one)\n\
                  assert all[0].recv(12) and sum(one.recv(12) == b'HTTP/1.1 503' for one in all[1:]) == 4499\n";
    folder.put("client.py", script);
    let ended = session(&folder, &[], &["python3", "-I", "client.py"]);
    let report = folder.report();
    if fact(&report, &["client", "exit_code"]) == 9 {
        let _ = writeln!(std::io::stderr(), "not shown: this system gives a process too few descriptors");
        return;
    }
    assert_eq!(fact(&report, &["client", "exit_code"]), 0, "{ended:?}");
    assert_accounts(&report);
    assert_eq!((report.accounting.exchanges, report.accounting.attempts), (4_500, 4_500), "{ended:?}");
    assert_eq!(report.faults[0].fired, 4_500);
}

#[test]
fn what_is_counted_over_the_whole_session_is_counted_over_all_routes() {
    let upstream = ok();
    let rules = "[proxy]\n[[fault]]\nname = \"third\"\nevery = 3\nper = \"global\"\nrespond = { status = 400 }\n";
    let folder = Folder::with_plan(&plan(&at(&upstream), rules));
    let script = "for path in a b c d e f; do curl -s -o /dev/null -w '%{http_code} ' $BROWNOUT_URL/$path; done";
    let ended = session(&folder, &[], &["sh", "-c", script]);
    assert_eq!(ended.stdout.trim(), "200 200 400 200 200 400", "{}", ended.stderr);
}

#[cfg(target_os = "linux")]
#[test]
fn what_leaves_the_clients_process_group_is_ended_with_it() {
    let upstream = ok();
    let folder = Folder::with_plan(&plan(&at(&upstream), "[proxy]\n"));
    // It is its own session's first process, and has no parent of the client's any more.
    let script = "setsid sh -c 'echo $$ > stray; exec sleep 300' & while ! test -s stray; do sleep 0.05; done; curl -s $BROWNOUT_URL/";
    let ended = session(&folder, &[], &["sh", "-c", script]);
    let stray = folder.text("stray");
    assert!(!std::path::Path::new(&format!("/proc/{}", stray.trim())).exists(), "process {stray} goes on: {ended:?}");
    ended.exits(0);
}

#[test]
fn faults_that_can_never_be_done_are_named_with_the_reason() {
    let upstream = ok();
    let of = |http: &str| {
        let kinds = ["tls_failure", "goaway", "refused_stream", "reset_stream", "half_close", "truncate_chunked", "bad_chunk"];
        let rules = kinds.map(|kind| format!("[[fault]]\nname = \"{kind}\"\n{kind} = true\n")).concat();
        let rules =
            format!("[proxy]\nhttp = \"{http}\"\n{rules}[[fault]]\nname = \"length\"\nsequence = [{{ content_length = \"+1\" }}]\n");
        let folder = Folder::with_plan(&plan(&at(&upstream), &rules));
        let checked = folder.brownout(["check", "plan.toml"]).ended();
        let named = |line: &&str| line.contains("can never do");
        let lines =
            checked.stderr.lines().filter(named).map(|line| line.split('`').nth(1).unwrap_or_default().to_owned()).collect::<Vec<_>>();
        checked.exits(0);
        lines.join(" ")
    };
    assert_eq!(of("1.1"), "tls_failure goaway refused_stream reset_stream");
    assert_eq!(of("2"), "tls_failure half_close truncate_chunked bad_chunk length");
    assert_eq!(of("auto"), "tls_failure");
}

#[test]
fn resets_and_answers_after_which_a_client_comes_again_are_attempts_of_one_exchange() {
    let upstream = ok();
    let rules = "[proxy]\n[[fault]]\nname = \"lost\"\nsequence = [\"reset\", \"pass\"]\n";
    let folder = Folder::with_plan(&plan(&at(&upstream), rules));
    let script = "import os, http.client, urllib.request\n\
                  for attempt in range(3):\n\
                  \x20   try:\n\
                  \x20       print(urllib.request.urlopen(os.environ['BROWNOUT_URL'] + '/x').read().decode())\n\
                  \x20       break\n\
                  \x20   except OSError:\n\
                  \x20       pass\n";
    folder.put("client.py", script);
    let ended = session(&folder, &[], &["python3", "-I", "client.py"]);
    assert_eq!(ended.stdout.trim(), "hello", "{ended:?}");
    let report = folder.report();
    assert_accounts(&report);
    assert_eq!((report.accounting.exchanges, report.accounting.attempts, report.accounting.ok), (1, 2, 1));
    assert_eq!(attempts(&folder)[0]["failure"], "reset");
}

#[test]
fn the_same_exchanges_meet_the_same_faults_whatever_their_order() {
    let upstream = ok();
    let rules = "[proxy]\n[[fault]]\nname = \"some\"\nchance = \"40%\"\nrespond = { status = 400 }\n";
    let hit = |order: &str| {
        let folder = Folder::with_plan(&plan(&at(&upstream), rules));
        session(&folder, &[], &["sh", "-c", order]);
        let mut hit: Vec<(String, u64)> = attempts(&folder)
            .iter()
            .filter(|attempt| attempt["fault"] == "some")
            .map(|attempt| (attempt["route"].to_string(), attempt["ordinal"].as_u64().expect("a number")))
            .collect();
        hit.sort();
        hit
    };
    // Every request is another one, so that none is taken for a retry.
    let mixed = hit("for i in $(seq 12); do curl -s $BROWNOUT_URL/a?$i; curl -s $BROWNOUT_URL/b?$i; done");
    let sorted = hit("for i in $(seq 12); do curl -s $BROWNOUT_URL/b?$i; done; for i in $(seq 12); do curl -s $BROWNOUT_URL/a?$i; done");
    assert_eq!(mixed, sorted);
    assert!((3..22).contains(&mixed.len()), "{mixed:?}");
}

#[test]
fn error_answers_on_their_way_through_are_held_to_the_contract() {
    let contract = format!("[proxy]\n[contract]\nfile = \"{CONTRACT}\"\n[[gate]]\nrequire = \"contract.violations(high) == 0\"\n");
    let wrong = Upstream::play(vec![vec![Act::ReadRequest, answer("429 Too Many Requests", "slow down"), Act::Close]]);
    let folder = Folder::with_plan(&plan(&at(&wrong), &contract));
    session(&folder, &[], &["curl", "-s", "{url}/v1/models/catalogs"]).exits(1);
    let report = folder.report();
    assert!(!report.findings.is_empty(), "a 429 without any header or body");
    assert_accounts(&report);

    let folder = Folder::with_plan(&plan("embedded = \"strict\"", &contract));
    // Where no answer was good the verdict is open, whatever the gate says.
    session(&folder, &[], &["curl", "-s", "{url}/v1/models/catalogs"]).exits(5);
    assert!(folder.report().findings.is_empty(), "401 as documented");
}

#[test]
fn the_client_s_end_is_reported_whatever_it_is() {
    let upstream = ok();
    let folder = Folder::with_plan(&plan(&at(&upstream), "[proxy]\n"));
    let said = |client: &[&str]| {
        let ended = session(&folder, &["--force", "--for", "2s"], client);
        let report = folder.report();
        (report.extra["session"]["client"].clone(), report.data_quality.warnings.join("\n"), ended)
    };
    let (client, warnings, _) = said(&["sh", "-c", "curl -s $BROWNOUT_URL/; exit 7"]);
    assert_eq!((client["exit_code"].as_i64(), client["ended"].as_str()), (Some(7), Some("by-itself")));
    assert!(warnings.contains("the client ended with code 7"), "{warnings}");

    let (client, ..) = said(&["sh", "-c", "kill -SEGV $$"]);
    assert_eq!(client["signal"], 11, "it crashed");

    let (client, warnings, ended) = said(&["sh", "-c", "echo quiet"]);
    assert_eq!(client["exit_code"], 0);
    assert!(warnings.contains("no request came through the proxy"), "{warnings}");
    ended.exits(5);

    let began = Instant::now();
    let (client, warnings, _) = said(&["sleep", "600"]);
    assert_eq!(client["ended"], "time-bound");
    assert!(warnings.contains("still at work after 2 s"), "{warnings}");
    assert!(began.elapsed() < Duration::from_secs(30), "it was ended");

    let (client, _, ended) = said(&["no-such-program"]);
    assert_eq!(client["ended"], "never-started");
    ended.exits(3).says("could not be started");
}

#[test]
fn what_a_client_leaves_behind_in_its_group_is_ended() {
    let upstream = ok();
    let folder = Folder::with_plan(&plan(&at(&upstream), "[proxy]\n"));
    let ended = session(&folder, &[], &["sh", "-c", "sleep 300 >/dev/null 2>&1 & echo $! > forked; curl -s $BROWNOUT_URL/"]);
    ended.exits(0).says("left processes behind");
    let id = folder.text("forked");
    let alive = std::fs::read_to_string(format!("/proc/{}/stat", id.trim()));
    // It may still be waiting for somebody to take note of its end.
    assert!(alive.is_err() || alive.is_ok_and(|stat| stat.contains(") Z ")), "process {id} goes on");
}

#[test]
fn without_a_client_it_listens_until_a_signal_and_the_verdict_stands() {
    let upstream = ok();
    let rules = "[proxy]\nlisten = \"127.0.0.1:0\"\n[[gate]]\nrequire = \"retry.max_attempts <= 1\"\n";
    let folder = Folder::with_plan(&plan(&at(&upstream), rules));
    let mut started = folder.brownout(["proxy", "plan.toml", "--out", "run"]).start();
    started.wait_for("until Ctrl-C");
    let said = started.said();
    let url = said.lines().find_map(|line| line.trim().strip_prefix("BROWNOUT_URL=")).expect(&said).to_owned();
    let got = std::process::Command::new("curl").args(["-s", &format!("{url}/x")]).output().expect("curl");
    assert_eq!(got.stdout, b"hello");
    started.signal("INT");
    started.ended().exits(0);
    assert_eq!(folder.report().accounting.ok, 1);
}

#[test]
fn a_request_may_name_its_fault_only_where_the_plan_says_so() {
    for (orders, status) in [(true, "418"), (false, "200")] {
        let upstream = ok();
        let rules = format!(
            "[proxy]\nselect_by_header = {orders}\n[[fault]]\nname = \"on demand\"\nmatch = {{ path = \"/nowhere\" }}\nrespond = {{ status = 418 }}\n"
        );
        let folder = Folder::with_plan(&plan(&at(&upstream), &rules));
        let client = ["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", "-H", "x-brownout-fault: on demand", "{url}/x"];
        assert_eq!(session(&folder, &[], &client).stdout, status);
        assert!(upstream.requests().iter().all(|request| request.header("x-brownout-fault").is_none()), "never sent to a target");
    }
}

#[test]
fn rules_are_changed_while_a_session_goes_on_by_whoever_has_the_token() {
    let upstream = ok();
    let rules = "[proxy]\ncontrol = true\n[[load.stage]]\nname = \"calm\"\nfor = \"10m\"\n[[load.stage]]\nname = \"outage\"\nfor = \"10m\"\n\
                 [[fault]]\nname = \"down\"\nduring = { stage = \"outage\" }\nrespond = { status = 503 }\n";
    let folder = Folder::with_plan(&plan(&at(&upstream), rules));
    let mut started = folder.brownout(["proxy", "plan.toml", "--out", "run"]).start();
    started.wait_for("or until Ctrl-C");
    let said = started.said();
    let url = said.lines().find_map(|line| line.trim().strip_prefix("BROWNOUT_URL=")).expect(&said).to_owned();
    let line = said.lines().find(|line| line.contains("control API on")).expect(&said);
    let api = line.split_whitespace().find(|word| word.starts_with("http://")).expect(line).trim_end_matches(',').to_owned();
    let token = line.rsplit(' ').next().expect(line).to_owned();
    let curl = |args: &[&str]| {
        let got = std::process::Command::new("curl").args(["-s", "-w", "\n%{http_code}"]).args(args).output().expect("curl");
        let text = String::from_utf8(got.stdout).expect("text");
        let (body, code) = text.rsplit_once('\n').expect("a status");
        (code.to_owned(), body.to_owned())
    };
    let secret = format!("x-brownout-token: {token}");
    let ask = |method: &str, path: &str, body: &str| curl(&["-X", method, "-H", &secret, "--data-binary", body, &format!("{api}{path}")]);
    let status = |n: u32| curl(&["-o", "/dev/null", &format!("{url}/x?{n}")]).0;

    assert_eq!(curl(&[&format!("{api}/state")]).0, "401", "no token");
    assert_eq!(curl(&["-H", &secret, "-H", "Origin: http://evil.example", &format!("{api}/state")]).0, "403", "a web page");
    assert_eq!(curl(&["-H", &secret, "-H", "Host: evil.example", &format!("{api}/state")]).0, "421", "a name that was made to point here");

    assert_eq!(status(1), "200");
    let (code, said) = ask("POST", "/rules", "{ \"name\": \"gone\", \"respond\": { \"status\": 410 } }");
    assert_eq!((code.as_str(), status(2).as_str()), ("201", "410"), "{said}");
    assert_eq!(ask("POST", "/rules", "name = \"gone\"\nreset = true").0, "409", "the name is taken");
    let (code, said) = ask("POST", "/rules", "name = \"odd\"\nrespnd = { status = 410 }");
    assert_eq!(code, "422");
    assert!(said.contains("did you mean `respond`?"), "{said}");
    let (code, said) = ask("POST", "/rules", "name = \"closed\"\nrefuse = true\nduring = { from = \"5m\", for = \"10s\" }");
    assert_eq!(code, "422");
    assert!(said.contains("`refuse` strikes connections"), "{said}");
    assert_eq!((ask("POST", "/rules/gone/disable", "").0.as_str(), status(3).as_str()), ("200", "200"));
    assert_eq!((ask("POST", "/rules/gone/enable", "").0.as_str(), status(4).as_str()), ("200", "410"));
    assert_eq!((ask("DELETE", "/rules/gone", "").0.as_str(), status(5).as_str()), ("200", "200"));
    assert_eq!(ask("POST", "/rules/gone/enable", "").0, "404");
    assert_eq!((ask("POST", "/stages/outage", "").0.as_str(), status(6).as_str()), ("200", "503"));
    assert_eq!(ask("POST", "/stages/nowhere", "").0, "404");
    assert!(ask("GET", "/state", "").1.contains("\"fired\": 1"));
    assert!(!ask("POST", "/reset", "").1.contains("\"fired\": 1"));
    let (_, exchange) = ask("GET", "/exchanges/1", "");
    assert!(exchange.contains("\"status\": 410") && exchange.contains("GET /x"), "{exchange}");
    started.signal("INT");
    started.ended();
    let log = folder.text("run/faults.jsonl");
    let gone = log.lines().filter(|line| line.contains("\"rule\":\"gone\"")).count();
    assert!(gone == 2 && log.lines().next().is_some_and(|head| head.contains("\"gone\"")), "{log}");
    let report = folder.report();
    assert_accounts(&report);
    let fired: Vec<(&str, u64)> = report.faults.iter().map(|fault| (fault.name.as_str(), fault.fired)).collect();
    assert_eq!(fired, [("down", 1), ("gone", 2)]);
}

#[test]
fn a_client_that_gives_up_waiting_and_comes_again_is_one_exchange() {
    let upstream = ok();
    let rules = "[proxy]\n[[fault]]\nname = \"slow\"\nsequence = [{ delay = \"20s\" }, \"pass\"]\n";
    let folder = Folder::with_plan(&plan(&at(&upstream), rules));
    let ended = session(&folder, &[], &["curl", "-s", "-m", "1", "--retry", "2", "--retry-delay", "1", "{url}/x"]);
    let report = folder.report();
    assert_accounts(&report);
    assert_eq!((report.accounting.exchanges, report.accounting.attempts), (1, 2), "{ended:?}");
    assert_eq!(fact(&report, &["client_left"]), 1);
    assert_eq!(attempts(&folder)[0]["client_left"], true);
}

#[test]
fn a_plan_for_a_client_is_not_run_and_a_plan_with_a_load_serves_a_client_too() {
    let upstream = ok();
    let folder = Folder::with_plan(&plan(&at(&upstream), "[proxy]\n"));
    folder.run().ended().exits(2).says("there is nothing to send");

    let load = "[[scenario]]\nname = \"s\"\n[[scenario.step]]\nrequest = \"GET /\"\n[[load.stage]]\nname = \"a\"\nfor = \"1s\"\nrate = \"1/s\"\n\
                [[fault]]\nname = \"ours\"\nmatch = { scenario = \"s\" }\nreset = true\n[[gate]]\nrequire = \"retry.max_attempts < 2\"\nwhere = { scenario = \"s\" }\n";
    let folder = Folder::with_plan(&plan(&at(&upstream), load));
    let ended = session(&folder, &[], &["sh", "-c", "sleep 1.5; curl -s $BROWNOUT_URL/"]);
    assert_eq!(ended.stdout, "hello");
    ended.exits(0).says("never applies here").says("is left out");
}

#[test]
fn the_shipped_plan_serves_a_client_out_of_the_box() {
    let folder = Folder::new();
    let shipped = concat!(env!("CARGO_MANIFEST_DIR"), "/plans/proxy.toml");
    let text = std::fs::read_to_string(shipped).expect("the plan");
    let text = text.replace("127.0.0.1:8400", "127.0.0.1:0").replace("contracts/jan-server.toml", CONTRACT);
    folder.put("plan.toml", text);
    let client = ["curl", "-s", "--retry", "3", "-H", "Authorization: Bearer user-token", "{url}/v1/models/catalogs"];
    let ended = session(&folder, &[], &client);
    assert!(ended.stdout.contains("\"data\""), "{ended:?}");
    assert_accounts(&folder.report());
}

#[test]
fn a_client_that_insists_on_tls_trusts_the_session_s_authority() {
    let upstream = ok();
    let folder = Folder::with_plan(&plan(&at(&upstream), "[proxy]\ntls = \"generated\"\n"));
    let ended = session(&folder, &[], &["curl", "-sS", "{url}/x"]);
    assert_eq!(ended.stdout, "hello", "{ended:?}");
    assert!(ended.stderr.contains("BROWNOUT_URL=https://127.0.0.1:"), "{ended:?}");
    assert!(folder.text("run/ca.pem").starts_with("-----BEGIN CERTIFICATE-----"));
    assert!(!folder.text("run/ca.pem").contains("PRIVATE"), "the key never leaves the process");
    assert_accounts(&folder.report());
}

#[test]
fn a_client_whose_base_url_cannot_be_changed_goes_through_the_proxy_by_its_environment() {
    let upstream = ok();
    let rules = "[proxy]\nforward = true\n[[fault]]\nname = \"teapot\"\nmatch = { path = \"/tea\" }\nrespond = { status = 418 }\n";
    let folder = Folder::with_plan(&plan(&at(&upstream), rules));
    let url = format!("http://{}", upstream.address());
    let codes = |url: &str| {
        let ended = session(&folder, &["--force"], &["curl", "-s", "-o", "/dev/null", "-w", "%{http_code}", url]);
        ended.stdout
    };
    assert_eq!((codes(&format!("{url}/x")).as_str(), codes(&format!("{url}/tea")).as_str()), ("200", "418"));
    let asked = upstream.requests().len();
    assert_ne!(codes("http://elsewhere.example/x"), "200", "a host that the plan does not allow");
    assert_eq!(upstream.requests().len(), asked);
}
