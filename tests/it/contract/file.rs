//! Contract files are read, and every problem in one is shown at its place.

use crate::support::contract::read;
use crate::support::golden::assert_golden;

/// A name that says what is wrong, and a contract with that mistake, or several.
const BROKEN: &[(&str, &str)] = &[
    (
        "unknown keys, services, envelopes and words",
        r#"
nmae = "x"
unknown_fields = "maybe"
[service.api]
match = { pth = "/v1/**" }
[service.other]
match = { path = ["/v2/**", "v3"] }
[envelope.base.fields]
code = { type = "strin", requird = true }
id = { pattern = "(", equals = "retry_after", near_date = 5 }
inner = { fields = { a = {} } }
[envelope.more]
extends = "bsae"
headers."no header" = {}
[[error]]
service = "apii"
status = 429
code = "A"
envelope = "mor"
retry = "after-headr"
provoke = { magic = 1 }
[[error]]
status = 200
code = "B"
meening = "x"
"#,
    ),
    (
        "a row twice, and a specification",
        r#"
name = "x"
[import]
openapi = ["a.json"]
[[error]]
status = 404
code = "A"
[[error]]
status = 404
code = "A"
[[error]]
status = 404
code = "A"
operation = "POST /v1"
[error.example]
file = "a.http"
"#,
    ),
    (
        "statuses, codes, operations and ways to provoke",
        r#"
name = "x"
[[error]]
status = "6xx"
operation = "get /v1"
[[error]]
status = "404"
code = "*"
[[error]]
status = 4.5
code = ""
excluded = " "
deviation = ""
[[error]]
status = "defualt"
operation = "/v1"
provoke = { fault = "a", hook = "b" }
[[error]]
status = 404
provoke = { hook = "" }
[[error]]
status = "4xx"
provoke = {}
example.body = "{}"
[[error]]
status = "5xx"
provoke = "hok"
example = { status = 404, body = "{}" }
[[operation]]
request = "GET v1"
statuses = [200, "3yx", 99]
[[operation]]
service = "nobody"
"#,
    ),
    (
        "services, hosts and gateways",
        r#"
name = "x"
[service."a/b"]
match = {}
[service.empty]
match = { path = [], host = ["https://example.com", "*.ok.example"] }
[service.gate]
gateway = true
match = { path = "/**" }
[service.kong]
gateway = true
when = { header = "V i a", matches = "(" }
envelope = "kong"
[service.plain]
when = { heder = "Via" }
"#,
    ),
    (
        "schemas",
        r##"
name = "x"
[envelope.a]
extends = "rfc9475"
schema = '''
{
  "type": "object",,
}
'''
[envelope.b]
schema = "https://example.com/error.json"
[envelope.c]
schema = "no/such/file.json"
[envelope.d]
schema = 4
[[error]]
status = 404
schema = "no/such/file.json"
"##,
    ),
    (
        "waivers and streams",
        r#"
name = "x"
[stream]
must_not_match = ["ok", "("]
must_match = "x"
[[waiver]]
check = "H0"
[[waiver]]
check = "www-authenticate"
entry = "401"
finding = "the second"
reason = " "
expires = "soon"
[[waiver]]
check = "H04"
reason = "API-123"
expires = 2026-02-28T00:00:00Z
[[waiver]]
check = "H04"
entry = "*/*/401/*"
reason = "API-123"
expires = "2026-02-30"
until = "x"
"#,
    ),
    (
        "rules that nothing can keep",
        r#"
name = "x"
[envelope.a.fields]
count = { type = "integer", min = 9, max = 1 }
text = { min_len = 9, max_len = 1 }
word = { one_of = [] }
id = { pattern = "^req_", example = "id_1" }
age = { type = "integer", min = 18, example = 3 }
kind = { one_of = ["a", "b"], example = "c" }
[envelope.a.headers]
Retry-After = { type = "integer", max = 60, example = "61" }
[envelope.b]
extends = "a"
fields.text = { min_len = 0, max_len = 5 }
fields.count = { max = 20, example = 3 }
"#,
    ),
    ("no TOML", "name = \n[[error]\n"),
    ("nothing at all", ""),
];

#[test]
fn every_problem_of_a_contract_is_shown_at_its_place() {
    let mut all = String::new();
    for (what, text) in BROKEN {
        let problems = read("contract.toml", text).err().unwrap_or_else(|| panic!("{what} was read"));
        all.push_str(&format!("──── {what}\n{problems}\n"));
    }
    assert_golden("contract/problems.txt", &all);
}

#[test]
fn a_contract_without_envelopes_or_rows_is_one() {
    let contract = read("c.toml", "name = \"x\"\n").unwrap_or_else(|problems| panic!("{problems}"));
    assert_eq!(
        (contract.envelopes.len(), contract.rows.len(), contract.unknown_fields),
        (1, 0, brownout::contract::UnknownFields::Allowed)
    );
}

#[test]
fn a_refinement_changes_only_what_it_names() {
    let text = r#"
name = "x"
[envelope.base.fields]
code  = { required = true, pattern = "^[A-Z]+$" }
extra = { type = "integer", min = 1, expected_for = ["B", "5xx"] }
[envelope.limited]
extends = "base"
content_type = "application/problem+json"
headers.Retry-After = { role = "retry-after" }
[[error]]
status = 429
code = "A"
envelope = "limited"
headers.Retry-After = { required = true }
[[error]]
status = 400
code = "B"
envelope = "base"
[[error]]
status = 503
code = "C"
fields.extra = { max = 9 }
"#;
    let contract = read("c.toml", text).unwrap_or_else(|problems| panic!("{problems}"));
    let shown: Vec<String> = contract
        .rows
        .iter()
        .map(|row| {
            let fields: Vec<String> = row
                .envelope
                .fields
                .iter()
                .map(|f| format!("{} {:?} {:?}..{:?} line {}", f.name, f.level, f.rule.min, f.rule.max, f.source.line))
                .collect();
            let headers: Vec<String> =
                row.envelope.headers.iter().map(|h| format!("{} {:?} {:?} line {}", h.shown, h.level, h.role, h.source.line)).collect();
            format!("{} {} | {} | {}", row.code, row.envelope.content_type, fields.join(", "), headers.join(", "))
        })
        .collect();
    assert_eq!(
        shown,
        [
            "A application/problem+json | code Must None..None line 4, extra Optional Some(1.0)..None line 5 | Retry-After Must Some(RetryAfter) line 14",
            "B application/json | code Must None..None line 4, extra Expected Some(1.0)..None line 5 | ",
            "C application/json | code Must None..None line 4, extra Expected Some(1.0)..Some(9.0) line 22 | ",
        ]
    );
}
