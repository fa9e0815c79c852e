//! Documents that cannot be imported: a message with a place, soon.

use std::fmt::Write;
use std::time::{Duration, Instant};

use super::{imported, problems};
use crate::support::golden::assert_golden;

/// Bounded whatever the document says; generous, since the machine may be loaded.
const SOON: Duration = Duration::from_secs(60);

/// A document whose only path has these responses.
fn with_responses(responses: &str) -> String {
    format!(r#"{{"openapi":"3.0.0","info":{{"title":"T","version":"1"}},"paths":{{"/a/{{id}}":{{"get":{{"responses":{responses}}}}}}}}}"#)
}

fn with_schema(schema: &str) -> String {
    with_responses(&format!(r#"{{"200":{{}},"404":{{"content":{{"application/json":{{"schema":{schema}}}}}}}}}"#))
}

#[test]
fn bad_documents_are_refused_with_what_is_wrong_and_where() {
    let bomb = (1..9).fold("a0: &a0 [x,x,x,x,x,x,x,x,x,x]\n".to_owned(), |text, n| {
        let uses = vec![format!("*a{}", n - 1); 10].join(",");
        format!("{text}a{n}: &a{n} [{uses}]\n")
    });
    let cases: Vec<(&str, &str, String)> = vec![
        ("an empty file", "spec.json", String::new()),
        ("a page", "spec.json", "<!doctype html><html></html>".to_owned()),
        ("JSON that ends too soon", "spec.json", "{\n  \"openapi\": \"3.0.0\",\n  \"paths\": {".to_owned()),
        ("YAML that is none", "spec.yaml", "openapi: 3.0.0\npaths: {\n  /a: [\n".to_owned()),
        ("a list", "spec.json", "[1]".to_owned()),
        ("no OpenAPI document", "spec.yaml", "name: something else\n".to_owned()),
        ("Swagger 1.2", "spec.json", r#"{"swaggerVersion":"1.2","swagger":"1.2"}"#.to_owned()),
        ("OpenAPI 4", "spec.json", r#"{"openapi":"4.0.0"}"#.to_owned()),
        ("no paths", "spec.json", r#"{"openapi":"3.1.0","webhooks":{}}"#.to_owned()),
        ("paths that are a list", "spec.json", r#"{"openapi":"3.1.0","paths":["/a"]}"#.to_owned()),
        ("paths that are no texts", "spec.yaml", "openapi: 3.0.0\npaths:\n  1: {}\n  true: {}\n  ~: {}\n".to_owned()),
        ("a list as a path", "spec.yaml", "openapi: 3.0.0\npaths:\n  ? [a]\n  : {}\n".to_owned()),
        ("a path that is no object", "spec.json", r#"{"openapi":"3.0.0","paths":{"/a":7,"/b":{"get":[]}}}"#.to_owned()),
        ("statuses that are none", "spec.json", with_responses(r#"{"99":{},"abc":{},"600":{},"404":{},"-1":{}}"#)),
        ("responses that are none", "spec.json", with_responses(r#"{"404":"lost","500":[]}"#)),
        ("a member twice in JSON", "spec.json", "{\"openapi\": \"3.0.0\",\n\"paths\": {\"/a\": {},\n\"/a\": {}}}".to_owned()),
        ("a member twice in YAML", "spec.yaml", "openapi: 3.0.0\npaths:\n  /a:\n    get: {}\n    get: {}\n".to_owned()),
        ("a remote reference", "spec.json", with_schema(r#"{"$ref":"https://example.com/error.json#/Error"}"#)),
        ("another file", "spec.json", with_schema(r#"{"$ref":"errors.json#/Error"}"#)),
        ("a file outside", "spec.json", with_schema(r#"{"$ref":"../../etc/passwd"}"#)),
        ("a reference to itself", "spec.json", with_responses(r##"{"404":{"$ref":"#/paths/~1a~1%7Bid%7D/get/responses/404"}}"##)),
        (
            "references in a circle",
            "spec.json",
            with_responses(
                r##"{"404":{"$ref":"#/paths/~1a~1{id}/get/responses/500"},"500":{"$ref":"#/paths/~1a~1{id}/get/responses/404"}}"##,
            ),
        ),
        ("a reference that is no text", "spec.json", with_schema(r#"{"properties":{"a":{"items":{"$ref":"//x.example/y"}}}}"#)),
        ("a bomb", "bomb.yaml", bomb),
        ("too deep JSON", "deep.json", format!("{{\"openapi\":{}", "[".repeat(100_000))),
        ("too deep YAML", "deep.yaml", format!("openapi: {}", "[".repeat(100_000))),
        ("too deep YAML in blocks", "deep.yaml", "- ".repeat(100_000)),
        ("control characters", "spec.json", with_responses("{\"\\u001b[31m\":{}}")),
    ];
    let mut all = String::new();
    for (what, name, text) in cases {
        let before = Instant::now();
        let said = problems(name, text.as_bytes());
        assert!(before.elapsed() < SOON, "{what}: {:?}", before.elapsed());
        assert!(!said.contains('\u{1b}'), "{what}");
        let _ = writeln!(all, "## {what}\n{said}");
    }
    let _ = writeln!(all, "## not text\n{}", problems("spec.json", b"{\n\"a\": \"\xff\"}"));
    assert_golden("import/bad.txt", &all);
}

#[test]
fn what_is_only_incomplete_is_imported_and_reported() {
    let imported = imported(
        "spec.json",
        with_schema(r##"{"properties":{"a":{"$ref":"#/lost"},"b":{"type":"int"},"c":{"pattern":"(?=x)"}}}"##).as_bytes(),
    );
    let ids: Vec<(&str, usize)> = imported.quality.defects.iter().map(|found| (found.id.as_str(), found.count)).collect();
    assert!(ids.contains(&("unresolved", 1)) && ids.contains(&("uncheckable", 2)), "{ids:?}");
    super::contract(&imported);
}

#[test]
fn schemas_that_refer_to_themselves_end() {
    let text = with_schema(r##"{"$ref":"#/components/schemas/E"}"##);
    let text = text.strip_suffix('}').expect("an object").to_owned()
        + r##","components":{"schemas":{"E":{"type":"object","properties":{"code":{"type":"string"},"causes":{"type":"array","items":{"$ref":"#/components/schemas/E"}}}},
        "F":{"allOf":[{"$ref":"#/components/schemas/F"}]}}}}"##;
    let imported = imported("spec.json", text.as_bytes());
    assert!(imported.toml.contains("\"$ref\": \"#/$defs/E\""), "{}", imported.toml);
    assert!(imported.toml.contains("fields.code = { type = \"string\", role = \"code\" }"), "{}", imported.toml);
    super::contract(&imported);
}

#[test]
fn a_schema_that_consists_of_itself_is_no_contract_that_hangs() {
    let text = with_schema(r##"{"$ref":"#/components/schemas/F"}"##);
    let text = text.strip_suffix('}').expect("an object").to_owned()
        + r##","components":{"schemas":{"F":{"allOf":[{"$ref":"#/components/schemas/G"},{"$ref":"#/components/schemas/G"}]},
        "G":{"oneOf":[{"$ref":"#/components/schemas/F"},{"$ref":"#/components/schemas/F"}]}}}}"##;
    let before = Instant::now();
    let imported = imported("spec.json", text.as_bytes());
    super::contract(&imported);
    assert!(before.elapsed() < SOON);
}

#[test]
fn twenty_megabytes_are_imported_in_bounded_time() {
    let filler = "x".repeat(3_000);
    let mut text = r#"{"openapi":"3.0.3","info":{"title":"Large","version":"1"},"paths":{"#.to_owned();
    for n in 0..6_000 {
        let comma = if n > 0 { "," } else { "" };
        let _ = write!(
            text,
            r##"{comma}"/r{n}/{{id}}":{{"get":{{"description":"{filler}","responses":{{"200":{{"description":"ok"}},
            "404":{{"description":"lost {n}","content":{{"application/json":{{"schema":{{"$ref":"#/components/schemas/E"}}}}}}}},
            "4XX":{{"description":"e","content":{{"application/json":{{"schema":{{"type":"object","properties":{{"code":{{"type":"string"}}}}}}}}}}}},
            "default":{{"description":"e","content":{{"application/json":{{"schema":{{"$ref":"#/components/schemas/E"}}}}}}}}}}}}}}"##
        );
    }
    text += r#"},"components":{"schemas":{"E":{"type":"object","required":["code"],"properties":{"code":{"type":"string"}}}}}}"#;
    assert!(text.len() > 20_000_000, "{} bytes", text.len());
    let before = Instant::now();
    let imported = imported("large.json", text.as_bytes());
    assert!(before.elapsed() < SOON, "{:?}", before.elapsed());
    assert_eq!((imported.quality.operations, imported.quality.error_responses, imported.quality.entries), (6_000, 18_000, 3));
}

#[test]
fn credentials_in_a_reference_are_not_shown() {
    let schema = with_schema(r#"{"$ref":"https://joe:hunter2@example.com/error.json?sig=abc123#/Error"}"#);
    let response = with_responses(r#"{"404":{"$ref":"//joe:hunter2@example.com/error.json?sig=abc123"}}"#);
    let file = with_schema(r#"{"$ref":"error.json?sig=abc123#/Error"}"#);
    for document in [schema, response, file] {
        let said = problems("spec.json", document.as_bytes());
        assert!(said.contains("error.json?…") && !said.contains("hunter2") && !said.contains("abc123"), "{said}");
    }
}

#[test]
fn more_than_a_contract_can_hold_is_refused() {
    let huge = vec![b' '; (64 << 20) + 1];
    assert!(problems("huge.json", &huge).contains("more than 64 MB are not read"));
    let values = format!("[{}1]", "1,".repeat(5_000_000));
    assert!(problems("many.json", values.as_bytes()).contains("more than 4000000 values"));
    let mut paths = String::new();
    for n in 0..10_050 {
        let _ = write!(paths, r#"{}"/p{n}":{{"get":{{"responses":{{}}}}}}"#, if n > 0 { "," } else { "" });
    }
    let said = problems("many.json", format!(r#"{{"openapi":"3.0.0","paths":{{{paths}}}}}"#).as_bytes());
    assert!(said.contains("10,050 operations: a contract has at most 10,000") && said.contains("many.json#/paths\n"), "{said}");
    assert!(said.contains("import it in parts"), "{said}");
}
