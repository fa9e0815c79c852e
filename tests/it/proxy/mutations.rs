//! Negative controls: every answer that is wrong by name is found by the checks that its name stands for, and by no other.

use std::collections::BTreeMap;

use brownout::fault::mutation::{ALL, Mutation};

use crate::support::shell::Folder;

/// The documented error that a mutation is made of: its name, and a request that belongs to its service.
fn made_of(mutation: &Mutation) -> (&'static str, &'static str) {
    let of = |check: &str| mutation.expects.contains(&check);
    let limited = mutation.name.contains("retry") || mutation.name.contains("re") && mutation.expects.iter().any(|id| id.starts_with('R'));
    match mutation.name {
        "missing-www-authenticate" | "malformed-www-authenticate" => ("INVALID_TOKEN", "GET /v1/conversations"),
        "code-of-another-service" => ("CONVERSATION_NOT_FOUND", "GET /v1/conversations/none"),
        "gateway-html-page" => ("GENERATION_FAILED", "POST /v1/responses"),
        "body-after-head" => ("RESOURCE_NOT_FOUND", "HEAD /v1/conversations"),
        "drop-limit"
        | "drop-remaining"
        | "drop-reset"
        | "malformed-limit"
        | "two-vocabularies"
        | "cacheable-error"
        | "rate-limit-from-cache"
        | "limit-vs-body" => ("RATE_LIMIT_EXCEEDED", "GET /v1/conversations"),
        _ if limited => ("RATE_LIMIT_EXCEEDED", "GET /v1/conversations"),
        _ if of("I01") || of("I02") || of("I04") || of("T01") || of("T02") => ("INTERNAL_ERROR", "GET /v1/conversations"),
        _ => ("RESOURCE_NOT_FOUND", "GET /v1/conversations"),
    }
}

/// A plan with a scenario and a fault for each of these, told apart by nothing but the scenario's name.
fn plan(faults: &[(String, &str, &str, String)], seconds: u32) -> String {
    let mut text = format!(
        r#"
plan = 1
name = "negative controls"
seed = 11

[target]
embedded = {{ preset = "strict", limits = "off" }}
headers  = {{ Authorization = "Bearer user-token" }}

[contract]
file    = "jan-server.toml"
profile = "strict"

[validity]
schedule_lag_p99 = "30s"
generator_cpu    = "100%"

[[load.stage]]
name = "all"
for  = "{seconds}s"
rate = "200/s"

[[gate]]
require = "contract.violations(info) == 0"

[[scenario]]
name   = "the target's own"
weight = 5
  [[scenario.step]]
  request = "GET /v1/models/catalogs"

[report]
formats = ["json", "html"]
"#
    );
    for (name, request, error, extra) in faults {
        let (method, _) = request.split_once(' ').expect("a method");
        let body = if method == "POST" { "json = {}" } else { "" };
        let stream = if name.contains("stream") { "stream = { sse = { done = \"[DONE]\", max_gap = \"5s\" } }" } else { "" };
        let wait = if *error == "RATE_LIMIT_EXCEEDED" { "retry_after = \"5s\"," } else { "" };
        text.push_str(&format!(
            r#"
[[scenario]]
name = "{name}"
  [[scenario.step]]
  request = "{request}"
  expect  = {{ status = ["2xx", "3xx", "4xx", "5xx"] }}
  {body}
  {stream}

[[fault]]
name    = "{name}"
match   = {{ scenario = ["{name}"] }}
respond = {{ error = "{error}", {wait} {extra} }}
"#
        ));
    }
    text
}

#[test]
fn every_mutation_is_found_by_its_checks_and_by_no_other() {
    let faults: Vec<_> = ALL
        .iter()
        .map(|mutation| {
            let (error, request) = made_of(mutation);
            (mutation.name.to_owned(), request, error, format!("mutation = \"{}\"", mutation.name))
        })
        .collect();
    let folder = Folder::with_plan(&plan(&faults, 5));
    // A gate on violations of any kind holds: what is found of an answer of our own is not the target's.
    folder.run().ended().exits(0);
    let report = folder.report();
    assert!(report.findings.iter().all(|finding| finding.responder == "injector"), "{:#?}", report.findings);
    let mut wrong = Vec::new();
    for (fault, mutation) in report.faults.iter().zip(ALL) {
        let shown = &fault.mutations[0];
        assert_eq!((shown.name.as_str(), shown.expects.len()), (mutation.name, mutation.expects.len()));
        assert_eq!(fault.fidelity_findings, 0, "{}: the answer that was made wrong was right before", fault.name);
        let all = fault.fired > 0 && shown.seen == if mutation.expects.is_empty() { 0 } else { fault.fired };
        if !all || !shown.others.is_empty() {
            let (name, fired, seen, others) = (&fault.name, fault.fired, shown.seen, &shown.others);
            wrong.push(format!("{name}: {} in {seen} of {fired}, beside {others:?}", mutation.expects.join(" and ")));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    let unfound = |warning: &&String| warning.contains("was not found by");
    assert_eq!(report.data_quality.warnings.iter().find(unfound), None);
}

#[test]
fn nothing_is_found_of_the_same_answers_as_they_should_be() {
    let mut errors: BTreeMap<&str, &str> = ALL.iter().map(made_of).collect();
    errors.insert("RESOURCE_NOT_FOUND", "GET /v1/conversations");
    let faults: Vec<_> = errors.iter().map(|(error, request)| ((*error).to_owned(), *request, *error, String::new())).collect();
    let folder = Folder::with_plan(&plan(&faults, 2));
    folder.run().ended().exits(0);
    let report = folder.report();
    assert!(report.faults.iter().all(|fault| fault.fired > 0 && fault.mutations.is_empty()));
    let loud = report.findings.iter().find(|finding| finding.severity.word() != "info");
    assert_eq!(loud, None);
}
