//! Everything that a document can say about errors, in the words of contract files.

use super::{contract, imported};
use crate::support::golden::assert_golden;

const WHOLE: &str = include_str!("../../data/openapi/features.yaml");

#[test]
fn every_feature_becomes_the_words_of_a_contract() {
    let imported = imported("features.yaml", WHOLE.as_bytes());
    contract(&imported);
    assert_golden("import/features.yaml.toml", &imported.toml);
    assert_golden("import/features.yaml.txt", &imported.quality.text());
}

#[test]
fn the_old_version_says_the_same_as_the_new() {
    let old = r##"{"swagger":"2.0","info":{"title":"T","version":"1"},"basePath":"/v1","produces":["application/json"],"paths":{"/a/{id}":{"get":{
        "responses":{"200":{"description":"ok"},"404":{"$ref":"#/responses/Lost"}}}}},
        "responses":{"Lost":{"description":"Lost","schema":{"$ref":"#/definitions/E"},"headers":{"X-Request-Id":{"type":"string","pattern":"^r"}}}},
        "definitions":{"E":{"type":"object","required":["code"],"properties":{"code":{"type":"string","enum":["LOST"]}}}}}"##;
    let new = r##"{"openapi":"3.1.0","info":{"title":"T","version":"1"},"servers":[{"url":"https://x.example/v1"}],"paths":{"/a/{id}":{"get":{
        "responses":{"200":{"description":"ok"},"404":{"$ref":"#/components/responses/Lost"}}}}},
        "components":{"responses":{"Lost":{"description":"Lost","content":{"application/json":{"schema":{"$ref":"#/components/schemas/E"}}},
        "headers":{"X-Request-Id":{"schema":{"type":"string","pattern":"^r"}}}}},
        "schemas":{"E":{"type":"object","required":["code"],"properties":{"code":{"const":"LOST","type":"string"}}}}}}"##;
    let lines = |text: &str| -> Vec<String> {
        let toml = imported("spec.json", text.as_bytes()).toml;
        toml.lines().filter(|line| !line.starts_with('#')).map(str::to_owned).collect()
    };
    assert_eq!(lines(old), lines(new));
}

#[test]
fn a_large_api_that_answers_alike_becomes_a_short_contract() {
    let mut paths = serde_json::Map::new();
    for n in 0..300 {
        let error = serde_json::json!({ "$ref": "#/components/responses/E" });
        let operation = serde_json::json!({ "responses": { "200": { "description": "" }, "400": error, "404": error, "500": error } });
        paths.insert(format!("/things{n}/{{id}}"), serde_json::json!({ "get": operation, "delete": operation }));
    }
    paths["/things7/{id}"]["get"]["responses"]["404"] = serde_json::json!({ "description": "odd", "content": { "text/plain": {} } });
    let spec = serde_json::json!({ "openapi": "3.0.0", "info": { "title": "T", "version": "1" }, "paths": paths, "components": {
        "responses": { "E": { "description": "E", "content": { "application/json": { "schema": { "type": "object", "required": ["code"],
            "properties": { "code": { "type": "string" } } } } } } } } });
    let imported = imported("spec.json", spec.to_string().as_bytes());
    let contract = contract(&imported);
    let keys: Vec<&str> = contract.rows.iter().map(|row| row.key.as_str()).collect();
    assert_eq!(keys, ["t/*/400/*", "t/*/404/*", "t/GET /things7/{id}/404/*", "t/*/500/*"]);
    assert_eq!(contract.operations.len(), 600);
}

#[test]
fn codes_through_all_of_are_the_same_codes() {
    let spec = r##"{"openapi":"3.0.0","info":{"title":"T","version":"1"},"paths":{"/a/{id}":{"get":{"responses":{"200":{},
        "404":{"content":{"application/json":{"schema":{"allOf":[{"$ref":"#/components/schemas/E"},{"properties":{"id":{"type":"string"}}}]}}}},
        "409":{"content":{"application/json":{"schema":{"$ref":"#/components/schemas/E"}}}},
        "422":{"content":{"application/json":{"schema":{"allOf":[{"$ref":"#/components/schemas/E"},
            {"properties":{"code":{"type":"string","enum":["B"]}}}]}}}}}}}},
        "components":{"schemas":{"E":{"type":"object","required":["code"],"properties":{"code":{"type":"string","enum":["A","B","C"]}}}}}}"##;
    let keys =
        |text: &str| -> Vec<String> { contract(&imported("spec.json", text.as_bytes())).rows.iter().map(|row| row.key.clone()).collect() };
    // All codes of the API may come at 404 and at 409; at 422 one of them.
    assert_eq!(keys(spec), ["t/*/404/*", "t/*/409/*", "t/*/422/B"]);
}
