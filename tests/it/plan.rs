//! See `src/plan`.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use brownout::arrival::Process;
use brownout::contract::Profile;
use brownout::fault::{After, Effect, Element, Fault, Per, Respond, Trigger};
use brownout::gate::{FaultScope, Metric, Op, OutcomeScope};
use brownout::id::{RuleIx, ScenarioIx, StageIx, StepIx};
use brownout::plan::problem::Problems;
use brownout::plan::source::SourceText;
use brownout::plan::{
    AtLimit, CaptureFrom, Format, HttpVersion, JsonStep, Limits, LoadOptions, Pick, Piece, Place, Plan, Scenario, Shape, StatusRange,
    Template, TransportKind,
};
use brownout::retry::{Backoff, HintUse, Jitter, Methods};
use brownout::seed::{Distribution, Seed};
use brownout::units::{Micros, Offset, Ratio, Size};

use brownout::workload::{Memory, Visit, Workload, capture};

use crate::support::client::Client;
use crate::support::contract;
use crate::support::golden::assert_golden;
use crate::support::served::{Served, Wish};

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

/// A folder of a test's own, removed at its end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str, files: &[(&str, &[u8])]) -> Folder {
        let folder = std::env::temp_dir().join(format!("brownout-plan-{name}-{}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        for (name, bytes) in files {
            std::fs::write(folder.join(name), bytes).expect("a file");
        }
        Folder(folder)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _ = std::fs::remove_dir_all(&self.0);
    }
}

#[test]
fn an_error_that_no_answer_can_be_made_for_is_refused_where_it_is_injected() {
    let schema = "{ \"type\": \"object\", \"required\": [\"never\"], \"properties\": { \"never\": false } }";
    let contract = format!("name = \"x\"\n[envelope.own]\nschema = '{schema}'\n[[error]]\nstatus = 404\ncode = \"NONE\"\n");
    let folder = Folder::new("unmakeable", &[("c.toml", contract.as_bytes())]);
    let plan = include_str!("../golden/plans/unknown-error-in-a-fault.toml");
    let (before, _) = plan.split_once("[[fault]]").expect("a fault");
    let plan = before.replace("contracts/jan-server.toml", "c.toml") + "[[fault]]\nname = \"none\"\nrespond = { error = \"NONE\" }\n";
    let source = SourceText::new("x.toml", plan);
    let problems = Plan::from_source(&source, &folder.0, &LoadOptions::default()).expect_err("no such answer").render(false);
    let said = "no answer can be made for `NONE` that fits its schema: $.never must be a value, by /required";
    assert!(problems.contains(said), "{problems}");
}

fn ms(ms: u64) -> Micros {
    Micros::from_millis(ms)
}

fn at(s: u64) -> Offset {
    Offset(Micros::from_secs(s))
}

/// A template as text, places to fill in as `<…>`.
fn shown(template: &Template) -> String {
    let piece = |piece: &Piece| match piece {
        Piece::Text(bytes) => String::from_utf8_lossy(bytes).into_owned(),
        Piece::Fill(fill, escape) => format!("<{fill:?} {escape:?}>"),
    };
    template.pieces.iter().map(piece).collect()
}

// === variables

#[test]
fn a_variable_is_taken_from_set_before_the_environment_before_its_default() {
    let text = [HEAD, "[vars]\nrate = { env = \"RATE\", default = 3, min = 1, max = 100 }\n", TARGET, SCENARIO].concat()
        + "[[load.stage]]\nname = \"a\"\nfor = \"1s\"\nrate = \"${rate}/s\"\n";
    let spec = |set: &[(&str, &str)], env: Option<&str>| {
        let env = |name: &str| env.filter(|_| name == "RATE").map(str::to_owned);
        let set = set.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        parse_with(&text, &LoadOptions { set, env: &env, ..LoadOptions::default() }).map(|plan| plan.load.stages[0].spec.clone())
    };
    assert_eq!(spec(&[], None).unwrap(), "3/s");
    assert_eq!(spec(&[], Some("5")).unwrap(), "5/s");
    assert_eq!(spec(&[], Some("")).unwrap(), "3/s", "an empty variable of the environment is unset");
    assert_eq!(spec(&[("rate", "7"), ("rate", "8")], Some("5")).unwrap(), "8/s");
    let wrong = |set, env| spec(set, env).expect_err("a problem").to_string();
    assert!(wrong(&[("rate", "500")], None).contains("`rate` must be a number from 1 to 100, and --set says `500`"));
    assert!(wrong(&[], Some("fast")).contains("and the environment says `fast`"));
    assert!(wrong(&[("raet", "5")], None).contains("did you mean `rate`?"));
}

#[test]
fn a_credential_that_the_plan_spells_out_is_not_in_the_normalised_plan() {
    let headers = "headers = { Authorization = \"Bearer sk-4711\", Cookie = \"sid=0815; a=b\", Accept = \"text/html\" }\n";
    let text = [HEAD, "[target]\nurl = \"http://127.0.0.1:8000\"\n", headers, SCENARIO, LOAD].concat();
    let plan = parse_with(&text, &LoadOptions::default()).expect("nothing is wrong");
    let shown = "Authorization = \"Bearer $SECRET\", Cookie = \"$SECRET\", Accept = \"text/html\"";
    assert!(plan.normalised.contains(shown), "{}", plan.normalised);
}

#[test]
fn secrets_are_declared_and_masked_and_other_variables_replaced_in_the_normalised_plan() {
    let text = [HEAD, "[vars]\ntoken = { env = \"API_TOKEN\", secret = true }\nhost = \"127.0.0.1\"\n"].concat()
        + "[target]\nurl = \"http://${host}:8000\"\nheaders = { Authorization = \"Bearer ${token}\" }\n"
        + SCENARIO
        + LOAD
        + "# s3cr3t-value stands in a comment\n";
    let env = |name: &str| (name == "API_TOKEN").then(|| "s3cr3t-value".to_owned());
    let plan = parse_with(&text, &LoadOptions { env: &env, ..LoadOptions::default() }).expect("nothing is wrong");
    assert_eq!(shown(&plan.target.headers[0].1), "Bearer s3cr3t-value");
    assert_eq!(plan.secrets.values().collect::<Vec<_>>(), ["s3cr3t-value"]);
    assert_eq!(plan.redactions, ["vars.token"]);
    assert!(!plan.normalised.contains("s3cr3t-value"), "{}", plan.normalised);
    assert!(plan.normalised.contains("http://127.0.0.1:8000") && plan.normalised.contains("Bearer ${token}"));
    assert_eq!(plan.sha256.len(), 64);
}

#[test]
fn a_problem_that_quotes_a_value_shows_no_secret() {
    let text = [HEAD, "[vars]\nhost = { env = \"HOST\", secret = true }\n[target]\nurl = \"http://${host}\"\n", SCENARIO, LOAD].concat();
    let env = |_: &str| Some("s3cr3t.example.com".to_owned());
    let said = parse_with(&text, &LoadOptions { env: &env, ..LoadOptions::default() }).expect_err("not allowed").to_string();
    assert!(said.contains("the host `$HOST` is outside") && !said.contains("s3cr3t"), "{said}");
}

#[test]
fn a_plan_from_another_system_is_read_and_shown_alike() {
    let text = format!("\u{feff}{}", [HEAD, TARGET, SCENARIO, LOAD].concat().replace('\n', "\r\n"));
    assert!(parse(&text).is_ok());
    let said = parse(&text.replace("\"10s\"", "10")).expect_err("no unit").to_string();
    assert!(said.contains("\n11 | for = 10\n"), "{said}");
}

// === target

#[test]
fn every_key_of_the_target_arrives() {
    let folder = Folder::new("target", &[("ca.pem", b"-----BEGIN CERTIFICATE-----\n"), ("junk.pem", b"junk")]);
    let target = "[target]\nurl = \"https://api.example.com/v2/\"\nallow_hosts = [\"*.example.com\", \"10.0.0.7\"]\n\
        http = \"auto\"\ntransport = \"reqwest\"\nconnect_to = \"10.0.0.7:8443\"\n\
        connections = { max = 9, reuse = \"none\", idle_timeout = \"5s\" }\n\
        timeouts = { connect = \"1s\", first_byte = \"2s\", total = \"3s\" }\n\
        headers = { X-Run = \"${run.id}\" }\ntls = { ca = \"ca.pem\", server_name = \"x.example.com\" }\n";
    let load = |target: &str| {
        Plan::from_source(&SourceText::new("p", [HEAD, target, SCENARIO, LOAD].concat()), &folder.0, &LoadOptions::default())
    };
    let plan = load(target).expect("nothing is wrong");
    let target_of = &plan.target;
    assert!(matches!(&target_of.place, Place::Url(url) if url.path() == "/v2/"));
    assert_eq!((target_of.http, target_of.transport), (HttpVersion::Auto, TransportKind::Reqwest));
    assert_eq!((target_of.connections.max, target_of.connections.keep_alive), (9, false));
    assert_eq!((target_of.timeouts.first_byte, target_of.timeouts.total), (ms(2_000), ms(3_000)));
    assert_eq!(target_of.connect_to.as_deref(), Some("10.0.0.7:8443"));
    assert_eq!(shown(&target_of.headers[0].1), "<RunId Header>");
    assert!(target_of.tls.ca.is_some() && target_of.tls.server_name.is_some());
    let junk = load(&target.replace("ca = \"ca.pem\"", "cert = \"junk.pem\"")).expect_err("not PEM").to_string();
    assert!(junk.contains("`junk.pem` is not a PEM file") && junk.contains("needs both `cert` and `key`"), "{junk}");
}

#[test]
fn nothing_may_be_sent_outside_the_fence() {
    for (target, refused) in [
        ("url = \"http://127.0.0.1:1\"", false),
        ("url = \"http://[::1]:1\"", false),
        ("url = \"http://localhost\"", false),
        ("url = \"http://127.0.0.1.example.com\"", true),
        ("url = \"http://example.com\"\nallow_hosts = [\"*.example.com\"]", true),
        ("url = \"http://a.b.example.com\"\nallow_hosts = [\"*.example.com\"]", false),
        ("url = \"http://notexample.com\"\nallow_hosts = [\"*.example.com\", \"example.com\"]", true),
        ("url = \"http://A.Example.COM\"\nallow_hosts = [\"a.example.com\"]", false),
        ("url = \"http://user@127.0.0.1\"", true),
        ("url = \"http://127.0.0.1/?q=1\"", true),
        ("url = \"ftp://127.0.0.1\"", true),
        ("url = \"127.0.0.1:80\"", true),
        ("url = \"http://127.0.0.1\"\nconnect_to = \"example.com:80\"", true),
    ] {
        let plan = parse(&[HEAD, "[target]\n", target, "\n", SCENARIO, LOAD].concat());
        assert_eq!(plan.is_err(), refused, "{target}: {plan:?}");
    }
}

#[test]
fn a_target_given_on_the_command_line_stands_behind_the_same_fence() {
    let text = [HEAD, "[target]\nembedded = \"strict\"\nallow_hosts = [\"api.example.com\"]\n", SCENARIO, LOAD].concat();
    let to = |url: &str| parse_with(&text, &LoadOptions { target_override: Some(url.to_owned()), ..LoadOptions::default() });
    assert!(matches!(to("http://api.example.com:81").expect("allowed").target.place, Place::Url(_)));
    let refused = to("http://other.example.com").expect_err("not allowed").to_string();
    assert!(refused.contains("`--target http://other.example.com`: the host `other.example.com` is outside `allow_hosts`"), "{refused}");
    let writes = text.replace("GET /", "POST /");
    let options = LoadOptions { target_override: Some("http://api.example.com".to_owned()), ..LoadOptions::default() };
    assert!(parse_with(&writes, &options).expect_err("no consent").to_string().contains("`writes = true`"));
}

#[test]
fn an_embedded_target_needs_a_contract_that_can_be_served() {
    let text = |embedded: &str| [HEAD, "[target]\nembedded = ", embedded, "\n", SCENARIO, LOAD].concat();
    assert_eq!(wrong(&text("\"strict\"")), ["3 the embedded target serves the plan's contract, and the plan names none"]);
    assert_eq!(wrong(&text("{ preset = \"strict\", limits = \"x0\" }"))[1], "4 `x0` is no value of `limits`");
}

// === scenarios

#[test]
fn a_step_is_compiled_to_what_is_sent() {
    let text = [HEAD, "[vars]\nquote = 'a\"b'\nmodel = \"m 1\"\n", TARGET, LOAD].concat()
        + "[data.rows]\nrows = [{ x = \"1\", n = 2 }]\n"
        + "[[scenario]]\nname = \"s\"\nweight = 3\n"
        + "[[scenario.step]]\nname = \"first\"\nrequest = \"POST /a b/${model}?q=${data.rows.x}\"\n"
        + "json = { b = \"${quote} ${uuid}\", a = [1, 2.5, true, { c = \"${arrival}\" }] }\n"
        + "capture = { id = 'json:$.data[0].id', at = \"header:Location\" }\nthink = \"10ms\"\nexpect = { status = [201, \"3xx\", \"400-404\"] }\n"
        + "[[scenario.step]]\nrequest = \"GET /x/${id}?at=${at}\"\nheaders = { If-Match = \"${at}\" }\nstream = { sse = { done = \"[DONE]\", max_gap = \"3s\" } }\n";
    let plan = parse(&text).expect("nothing is wrong");
    let (first, second) = (&plan.scenarios[0].steps[0], &plan.scenarios[0].steps[1]);
    assert_eq!(shown(&first.path), "/a%20b/m%201?q=<Data { set: 0, field: 0 } Url>");
    let body = shown(first.body.as_ref().expect("a body"));
    assert_eq!(body, "{\"b\":\"a\\\"b <Uuid(1) Json>\",\"a\":[1,2.5,true,{\"c\":\"<Arrival Json>\"}]}");
    assert_eq!((first.headers[0].0.as_str(), shown(&first.headers[0].1).as_str()), ("content-type", "application/json"));
    let ranges: Vec<(u16, u16)> = first.expect.iter().map(|range: &StatusRange| (range.first, range.last)).collect();
    assert_eq!(ranges, [(201, 201), (300, 399), (400, 404)]);
    assert_eq!(first.think, Some(Distribution::Fixed(ms(10))));
    let slots: Vec<_> = first.captures.iter().map(|capture| (capture.name.as_str(), capture.slot)).collect();
    assert_eq!(slots, [("id", 0), ("at", 1)]);
    let member = |name: &str| JsonStep::Member(name.to_owned());
    assert_eq!(first.captures[0].from, CaptureFrom::Json(vec![member("data"), JsonStep::Index(0), member("id")]));
    assert_eq!(shown(&second.path), "/x/<Capture(0) Url>?at=<Capture(1) Url>");
    assert_eq!(shown(&second.headers[0].1), "<Capture(1) Header>");
    assert_eq!((second.name.as_str(), second.operation.as_str()), ("GET /x/${id}?at=${at}", "s/GET /x/${id}?at=${at}"));
    assert_eq!(second.stream.as_ref().and_then(|sse| sse.max_gap), Some(ms(3_000)));
}

#[test]
fn what_a_variable_says_is_never_read_as_a_template() {
    let text = [HEAD, "[vars]\nx = \"${uuid}\"\n", TARGET, LOAD, SCENARIO, "body = \"${x}\"\n"].concat();
    let plan = parse(&text).expect("nothing is wrong");
    assert_eq!(shown(plan.scenarios[0].steps[0].body.as_ref().expect("a body")), "${uuid}");
}

#[test]
fn a_body_is_a_text_a_file_or_a_size() {
    let folder = Folder::new("body", &[("b.bin", b"\xff\x00")]);
    let body = |body: &str| {
        let text = [HEAD, TARGET, LOAD, SCENARIO, "body = ", body, "\n"].concat();
        Plan::from_source(&SourceText::new("p", text), &folder.0, &LoadOptions::default())
            .map(|plan| plan.scenarios[0].steps[0].body.clone())
    };
    let bytes = |text: &str| match &body(text).expect(text).expect("a body").pieces[..] {
        [Piece::Text(bytes)] => bytes.to_vec(),
        other => panic!("{other:?}"),
    };
    assert_eq!(bytes("\"a\""), b"a");
    assert_eq!(bytes("{ file = \"b.bin\" }"), b"\xff\x00");
    assert_eq!(bytes("{ size = \"2KiB\" }").len(), 2048);
    for bad in ["{ size = \"1GB\" }", "{ file = \"none\" }", "{ size = \"1B\", file = \"b.bin\" }", "3"] {
        assert!(body(bad).is_err(), "{bad}");
    }
}

#[test]
fn scenarios_are_refused_where_they_cannot_be_played() {
    for (fragment, what) in [
        ("[[scenario.step]]\nrequest = \"GET\"", "10 `GET` is not a request line"),
        ("[[scenario.step]]\nrequest = \"get /\"", "10 `get /` is not a request line"),
        ("[[scenario.step]]\nrequest = \"GET /#top\"", "10 a request has no `#…`: it is never sent"),
        ("[[scenario.step]]\nrequest = \"GET ${arrival}\"", "10 the path of a request begins with `/`"),
        ("[[scenario.step]]\nrequest = \"GET /\"", "10 there are two steps named `GET /`"),
        ("[[scenario.step]]\nrequest = \"POST /\"\njson = {}\nbody = \"x\"", "12 a step has at most one of `json` and `body`"),
        (
            "[[scenario.step]]\nrequest = \"GET /1\"\nheaders = { Content-Length = \"1\" }",
            "11 the header `Content-Length` is set by brownout itself",
        ),
        ("[[scenario.step]]\nrequest = \"GET /1\"\nheaders = { X = \"a\\nb\" }", "11 a header's value has no line breaks or control bytes"),
        ("[[scenario]]\nname = \"s\"\n[[scenario.step]]\nrequest = \"GET /\"", "10 there are two scenarios named `s`"),
        ("[[scenario]]\nname = \"t\"", "9 the scenario `t` has no step"),
    ] {
        let text = [HEAD, TARGET, SCENARIO, fragment, "\n", LOAD].concat();
        assert_eq!(wrong(&text).first().map(String::as_str), Some(what), "{fragment}");
    }
}

// === data

#[test]
fn data_is_read_from_csv_json_lines_and_rows() {
    let files: [(&str, &[u8]); 4] = [
        ("a.csv", b"\xef\xbb\xbft,u\n1,\"x,y\"\n2,z\n"),
        ("b.jsonl", b"{\"t\":\"1\",\"n\":[1]}\n\n{\"n\":2,\"t\":\"3\"}\n"),
        ("ragged.csv", b"t,u\n1\n"),
        ("bad.jsonl", b"{\"t\":1}\n{\"u\":1}\n"),
    ];
    let folder = Folder::new("data", &files);
    let data = |data: &str| {
        let text = [HEAD, TARGET, LOAD, SCENARIO, "[data.d]\n", data, "\n"].concat();
        Plan::from_source(&SourceText::new("p", text), &folder.0, &LoadOptions::default()).map(|mut plan| plan.data.remove(0))
    };
    let csv = data("file = \"a.csv\"\npick = \"shuffle\"").expect("nothing is wrong");
    assert_eq!((csv.fields.join(" "), csv.rows.len(), &csv.rows[0][1][..], csv.pick), ("t u".to_owned(), 2, &b"x,y"[..], Pick::Shuffle));
    let lines = data("file = \"b.jsonl\"").expect("nothing is wrong");
    assert_eq!((lines.fields.join(" "), &lines.rows[0][0][..], &lines.rows[1][0][..]), ("n t".to_owned(), &b"[1]"[..], &b"2"[..]));
    let rows = data("rows = [{ a = \"x\", b = 1 }, { b = 2.5, a = true }]").expect("nothing is wrong");
    assert_eq!(rows.rows[1], ["true", "2.5"]);
    for (bad, what) in [
        ("file = \"ragged.csv\"", "line 2 has 1 fields, and the first line 2"),
        ("file = \"bad.jsonl\"", "line 2 has no `t`, and the first line has"),
        ("file = \"none.csv\"", "there is no such file"),
        ("file = \"a.txt\"", "there is no such file"),
        ("rows = []", "has no rows"),
        ("rows = [{ a = 1 }, { c = 1 }]", "this row has no `a`"),
        ("rows = [{ a = 1 }]\nfile = \"a.csv\"", "exactly one of `file` and `rows`"),
        ("rows = [{ a = 1 }]\npick = \"unique\"", "1 rows to be used once each, and up to 140 arrivals"),
    ] {
        let said = data(bad).expect_err(bad).to_string();
        assert!(said.contains(what), "{bad}: {said}");
    }
}

#[test]
fn a_broken_data_set_is_reported_once_and_not_at_each_use() {
    let text = [HEAD, TARGET, LOAD, SCENARIO, "body = \"${data.d.x} ${data.d.y}\"\n[data.d]\nfile = \"none.csv\"\n"].concat();
    assert_eq!(wrong(&text), ["15 the data file `none.csv`: there is no such file"]);
}

// === load

#[test]
fn stages_follow_each_other_and_hold_ramp_and_climb() {
    let text = [HEAD, TARGET, SCENARIO].concat()
        + "[load]\narrivals = \"even\"\nat_limit = \"queue\"\ndrain = \"3s\"\n"
        + "[[load.stage]]\nname = \"warm\"\nfor = \"4s\"\nrate = \"5/s -> 40/s\"\njudged = false\n"
        + "[[load.stage]]\nname = \"stairs\"\nfor = \"9s\"\nrate = \"10/s -> 35/s by 10/s\"\n"
        + "[[load.stage]]\nname = \"down\"\nfor = \"2s\"\nrate = \"20/s -> 0/s by 20/s\"\n"
        + "[[load.stage]]\nname = \"users\"\nfor = \"1s\"\nusers = 500\n";
    let load = parse(&text).expect("nothing is wrong").load;
    assert_eq!((load.process, load.at_limit, load.drain, load.max_in_flight), (Process::Even, AtLimit::Queue, ms(3_000), 500));
    let starts: Vec<(Offset, bool, &str)> = load.stages.iter().map(|stage| (stage.start, stage.judged, stage.spec.as_str())).collect();
    assert_eq!(
        starts,
        [
            (at(0), false, "5/s -> 40/s"),
            (at(4), true, "10/s -> 35/s by 10/s"),
            (at(13), true, "20/s -> 0/s by 20/s"),
            (at(15), true, "500 users")
        ]
    );
    let segments = |index: usize| match &load.stages[index].shape {
        Shape::Open(segments) => segments.iter().map(|s| (s.stage, s.start, s.length, s.from.get(), s.to.get())).collect::<Vec<_>>(),
        Shape::Closed { .. } => Vec::new(),
    };
    assert_eq!(segments(0), [(StageIx(0), at(0), ms(4_000), 5.0, 40.0)]);
    // Four levels of 2.25 s: the last is the end, although 35 is no multiple of the step.
    let stairs: Vec<(u64, f64)> = segments(1).iter().map(|s| (s.1.as_millis(), s.3)).collect();
    assert_eq!(stairs, [(4_000, 10.0), (6_250, 20.0), (8_500, 30.0), (10_750, 35.0)]);
    assert_eq!(segments(2).iter().map(|s| s.3).collect::<Vec<_>>(), [20.0, 0.0]);
    assert_eq!(load.stages[3].shape, Shape::Closed { users: 500 });
    let end = segments(1).last().map(|s| s.1 + s.2);
    assert_eq!(end, Some(at(13)), "the levels fill their stage");
}

#[test]
fn a_run_without_arrivals_is_a_sound_plan() {
    let plan = parse(&[HEAD, TARGET, SCENARIO, &LOAD.replace("10/s", "0/s")].concat()).expect("nothing is wrong");
    assert_eq!(plan.load.stages[0].expected_arrivals(), Some(0.0));
    assert!(plan.forecast().to_string().contains("about 0 requests"));
}

// === contract, faults, retries

/// A plan for faults: two scenarios, two stages, the shipped contract.
fn with_fault(fault: &str) -> String {
    [HEAD, TARGET, SCENARIO].concat()
        + "[[scenario]]\nname = \"chat\"\n[[scenario.step]]\nrequest = \"POST /v1/chat/completions\"\n"
        + "[contract]\nfile = \"contracts/jan-server.toml\"\nprofile = \"strict\"\nundocumented = \"low\"\n"
        + LOAD
        + "[[load.stage]]\nname = \"after\"\nfor = \"5s\"\nrate = \"1/s\"\n[[fault]]\nname = \"f\"\n"
        + fault
        + "\n"
}

#[test]
fn a_contract_is_found_beside_the_plan_or_else_compiled_in() {
    let name = |folder: &str| {
        let plan = Plan::from_source(&SourceText::new("p", with_fault("delay = \"1s\"")), Path::new(folder), &LoadOptions::default());
        plan.expect("nothing is wrong").contract.expect("a contract")
    };
    let shipped = name("no-such-folder");
    assert_eq!(shipped.contract.source.file, "contracts/jan-server.toml (built in)");
    assert_eq!((shipped.terms.profile, shipped.terms.undocumented.word()), (Profile::Strict, "low"));
    assert_eq!(name("plans").contract.source.file, "plans/contracts/jan-server.toml");
}

#[test]
fn every_effect_and_trigger_arrives() {
    let rule = |fault: &str| parse(&with_fault(fault)).unwrap_or_else(|problems| panic!("{fault}: {problems}")).faults.rules.remove(0);
    let ratio = |share| Ratio::new(share).expect("a share");

    let whole = rule("delay = { lognormal = { median = \"800ms\", p99 = \"4s\" } }");
    assert_eq!((whole.windows[0].start, whole.windows[0].end), (at(0), at(25)), "the whole run, drain included");
    assert_eq!((whole.trigger, whole.per), (Trigger::Always, Per::Attempt));
    assert!(matches!((whole.effect, whole.delay), (Effect::DelayOnly, Some(Distribution::LogNormal { .. }))));

    let limited = rule(
        "during = [{ stage = \"after\" }, { stage = \"steady\", from = \"2s\", for = \"3s\" }]\nchance = \"30%\"\n\
         match = { method = [\"POST\"], path = \"/v1/**\", scenario = \"chat\", header = { X-A = \"b*\" } }\n\
         respond = { error = \"RATE_LIMIT_EXCEEDED\", retry_after = \"2s\", retry_after_form = \"date\" }",
    );
    let windows: Vec<(Offset, Offset)> = limited.windows.iter().map(|window| (window.start, window.end)).collect();
    assert_eq!(windows, [(at(10), at(15)), (at(2), at(5))]);
    assert_eq!((limited.trigger, limited.matcher.scenarios.as_slice()), (Trigger::Chance(ratio(0.3)), &[ScenarioIx(1)][..]));
    assert_eq!(limited.spec, "30 % of POST /v1/** with x-a chat: 429 RATE_LIMIT_EXCEEDED, Retry-After 2 s");
    assert!(matches!(limited.effect, Effect::Fault(Fault::Respond(Respond::Error { retry_after: Some(Micros(2_000_000)), .. }))));

    let sequence = rule(
        "chance = { exactly = \"10%\" }\nsequence = [{ status = 503, headers = { Retry-After = \"1\" }, body = \"x\" }, \"reset\", { delay = \"1s\" }, { cut = { after = \"1KiB\" } }, \"pass\"]",
    );
    assert_eq!((sequence.trigger, sequence.per), (Trigger::Exactly(ratio(0.1)), Per::Exchange));
    let Effect::Sequence(elements) = sequence.effect else { panic!("a sequence") };
    assert!(matches!(
        &elements[..],
        [
            Element::Fault(Fault::Respond(Respond::Literal { status: 503, headers, body })),
            Element::Fault(Fault::Reset { after: After::Nothing }),
            Element::Delay(_),
            Element::Fault(Fault::Cut { after: After::Bytes(Size(1024)) }),
            Element::Pass
        ] if headers["retry-after"] == "1" && body == b"x"
    ));

    assert!(matches!(rule("every = 25\nreset = true").trigger, Trigger::Every(25)));
    assert!(matches!(rule("reset = { after = \"2KiB\" }").effect, Effect::Fault(Fault::Reset { after: After::Bytes(Size(2048)) })));
    assert!(matches!(rule("cut = { after = \"10B\" }").effect, Effect::Fault(Fault::Cut { after: After::Bytes(Size(10)) })));
    let first = rule("first_attempts = 2\nrespond = { status = 500 }");
    assert_eq!(
        (first.trigger, first.per, first.spec.as_str()),
        (Trigger::FirstAttempts(2), Per::Exchange, "the first 2 attempts of requests: 500")
    );
    assert_eq!(rule("per = \"route\"\nchance = 0.5\ncut = true").per, Per::Route);

    let limited = rule(
        "limiter = { token_bucket = { rate = \"20/s\", burst = 50 }, key = [\"header:Authorization\", \"route\"], cost = 2, \
         dialect = \"x-ratelimit-epoch\", error = \"RATE_LIMIT_EXCEEDED\" }",
    );
    assert_eq!(limited.spec, "all of requests: token bucket of 50 in 2.5 s by authorization and route, else 429 RATE_LIMIT_EXCEEDED");
    let Effect::Limiter(limiter) = limited.effect else { panic!("a limiter") };
    assert_eq!((limiter.allowance.limit, limiter.allowance.window, limiter.cost), (50, Micros::from_millis(2_500), 2));
}

#[test]
fn every_effect_on_the_wire_arrives_alone_and_in_a_sequence() {
    let rule = |fault: &str| parse(&with_fault(fault)).unwrap_or_else(|problems| panic!("{fault}: {problems}")).faults.rules.remove(0);
    for (key, arrives, spec) in [
        ("reset = true", "Reset { after: Nothing }", "reset"),
        ("reset = { after = \"headers\" }", "Reset { after: Headers }", "reset after the headers"),
        ("cut = true", "Cut { after: Nothing }", "cut"),
        ("cut = { after = \"2KiB\" }", "Cut { after: Bytes(Size(2048)) }", "cut after 2 KiB"),
        ("half_close = { after = \"headers\" }", "HalfClose { after: Headers }", "half close after the headers"),
        ("delay_after_upstream = \"800ms\"", "DelayAfterUpstream(Fixed(Micros(800000)))", "delay 800 ms after upstream"),
        (
            "slow_body = { rate = \"10KiB/s\" }",
            "SlowBody(Pace { bytes: 204, every: Micros(19921) })",
            "body in pieces of 204 B every 19.9 ms",
        ),
        (
            "slow_body = { chunk = \"16B\", every = \"50ms\" }",
            "SlowBody(Pace { bytes: 16, every: Micros(50000) })",
            "body in pieces of 16 B every 50 ms",
        ),
        ("stall = true", "Stall { after: Size(0), lasting: None }", "stall after 0 B"),
        ("stall = { for = \"30s\" }", "Stall { after: Size(0), lasting: Some(Micros(30000000)) }", "stall after 0 B for 30 s"),
        ("stall = { after = \"1KiB\" }", "Stall { after: Size(1024), lasting: None }", "stall after 1 KiB"),
        ("black_hole = true", "BlackHole", "silence"),
        ("truncate_chunked = true", "TruncateChunked { after: None }", "chunks without the last one"),
        ("truncate_chunked = { after = \"9B\" }", "TruncateChunked { after: Some(Size(9)) }", "chunks that end after 9 B"),
        ("content_length = \"+10\"", "ContentLength { off_by: 10 }", "Content-Length off by +10"),
        ("content_length = \"-10\"", "ContentLength { off_by: -10 }", "Content-Length off by -10"),
        ("bad_chunk = true", "BadChunk { after: Size(0) }", "a malformed chunk after 0 B"),
        ("stream = { cut_after = { events = 3 } }", "Stream(CutAfterEvents(3))", "stream cut after 3 events"),
        ("stream = { cut_after = { time = \"2s\" } }", "Stream(CutAfterTime(Micros(2000000)))", "stream cut after 2 s"),
        ("stream = { drop_done = true }", "Stream(DropDone(\"[DONE]\"))", "stream without [DONE]"),
        ("stream = { drop_done = \"end\" }", "Stream(DropDone(\"end\"))", "stream without end"),
        (
            "stream = { error_event = { event = \"error\", data = \"{}\" } }",
            "Stream(ErrorEvent { at: 2, event: Some(\"error\"), data: Literal(\"{}\") })",
            "event 2 of the stream is an error",
        ),
        ("drop_after_upstream = true", "DropAfterUpstream", "answer of upstream dropped"),
        ("reset_after_upstream = true", "ResetAfterUpstream", "answer of upstream lost by reset"),
        ("goaway = true", "GoAway", "GOAWAY"),
        ("refused_stream = true", "RefusedStream", "REFUSED_STREAM"),
        ("reset_stream = { after = \"1KiB\" }", "ResetStream { after: Bytes(Size(1024)) }", "stream reset after 1 KiB"),
    ] {
        let alone = rule(key);
        let Effect::Fault(fault) = &alone.effect else { panic!("{key}: {:?}", alone.effect) };
        assert_eq!((format!("{fault:?}").as_str(), alone.spec.as_str()), (arrives, format!("all of requests: {spec}").as_str()), "{key}");
        assert_eq!(key.split(' ').next(), Some(fault.kind()));
        let first = |sequence: &str| match rule(sequence).effect {
            Effect::Sequence(elements) => format!("{:?}", elements[0]),
            other => panic!("{sequence}: {other:?}"),
        };
        assert_eq!(first(&format!("sequence = [{{ {key} }}, \"pass\"]")), format!("Fault({arrives})"), "{key}");
        if let Some(word) = key.strip_suffix(" = true") {
            assert_eq!(first(&format!("sequence = [\"{word}\", \"pass\"]")), format!("Fault({arrives})"), "{key}");
        }
    }
    let refuse = rule("during = { from = \"1s\", for = \"2s\" }\nrefuse = true");
    assert_eq!((format!("{:?}", refuse.effect).as_str(), refuse.spec.as_str()), ("Fault(Refuse)", "connections: refused"));
    assert_eq!(rule("tls_failure = true").spec, "connections: handshake failure");
    let inside = rule("stream = { error_event = { error = \"RATE_LIMIT_EXCEEDED\" }, at = 4 }");
    assert_eq!(inside.spec, "all of requests: event 4 of the stream is RATE_LIMIT_EXCEEDED");
}

#[test]
fn effects_on_the_wire_are_refused_where_they_mean_nothing() {
    for (fault, what) in [
        (
            "during = { for = \"1s\" }\nrefuse = true\nmatch = { path = \"/v1/**\" }",
            "`match` cannot apply to `refuse`, which strikes connections",
        ),
        ("during = { for = \"1s\" }\nrefuse = true\nchance = \"5%\"", "`chance` cannot apply to `refuse`"),
        ("tls_failure = true\ndelay = \"1s\"", "`delay` cannot apply to `tls_failure`"),
        ("refuse = true", "a fault that refuses every connection of the run leaves nothing to test"),
        ("during = { requests = \"1..5\" }\nrefuse = true", "a window of `requests` cannot apply to `refuse`"),
        ("sequence = [{ refuse = true }]", "`refuse` strikes connections, and a sequence is about the attempts of an exchange"),
        ("sequence = [\"refuse\"]", "`refuse` is no element of a sequence"),
        ("black_hole = false", "`black_hole` takes no argument"),
        ("black_hole = { after = \"1s\" }", "`black_hole` takes no argument"),
        ("stall = 5", "`stall` is `true` or says after how many bytes, and for how long"),
        ("stall = { for = \"2h\" }", "2 h is too long to wait"),
        ("slow_body = true", "`slow_body` says how slow"),
        ("slow_body = { rate = \"10KiB/s\", every = \"1s\" }", "`slow_body` is a rate, or pieces and the time between them"),
        ("slow_body = { rate = \"10/s\" }", "this is no rate of bytes"),
        ("slow_body = { rate = \"0B/s\" }", "this is no rate of bytes"),
        ("slow_body = { chunk = \"0B\", every = \"1s\" }", "a piece of no bytes never comes to an end"),
        ("slow_body = { chunk = \"1B\", every = \"0s\" }", "is no time between two pieces"),
        ("content_length = \"10\"", "`content_length` says by how much the declared length is wrong"),
        ("content_length = \"+0\"", "`content_length` says by how much the declared length is wrong"),
        ("stream = {}", "`stream` needs one of `cut_after`, `drop_done` and `error_event`"),
        ("stream = { drop_done = true, at = 2 }", "`at` says which event is the error"),
        ("stream = { cut_after = {} }", "a stream is cut after so many `events` or after a `time`"),
        ("stream = { drop_done = false }", "`drop_done` is `true` or the data of the event"),
        ("stream = { error_event = {} }", "an error event is an `error` of the contract or has its `data`"),
        ("stream = { error_event = { event = \"a\\nb\", data = \"\" } }", "the name of an event stands on one line"),
        ("stream = { error_event = { error = \"NOPE\" } }", "has no error `NOPE`"),
        ("cut = { after = \"body\" }", "`body` is not a size"),
        ("cut = true\nreset = true", "a fault has one effect, and this one has `reset` and `cut`"),
    ] {
        let said = parse(&with_fault(fault)).expect_err(fault);
        assert_eq!(said.errors(), 1, "{fault}: {said}");
        assert!(said.to_string().contains(what), "{fault}: {said}");
    }
}

#[test]
fn faults_are_refused_where_they_mean_nothing() {
    for (fault, what) in [
        ("respond = {}", "an injected answer is an `error` of the contract or a `status`"),
        (
            "respond = { error = \"RATE_LIMIT_EXCEEDED\", retry_after = \"1500ms\" }",
            "`Retry-After` counts whole seconds, and this is 1.5 s",
        ),
        ("per = \"attempt\"\nsequence = [\"pass\"]", "an attempt is too short for a sequence"),
        ("per = \"route\"\nfirst_attempts = 2\nreset = true", "an exact share and `first_attempts` are drawn per exchange"),
        ("sequence = [\"pas\"]", "`pas` is no element of a sequence"),
        ("sequence = []", "a sequence without elements"),
        ("always = false\nreset = true", "a fault that never fires"),
        ("reset = false", "`reset` is `true` or says after how many bytes of the answer"),
        ("match = { method = \"post\" }\nreset = true", "`post` is not a method"),
        ("match = { path = \"v1\" }\nreset = true", "`v1` is not a path pattern: it must begin with `/`"),
        ("during = { from = \"20s\" }\nreset = true", "lies outside the run, which lasts 15 s"),
        ("during = { stage = \"after\", for = \"0s\" }\nreset = true", "a window of no length"),
        ("chance = \"130%\"\nreset = true", "`130%` is not between 0 % and 100 %"),
        ("delay = 5", "`5` has no unit"),
        ("delay = { lognormal = { median = \"1s\", p90 = \"2s\", p99 = \"3s\" } }", "exactly one of p90, p95 and p99"),
        ("delay = { lognormal = { median = \"3s\", p95 = \"2s\" } }", "must not be smaller than the median"),
        ("respond = { status = 99 }", "`status` must be a whole number from 200 to 599"),
        ("limiter = { error = \"RATE_LIMIT_EXCEEDED\" }", "a limiter needs an algorithm"),
        (
            "limiter = { token_bucket = { rate = \"5/s\", burst = 5 }, gcra = { rate = \"5/s\", burst = 5 }, status = 429 }",
            "a limiter has one algorithm, and this one has `token_bucket` and `gcra`",
        ),
        ("limiter = { token_bucket = { rate = \"0/s\", burst = 5 }, status = 429 }", "from 1 ms to a day can be kept"),
        ("limiter = { fixed_window = { limit = 5, window = \"25h\" }, status = 429 }", "a window of"),
        (
            "limiter = { fixed_window = { limit = 5, window = \"1m\" }, key = \"cookie\", status = 429 }",
            "`cookie` is nothing that limits are kept apart by",
        ),
        ("limiter = { gcra = { rate = \"5/s\", burst = 5 }, cost = 9, status = 429 }", "a request costs 9, and the limit is 5"),
        ("limiter = { gcra = { rate = \"5/s\", burst = 5 } }", "an injected answer is an `error` of the contract or a `status`"),
        (
            "limiter = { gcra = { rate = \"5/s\", burst = 5 }, status = 429 }\nchance = \"10%\"",
            "a limiter refuses whoever has spent the limit, and this fault has a trigger too",
        ),
        (
            "limiter = { gcra = { rate = \"5/s\", burst = 5 }, status = 429 }\nreset = true",
            "a fault has one effect, and this one has `reset` and `limiter`",
        ),
    ] {
        let said = parse(&with_fault(fault)).expect_err(fault);
        assert_eq!(said.errors(), 1, "{fault}: {said}");
        assert!(said.to_string().contains(what), "{fault}: {said}");
    }
    let no_contract = [HEAD, TARGET, SCENARIO, LOAD, "[[fault]]\nname = \"f\"\nrespond = { error = \"X\" }\n"].concat();
    assert_eq!(wrong(&no_contract), ["15 an error is injected by its name in the contract, and the plan names no contract"]);
}

#[test]
fn the_proxy_is_in_the_path_exactly_when_the_plan_asks_for_it() {
    let base = [HEAD, TARGET, SCENARIO, LOAD].concat();
    assert_eq!(parse(&base).expect("sound").proxy, None);
    assert!(parse(&with_fault("reset = true")).expect("sound").proxy.is_some_and(|proxy| !proxy.stealth));
    assert!(parse(&(base + "[proxy]\nstealth = true\n")).expect("sound").proxy.is_some_and(|proxy| proxy.stealth));
}

#[test]
fn every_key_of_a_retry_policy_arrives() {
    let policies = |retry: &str| parse(&[HEAD, TARGET, SCENARIO, LOAD, retry].concat()).map(|plan| plan.policies);
    let all = "[retry.b]\nattempts = 4\non = [429, \"5xx\", \"connect\", \"cut\"]\n\
        backoff = { exponential = { base = \"250ms\", factor = 3, cap = \"8s\" }, jitter = \"decorrelated\" }\n\
        retry_after = \"at-least\"\nmethods = \"any\"\nidempotency = { header = \"Idempotency-Key\" }\nbudget = { ratio = \"20%\", min_per_second = 1 }\n\
        [retry.a]\nattempts = 1\n";
    let policies_of = policies(all).expect("nothing is wrong");
    let policy = &policies_of[1];
    assert_eq!((policies_of[0].name.as_str(), policy.name.as_str(), policy.attempts), ("a", "b", 4), "sorted by name");
    assert_eq!((policy.on.statuses.as_slice(), policy.on.classes.as_slice()), (&[429][..], &[5][..]));
    assert!(policy.on.connect && policy.on.cut && !policy.on.reset);
    assert_eq!(policy.backoff, Backoff::Exponential { base: ms(250), factor: 3.0, cap: Some(ms(8_000)) });
    assert_eq!((policy.jitter, policy.retry_after, policy.methods), (Jitter::Decorrelated, HintUse::AtLeast, Methods::Any));
    assert_eq!(
        policy.spec,
        "4 attempts · exponential 250 ms × 3, at most 8 s, decorrelated jitter · waits at least Retry-After · budget 20 %"
    );
    assert!(policy.budget.is_some() && policy.idempotency_header.is_some());
    for (retry, what) in [
        ("[retry.a]\nattempts = 3\n", "does not say what is worth repeating"),
        ("[retry.a]\nattempts = 3\non = [429]\n", "does not say how long to wait"),
        ("[retry.a]\nattempts = 0\n", "must be a whole number from 1 to 100"),
        ("[retry.a]\nattempts = 2\non = [\"resett\"]\nbackoff = { constant = \"1s\" }\n", "did you mean `reset`?"),
        (
            "[retry.a]\nattempts = 2\non = []\nbackoff = { linear = { base = \"1s\", step = \"1s\", cap = \"500ms\" } }\n",
            "`cap` (500 ms) is smaller than `base` (1 s)",
        ),
        ("[retry.a]\nattempts = 2\non = []\nbackoff = {}\n", "needs one of `exponential`, `linear` and `constant`"),
    ] {
        let said = policies(retry).expect_err(retry).to_string();
        assert!(said.contains(what), "{retry}: {said}");
    }
}

// === gates and reports

#[test]
fn gates_know_their_metric_scope_and_span() {
    let text = with_fault("reset = true")
        + "[[gate]]\nname = \"p99\"\nrequire = \"response.p99 < 900ms\"\nwhere = { scenario = \"chat\", stage = [\"steady\"], outcome = \"any\", fault = \"none\" }\n"
        + "[[gate]]\nrequire = \"error.rate<50%\"\nover = \"10s\"\nabort = true\n"
        + "[[gate]]\nrequire = \"service.mean <= 1s\"\nwhere = { step = [\"s/GET /\"], touched_by = \"f\" }\n"
        + "[[gate]]\nrequire = \"recovery.time < 5s\"\nwhere = { fault = \"f\" }\n";
    let gates = parse(&text).expect("nothing is wrong").gates;
    assert_eq!((gates[0].id.as_str(), gates[0].name.as_str(), gates[0].limit, gates[0].op), ("g1", "p99", 900_000.0, Op::Lt));
    assert_eq!(gates[0].scope_words, "chat · steady · any outcome · no fault");
    assert_eq!((gates[0].scope.outcome, gates[0].scope.fault), (OutcomeScope::Any, FaultScope::Untouched));
    assert_eq!((gates[0].scope.scenarios.as_slice(), gates[0].scope.stages.as_slice()), (&[ScenarioIx(1)][..], &[StageIx(0)][..]));
    assert_eq!((gates[1].name.as_str(), gates[1].limit, gates[1].abort_over), ("error.rate<50%", 0.5, Some(ms(10_000))));
    assert_eq!(
        (gates[2].scope.steps.as_slice(), gates[2].scope.fault),
        (&[(ScenarioIx(0), StepIx(0))][..], FaultScope::TouchedBy(RuleIx(0)))
    );
    assert_eq!((gates[3].metric, gates[3].scope.fault), (Metric::RecoveryTime, FaultScope::During(RuleIx(0))));
}

#[test]
fn report_and_validity_have_defaults_and_can_be_changed() {
    let base = [HEAD, TARGET, SCENARIO, LOAD].concat();
    let plan = parse(&base).expect("sound");
    assert_eq!((plan.report.dir.as_str(), plan.report.formats), ("reports/${run.id}", vec![Format::Json, Format::Html, Format::Hgrm]));
    let changed = base.clone()
        + "[vars]\nteam = \"a\"\n[report]\ndir = \"out/${team}/${run.id}\"\nformats = [\"junit\", \"markdown\", \"junit\"]\n"
        + "[validity]\nschedule_lag_p99 = \"50ms\"\ndropped = \"1%\"\n";
    let plan = parse(&changed).expect("sound");
    assert_eq!((plan.report.dir.as_str(), plan.report.formats), ("out/a/${run.id}", vec![Format::Json, Format::Junit, Format::Markdown]));
    assert_eq!(
        (plan.validity.schedule_lag_p99, plan.validity.dropped, plan.validity.generator_cpu.get()),
        (ms(50), Ratio::new(0.01).unwrap(), 0.85)
    );
    assert_eq!(
        wrong(&(base + "[report]\ndir = \"${uuid}\"\n")),
        ["14 `${uuid}` has a value only during the run, and this is read before it"]
    );
}

#[test]
fn the_seed_is_the_plans_unless_the_command_line_has_another() {
    let text = [HEAD, "seed = 18446744073709551615\n", TARGET, SCENARIO, LOAD].concat();
    assert_eq!(parse(&text).expect("sound").seed, Seed(u64::MAX));
    let plan = parse_with(&text, &LoadOptions { seed_override: Some(4), ..LoadOptions::default() }).expect("sound");
    assert_eq!((plan.seed, plan.faults.seed), (Seed(4), Seed(4)));
    assert_eq!(wrong(&text.replace("plan = 1", "plan = 2")), ["1 this version of brownout reads plans of format 1"]);
}

// === files

#[test]
fn a_missing_plan_and_one_that_is_no_text_are_problems_too() {
    let folder = Folder::new("files", &[("binary.toml", b"plan = 1\n\xff\xfe")]);
    let said = |path: &Path| Plan::load(path, &LoadOptions::default()).expect_err("a problem").to_string();
    assert!(said(Path::new("no-such-plan.toml")).starts_with("error: the plan `no-such-plan.toml`: there is no such file"));
    assert!(said(&folder.0.join("binary.toml")).contains("line 2 is not UTF-8 text"));
    assert!(said(&folder.0).contains("it is a folder, not a file"));
}

#[test]
fn hostile_plans_end_in_problems_and_not_in_a_panic() {
    let many = (0..3_000).map(|n| format!("[[scenario]]\nname = \"s{n}\"\n[[scenario.step]]\nrequest = \"GET /\"\n")).collect::<String>();
    let weights = "[[scenario]]\nname = \"x\"\nweight = -1\n[[scenario.step]]\nrequest = \"GET /\"\n";
    for text in [
        [HEAD, TARGET, LOAD, &many].concat(),
        [HEAD, TARGET, LOAD, weights].concat(),
        "vars = 1\ndata = 2\ntarget = 3\nscenario = 4\nload = 5\ncontract = 6\nfault = 7\nretry = 8\ngate = 9\nvalidity = 10\nreport = 11\nproxy = 12\nplan = []\nname = {}\nseed = -1\n".to_owned(),
        "scenario = [1, {}, []]\n[load]\nstage = [1, {}, [[]]]\n[[fault]]\nsequence = [1, [], {}]\nduring = [1, []]\nmatch = 3\n[[gate]]\nrequire = 1\nwhere = []\n".to_owned(),
        [HEAD, TARGET, SCENARIO, "[[load.stage]]\nname = \"a\"\nfor = \"999999999h\"\nrate = \"1/s -> 1000000/s by 0.0000001/s\"\n"].concat(),
        [HEAD, TARGET, LOAD, SCENARIO, "body = \"", &"${".repeat(10_000), "\"\n"].concat(),
    ] {
        let problems = parse(&text).expect_err("a problem");
        assert!(problems.errors() > 0 && problems.render(true).len() < 200_000);
    }
}

// === the shipped plans

fn shipped_plans() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("plans");
    let mut plans: Vec<_> = std::fs::read_dir(folder).expect("plans").map(|entry| entry.expect("an entry").path()).collect();
    plans.retain(|path| path.extension().is_some_and(|ending| ending == "toml"));
    plans.sort();
    assert!(plans.len() >= 4, "{plans:?}");
    plans
}

#[test]
fn every_shipped_plan_opens_with_the_question_it_answers() {
    for path in shipped_plans() {
        let text = std::fs::read_to_string(&path).expect("a plan");
        let opening: String = text.lines().take_while(|line| line.starts_with('#')).collect();
        assert!(opening.contains('?'), "{} does not open with a question", path.display());
    }
}

#[test]
fn every_shipped_plan_is_sound_and_can_decide_its_gates() {
    let env = |name: &str| (name == "API_TOKEN").then(|| "a-token-of-staging".to_owned());
    for path in shipped_plans() {
        let plan = Plan::load(&path, &LoadOptions { env: &env, ..LoadOptions::default() }).unwrap_or_else(|problems| panic!("{problems}"));
        // How many requests a client of somebody's sends is not to be foretold.
        if !plan.has_load() {
            continue;
        }
        let forecast = plan.forecast();
        for gate in &forecast.gates {
            // What a battery covers depends on the target, and one answer decides it.
            let by_probes = plan.probe.is_some() && gate.require.starts_with("contract.co");
            let outlook = gate.outlook == brownout::plan::forecast::Outlook::Enough;
            assert!(outlook || by_probes, "{}: {}", path.display(), gate.require);
        }
        assert!(forecast.stages.iter().all(|stage| !stage.may_meet_limit), "{}", path.display());
        assert!(forecast.faults.iter().all(|fault| fault.hits >= 5.0), "{}", path.display());
    }
}

#[test]
fn the_quickstart_lasts_twenty_seconds_and_its_forecast_has_a_golden_copy() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("plans/quickstart.toml");
    // Against a server that is not built in, so that the forecast assumes a response time.
    let options = LoadOptions { target_override: Some("http://127.0.0.1:8000".to_owned()), ..LoadOptions::default() };
    let plan = Plan::load(&path, &options).unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(plan.schedule_end(), at(20));
    assert_golden("plans/quickstart.forecast", &plan.forecast().to_string());
}

#[test]
fn the_staging_plan_asks_for_its_token_and_refuses_a_host_it_does_not_know() {
    let path = Path::new("plans/staging.toml");
    let said = Plan::load(path, &LoadOptions::default()).expect_err("no token").to_string();
    assert!(said.contains("the secret `token` is required") && said.contains("`API_TOKEN`") && said.contains("1 problem;"), "{said}");
    let env = |name: &str| match name {
        "API_TOKEN" => Some("a-token-of-staging".to_owned()),
        "BASE_URL" => Some("https://elsewhere.example.org".to_owned()),
        _ => None,
    };
    let said = Plan::load(path, &LoadOptions { env: &env, ..LoadOptions::default() }).expect_err("a host").to_string();
    assert!(said.contains("the host `elsewhere.example.org` is outside `allow_hosts`"), "{said}");
}

#[test]
fn embedded_presets_and_limits_are_read() {
    let path = Path::new("plans/broken-reset.toml");
    let plan = Plan::load(path, &LoadOptions::default()).unwrap_or_else(|problems| panic!("{problems}"));
    assert!(
        matches!(&plan.target.place, Place::Embedded(embedded) if embedded.preset == "broken-reset" && embedded.limits == Limits::Documented)
    );
}

#[test]
fn every_step_of_a_shipped_plan_gets_the_answer_it_expects_from_the_built_in_server() {
    let env = |name: &str| (name == "API_TOKEN").then(|| "user-token".to_owned());
    for path in shipped_plans() {
        let plan = Plan::load(&path, &LoadOptions { env: &env, ..LoadOptions::default() }).unwrap_or_else(|problems| panic!("{problems}"));
        let plan = Arc::new(plan);
        let workload = Workload::new(&plan, "run-1", "127.0.0.1");
        for (index, scenario) in plan.scenarios.iter().enumerate() {
            let served = Served::new(contract::shipped(), &Wish::STRICT);
            for arrival in 0..3 {
                let visit = Visit { arrival, ordinal: arrival, scenario: ScenarioIx::from(index), stage: StageIx(0), at: Offset::START };
                play(&workload, scenario, &visit, &served);
            }
        }
    }
}

/// Plays one session; every answer must be expected, conform, and hold what later steps need.
fn play(workload: &Workload, scenario: &Scenario, visit: &Visit, served: &Served) {
    let mut memory = Memory::default();
    for (index, step) in scenario.steps.iter().enumerate() {
        let request = workload.request(visit, StepIx::from(index), &memory);
        let (method, path) = (step.method.as_str(), request.path.as_str());
        let headers: Vec<(&str, &str)> = request
            .headers
            .iter()
            .filter(|(name, _)| *name != http::header::HOST)
            .map(|(name, value)| (name.as_str(), value.to_str().expect("visible")))
            .collect();
        // A connection each: the server may close the one on which it refused a body.
        let answer = Client::connect(served.target.addr).send(method, path, &headers, &request.body);
        let expected = step.expect.iter().any(|range| (range.first..=range.last).contains(&answer.status));
        assert!(expected, "{}: {method} {path}: {answer:?} {}", step.operation, answer.text());
        assert_eq!(served.violations(method, path, &answer, Profile::Core), [], "{}", step.operation);
        assert!(capture(step, &answer.headers, &answer.body, &mut memory), "{}: {}", step.operation, answer.text());
    }
}
