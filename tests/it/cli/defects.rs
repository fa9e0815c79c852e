//! Defects that only a stream or a whole run shows: each is in the report under the check it is named after, and alone.

use std::collections::BTreeSet;

use crate::support::shell::Folder;

fn plan(preset: &str) -> String {
    format!(
        r#"
plan = 1
name = "one defect"
seed = 3

[target]
embedded = {{ preset = "{preset}", limits = "off" }}
headers  = {{ Authorization = "Bearer user-token" }}

[[scenario]]
name = "mistakes"

  [[scenario.step]]
  request = "POST /v1/conversations"
  json    = {{ title = "" }}
  expect  = {{ status = [400] }}

  [[scenario.step]]
  request = "GET /v1/conversations/none"
  expect  = {{ status = [404] }}

  [[scenario.step]]
  request = "POST /v1/responses"
  json    = {{ model = "fail-generation", input = "x" }}
  expect  = {{ status = [500] }}

[[scenario]]
name = "stream"

  [[scenario.step]]
  request = "POST /v1/chat/completions"
  json    = {{ model = "jan-v1-4b", stream = true, messages = [{{ role = "user", content = "x" }}] }}
  stream  = {{ sse = {{ done = "[DONE]", max_gap = "5s" }} }}

[load]

  [[load.stage]]
  name = "steady"
  for  = "1s"
  rate = "12/s"

[contract]
file    = "jan-server.toml"
profile = "core"

[validity]
schedule_lag_p99 = "10s"
generator_cpu    = "100%"

[report]
formats = ["json"]
"#
    )
}

/// The checks of everything above info that a run of this preset found.
fn found(preset: &str) -> BTreeSet<String> {
    let folder = Folder::with_plan(&plan(preset));
    folder.run().ended().exits(0);
    let findings = folder.report().findings;
    findings.into_iter().filter(|finding| finding.severity.word() != "info").map(|finding| finding.check).collect()
}

#[test]
fn what_only_a_stream_or_a_whole_run_shows_is_in_the_report() {
    for (preset, check) in
        [("request-id-duplicate", "I03"), ("envelope-drift", "X01"), ("error-in-stream", "S12"), ("stream-unterminated", "P09")]
    {
        assert_eq!(found(preset), BTreeSet::from([check.to_owned()]), "{preset}");
    }
    assert_eq!(found("strict"), BTreeSet::new());
}
