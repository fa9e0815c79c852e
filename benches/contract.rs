//! What judging one answer costs, beside a general validator: `serde_json::Value` and the `jsonschema` crate.
//!
//! ```text
//! cargo bench --bench contract                 # a table: ns and allocations per answer
//! cargo bench --bench contract -- only 429 2000000    # one kind of answer, so many times: for perf and callgrind
//! cargo bench --bench contract -- noted 429 2000000   # the same, each noted in the book of a run as well
//! cargo bench --bench contract -- million      # a million violating answers: findings, and memory at each tenth
//! ```
//!
//! Both judges are compiled before, and judge the same bytes. brownout looks at status, headers, dates, limits and leaks as
//! well, which no schema knows; the other judge reads the body alone, with formats asserted.

use std::borrow::Cow;
use std::hint::black_box;
use std::io::Write as _;
use std::sync::Arc;
use std::time::{Duration, Instant};

use brownout::contract::findings::{Place, Sighting};
use brownout::contract::ledger::Ledger;
use brownout::contract::{Circumstances, Contract, Judged, Profile, Terms};
use brownout::id::{ScenarioIx, StageIx, StepIx};
use brownout::plan::contract_file;
use brownout::plan::problem::Problems;
use brownout::plan::source::SourceText;
use brownout::secret::Secrets;
use brownout::severity::Severity;
use brownout::units::{Micros, Offset};
use brownout::wire::{RequestFacts, ResponseFacts};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use serde_json::json;

/// The schemas of the shipped contract's statuses, restated as JSON Schema 2020-12.
const SCHEMAS: &str = include_str!("data/schemas.json");
/// 2026-11-22T12:00:00Z.
const NOW_US: i64 = 1_795_348_800_000_000;
/// How long each measurement lasts; the best of several is shown.
const SLICE: Duration = Duration::from_millis(200);
const SLICES: usize = 7;

fn main() {
    // `cargo bench` adds `--bench`.
    let words: Vec<String> = std::env::args().skip(1).filter(|word| word != "--bench").collect();
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let bench = Bench::new();
    match words.as_slice() {
        [] => bench.table(),
        ["only", name, times] => bench.only(name, times.parse().expect("a number")),
        ["noted", name, times] => bench.noted(name, times.parse().expect("a number")),
        ["million"] => bench.million(1_000_000),
        ["million", times] => bench.million(times.parse().expect("a number")),
        _ => say("usage: [only NAME TIMES | noted NAME TIMES | million [TIMES]] (see benches/README.md)\n"),
    }
}

fn say(text: &str) {
    std::io::stdout().write_all(text.as_bytes()).expect("somewhere to write");
}

struct Bench {
    contract: Contract,
    terms: Terms,
    request_headers: HeaderMap,
    samples: Vec<Sample>,
}

/// One kind of answer.
struct Sample {
    name: &'static str,
    path: &'static str,
    status: u16,
    headers: HeaderMap,
    body: Vec<u8>,
    schema: jsonschema::Validator,
    conforms: bool,
}

impl Bench {
    fn new() -> Bench {
        let name = contract_file::shipped_name();
        let source = SourceText::new(name, contract_file::shipped(name).expect("it is compiled in"));
        let contract = contract_file::lower(&source, &Problems::new()).expect("a contract");
        let mut secrets = Secrets::default();
        secrets.declare("token", "sk-Zx81kQw0bn3RtPu7LmVe92YcAd54");
        secrets.declare("admin", "sk-Zq00kQw0bn3RtPu7LmVe92YcAd54");
        let mut request_headers = HeaderMap::new();
        request_headers.insert("authorization", HeaderValue::from_static("Bearer sk-Zx81kQw0bn3RtPu7LmVe92YcAd54"));
        let samples = samples(&contract);
        let terms = Terms { profile: Profile::Strict, undocumented: Severity::High, secrets: Arc::new(secrets) };
        Bench { contract, terms, request_headers, samples }
    }

    fn judge<T>(&self, sample: &Sample, then: impl FnOnce(&RequestFacts<'_>, &ResponseFacts<'_>, &Judged<'_>) -> T) -> T {
        let request = RequestFacts { method: &Method::POST, path: sample.path, query: None, headers: &self.request_headers, body: b"{}" };
        let response = ResponseFacts {
            status: sample.status,
            headers: &sample.headers,
            body: &sample.body,
            body_complete: true,
            body_bytes: sample.body.len() as u64,
            received_at_unix_us: NOW_US + 30_000,
            round_trip: Micros::from_millis(4),
        };
        let judged = self.contract.check(&self.terms, &request, &response);
        then(&request, &response, &judged)
    }

    fn ours(&self, sample: &Sample) -> bool {
        self.judge(sample, |_, _, judged| judged.violations.is_empty())
    }

    fn table(&self) {
        let load = std::fs::read_to_string("/proc/loadavg").unwrap_or_default();
        say(&format!("# ns per answer, the best of {SLICES} slices of {} ms; load average {load}", SLICE.as_millis()));
        say(&format!(
            "{:<16} {:>6} {:>8} {:>10} {:>12} {:>10} {:>12} {:>12}\n",
            "answer", "bytes", "headers", "brownout", "allocations", "and noted", "serde+schema", "allocations"
        ));
        for sample in &self.samples {
            assert_eq!(
                self.ours(sample),
                sample.conforms,
                "{}: {}",
                sample.name,
                self.judge(sample, |_, _, judged| format!("{:?}", judged.violations))
            );
            assert_eq!(theirs(sample), sample.conforms || sample.name == "429, reset off", "{}", sample.name);
            let allocations = |judge: &dyn Fn()| {
                judge();
                allocation_counter::measure(judge).count_total
            };
            let mut book = Book::new(self);
            say(&format!(
                "{:<16} {:>6} {:>8} {:>10.0} {:>12} {:>10.0} {:>12.0} {:>12}\n",
                sample.name,
                sample.body.len(),
                sample.headers.len(),
                nanoseconds(|| self.ours(sample)),
                allocations(&|| _ = black_box(self.ours(sample))),
                nanoseconds(|| book.note(self, sample)),
                nanoseconds(|| theirs(sample)),
                allocations(&|| _ = black_box(theirs(sample))),
            ));
        }
    }

    fn only(&self, name: &str, times: u64) {
        let sample = self.samples.iter().find(|sample| sample.name == name).expect("a sample of this name");
        for _ in 0..times {
            black_box(self.ours(black_box(sample)));
        }
    }

    fn noted(&self, name: &str, times: u64) {
        let sample = self.samples.iter().find(|sample| sample.name == name).expect("a sample of this name");
        let mut book = Book::new(self);
        for _ in 0..times {
            black_box(book.note(self, black_box(sample)));
        }
    }

    /// Every answer is wrong, and differs from all others in its ids and numbers.
    fn million(&self, times: u64) {
        let mut ledger = Ledger::new(&self.contract, "http://127.0.0.1:1", Arc::clone(&self.terms.secrets));
        let begun = Instant::now();
        let noted = |ledger: &mut Ledger, from: u64, to: u64| {
            for n in from..to {
                let sample = &self.samples[n as usize % self.samples.len()];
                let changed = spoiled(sample, n);
                self.judge(&changed, |request, response, judged| {
                    ledger.note(&self.contract, &under_load(Offset::micros(n), request, response, judged));
                });
            }
        };
        for tenth in 0..10 {
            let (from, to) = (times * tenth / 10, times * (tenth + 1) / 10);
            let memory = allocation_counter::measure(|| noted(&mut ledger, from, to));
            say(&format!(
                "{to:>9} answers: {:>4} findings, {:>+10} bytes kept in this tenth\n",
                ledger.findings.count(Severity::Info),
                memory.bytes_current
            ));
        }
        say(&format!("{:.2} µs per answer, noted and all\n", begun.elapsed().as_secs_f64() * 1e6 / times as f64));
    }
}

/// The book of a run in which one kind of answer comes 5000 times a second, each with an id of its own.
struct Book {
    ledger: Ledger,
    answers: u64,
}

impl Book {
    fn new(bench: &Bench) -> Book {
        Book { ledger: Ledger::new(&bench.contract, "http://127.0.0.1:1", Arc::clone(&bench.terms.secrets)), answers: 0 }
    }

    fn note(&mut self, bench: &Bench, sample: &Sample) -> bool {
        self.answers += 1;
        // Letters `a` to `p`, four bits each.
        let id: [u8; 8] = std::array::from_fn(|at| b'a' + (self.answers >> (4 * at)) as u8 % 16);
        bench.judge(sample, |request, response, judged| {
            let id = str::from_utf8(&id).expect("letters");
            let judged = Judged { request_id: judged.request_id.as_ref().map(|_| Cow::Borrowed(id)), ..judged.clone() };
            let at = Offset::micros(self.answers * 200);
            self.ledger.note(&bench.contract, &under_load(at, request, response, &judged)).is_none()
        })
    }
}

fn under_load<'a>(at: Offset, request: &'a RequestFacts<'a>, response: &'a ResponseFacts<'a>, judged: &'a Judged<'a>) -> Sighting<'a> {
    let place = Place::Load { stage: StageIx::from(0), scenario: ScenarioIx::from(0), step: StepIx::from(0) };
    Sighting { at, place, open_faults: &[], injected: None, request, response: Some(response), judged }
}

fn theirs(sample: &Sample) -> bool {
    let Ok(value) = serde_json::from_slice::<serde_json::Value>(&sample.body) else { return false };
    sample.schema.is_valid(&value)
}

/// The best of several slices: what else the machine does can only add to it.
fn nanoseconds(mut judge: impl FnMut() -> bool) -> f64 {
    let mut slice = || {
        let (begun, mut times) = (Instant::now(), 0u32);
        while begun.elapsed() < SLICE {
            for _ in 0..500 {
                black_box(judge());
            }
            times += 500;
        }
        begun.elapsed().as_secs_f64() * 1e9 / f64::from(times)
    };
    (0..SLICES).map(|_| slice()).fold(f64::INFINITY, f64::min)
}

fn samples(contract: &Contract) -> Vec<Sample> {
    let schemas: serde_json::Value = serde_json::from_str(SCHEMAS).expect("JSON");
    let sample = |name,
                  row: &str,
                  path,
                  status: u16,
                  circumstances: &Circumstances<'_>,
                  conforms,
                  change: &dyn Fn(&mut serde_json::Value, &mut HeaderMap)| {
        let row = contract.row_named(row, None).expect("a row");
        let answer = contract.compose(row, circumstances);
        let mut body = serde_json::from_slice(&answer.body).expect("JSON");
        let mut headers = answer.headers;
        change(&mut body, &mut headers);
        let body = serde_json::to_vec(&body).expect("JSON");
        for (name, value) in [
            ("server", "gateway".to_owned()),
            ("connection", "keep-alive".to_owned()),
            ("cache-control", "no-store".to_owned()),
            ("vary", "origin, accept-encoding".to_owned()),
            ("x-content-type-options", "nosniff".to_owned()),
            ("via", "1.1 gateway".to_owned()),
            ("content-length", body.len().to_string()),
        ] {
            headers.insert(HeaderName::from_static(name), HeaderValue::try_from(value).expect("a value"));
        }
        let schema = jsonschema::options().should_validate_formats(true).build(&schemas[format!("error_{status}")]).expect("a schema");
        Sample { name, path, status, headers, body, schema, conforms }
    };
    let message = "the field `temperature` must be a number between 0 and 2, and not a text: see the reference of the API";
    let now = Circumstances { now_unix_us: NOW_US, unique: 7, message: Some(message), ..Circumstances::default() };
    let limited = Circumstances { retry_after_s: Some(30), ..now.clone() };
    let path = "/v1/chat/completions";
    let as_it_is = |_: &mut serde_json::Value, _: &mut HeaderMap| {};
    vec![
        sample("400", "INVALID_REQUEST", path, 400, &now, true, &|body, _| {
            body["details"] = json!({ "field": "temperature", "issue": "must be a number between 0 and 2" });
        }),
        sample("404", "CONVERSATION_NOT_FOUND", "/v1/conversations/conv_0123456789abcdef", 404, &now, true, &as_it_is),
        sample("429", "RATE_LIMIT_EXCEEDED", path, 429, &limited, true, &as_it_is),
        sample("429, reset off", "RATE_LIMIT_EXCEEDED", path, 429, &limited, false, &|_, headers| {
            headers.insert("x-ratelimit-reset", HeaderValue::from_static("1795352430"));
        }),
        sample("400, incomplete", "INVALID_REQUEST", path, 400, &now, false, &|body, _| {
            body.as_object_mut().expect("an object").remove("message");
        }),
    ]
}

/// The same answer with a mistake or two, and with numbers and ids that no other one has.
fn spoiled(sample: &Sample, n: u64) -> Sample {
    let mut body: serde_json::Value = serde_json::from_slice(&sample.body).expect("JSON");
    let id = n.wrapping_mul(0x9e37_79b9_7f4a_7c15);
    body["request_id"] = json!(format!("req_{id:016x}"));
    match n % 7 {
        0 => body["code"] = json!(format!("MADE_UP_{n}")),
        1 => {
            body["message"] = json!(format!(
                "row {n}: at com.example.A{n}.run(A{n}.java:{})\n at com.example.B.run(B.java:1)\n at c.D.e(D.java:2)",
                n % 90
            ))
        }
        2 => body["message"] = json!(format!("cannot open /srv/app/tenants/{n}/settings-{id:x}.json")),
        3 => body["details"] = json!(id),
        4 => body["error"] = json!(format!("Failure {n}")),
        5 => drop(body.as_object_mut().expect("an object").remove("message")),
        _ => body["code"] = json!(format!("{id:016X}")),
    }
    let body = serde_json::to_vec(&body).expect("JSON");
    let mut headers = sample.headers.clone();
    headers.insert("content-length", HeaderValue::from(body.len()));
    headers.insert("x-ratelimit-reset", HeaderValue::from(n));
    let schema = jsonschema::validator_for(&json!(true)).expect("a schema");
    Sample { name: sample.name, path: sample.path, status: sample.status, headers, body, schema, conforms: false }
}
