//! Contracts made of public documents judge answers: those the documents show are fine, those they forbid are not.

use brownout::contract::{Answer, Contract};
use http::HeaderMap;
use serde_json::json;

use super::{contract, document, imported};
use crate::support::contract::Trial;

/// What a contract finds in an answer beside what the document has no say in (Date, caching, no challenge).
fn found(contract: &Contract, path: &str, status: u16, media: &str, body: &str) -> Vec<String> {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", media.parse().expect("a media type"));
    let answer = Answer { status, headers, body: body.as_bytes().to_vec() };
    let found = Trial::new(contract, path, answer).found();
    found.into_iter().filter(|line| ["S0", "B0", "I0"].iter().any(|kind| line.starts_with(kind))).collect()
}

#[test]
fn a_problem_document_of_a_public_api_is_judged() {
    let contract = contract(&imported("galaxy-3.1.yaml", &document("galaxy-3.1.yaml")));
    // The document's own example of a missing planet.
    let shown =
        json!({ "type": "https://example.com/errors/not-found", "title": "Not Found", "status": 404, "detail": "Planet 7 is not known." });
    let judged = |status, body: &serde_json::Value| found(&contract, "/planets/7", status, "application/json", &body.to_string());
    assert_eq!(judged(404, &shown), Vec::<String>::new());
    let mut odd = shown.clone();
    odd["status"] = json!("404");
    assert!(judged(404, &odd).iter().any(|line| line.starts_with("B03 ") && line.contains("$.status")), "{:?}", judged(404, &odd));
    odd["status"] = json!(500);
    assert!(judged(404, &odd).iter().any(|line| line.starts_with("S09 ")), "{:?}", judged(404, &odd));
    assert!(judged(418, &shown).iter().any(|line| line.starts_with("S01 ")), "an undocumented status");
}

#[test]
fn an_error_of_a_language_model_is_judged_by_its_ready_envelope() {
    let contract = contract(&imported("azure-openai-3.0.json", &document("azure-openai-3.0.json")));
    let path = "/openai/deployments/x/chat/completions";
    let shown = json!({ "error": { "code": "content_filter", "message": "The response was filtered", "param": "prompt", "type": "invalid_request_error",
        "inner_error": { "code": "ResponsibleAIPolicyViolation", "content_filter_results": { "hate": { "filtered": true, "severity": "high" } } } } });
    let trial_of = |body: &serde_json::Value| {
        let mut headers = HeaderMap::new();
        headers.insert("content-type", "application/json".parse().expect("a media type"));
        let mut trial = Trial::new(&contract, path, Answer { status: 400, headers, body: body.to_string().into_bytes() });
        trial.method = http::Method::POST;
        trial.found().into_iter().filter(|line| line.starts_with("B03") || line.starts_with("S0")).collect::<Vec<_>>()
    };
    assert_eq!(trial_of(&shown), Vec::<String>::new());
    let mut odd = shown;
    odd["error"]["inner_error"]["content_filter_results"]["hate"]["severity"] = json!("extreme");
    assert!(trial_of(&odd).iter().any(|line| line.starts_with("B03 ")), "{:?}", trial_of(&odd));
}

#[test]
fn a_body_of_which_nothing_is_documented_may_be_anything() {
    let contract = contract(&imported("petstore-2.0.json", &document("petstore-2.0.json")));
    for (media, body) in
        [("application/json", r#"{"code":1}"#), ("text/plain", "Pet not found"), ("application/xml", "<e/>"), ("text/plain", "")]
    {
        assert_eq!(found(&contract, "/v2/pet/7", 404, media, body), Vec::<String>::new(), "{media} {body}");
    }
    assert!(found(&contract, "/v2/pet/7", 409, "text/plain", "no").iter().any(|line| line.starts_with("S01 ")));
}

#[test]
fn codes_headers_and_compositions_are_judged() {
    let contract = contract(&imported("features.yaml", include_bytes!("../../data/openapi/features.yaml")));
    let judged = |path: &str, method: http::Method, status: u16, headers: &[(&'static str, &str)], media: &str, body: serde_json::Value| {
        let mut map = HeaderMap::new();
        map.insert("content-type", media.parse().expect("a media type"));
        for (name, value) in headers {
            map.insert(*name, value.parse().expect("a value"));
        }
        let mut trial = Trial::new(&contract, path, Answer { status, headers: map, body: body.to_string().into_bytes() });
        trial.method = method;
        let relevant = |line: &String| ["S0", "B03", "B04", "H01", "H02", "H04", "R01", "R02"].iter().any(|kind| line.starts_with(kind));
        trial.found().into_iter().filter(relevant).collect::<Vec<String>>()
    };
    let (get, post) = (http::Method::GET, http::Method::POST);
    let json = "application/json";
    let wait = [("retry-after", "7"), ("x-ratelimit-limit", "10"), ("x-ratelimit-remaining", "0")];
    let error = json!({ "code": "BAD", "message": "no", "request_id": null });
    let none = Vec::<String>::new();
    assert_eq!(judged("/v1/things", get.clone(), 429, &wait, json, error.clone()), none);
    let found = judged("/v1/things", get.clone(), 429, &[], json, error.clone());
    assert!(found.iter().any(|line| line.starts_with("R01 ") || line.starts_with("H01 ")), "{found:?}");
    assert_eq!(judged("/v1/things", post.clone(), 409, &[], json, json!({ "code": "TAKEN" })), none);
    let found = judged("/v1/things", post.clone(), 409, &[], json, json!({ "code": "FREE" }));
    assert_eq!(found, ["B03 high $.message: /required"], "no conflict, and no other 4XX");
    let found = judged("/v1/things", get.clone(), 418, &[], json, json!({ "code": "bad", "message": "" }));
    assert_eq!(found.iter().filter(|line| line.starts_with("B03 ")).count(), 2, "pattern and length: {found:?}");
    let found = judged("/v1/things", get.clone(), 418, &[], json, json!({ "code": "BAD", "message": "x", "secret": "s3" }));
    assert!(found.iter().any(|line| line.starts_with("B03 ")), "what may only be sent came back: {found:?}");
    assert_eq!(judged("/v1/things/7", get, 404, &[], json, json!({ "code": "GONE", "message": "was here" })), none);
    let found = judged("/v1/things", post, 422, &[], json, json!({ "code": "BAD", "message": "x", "errors": [] }));
    assert!(found.iter().any(|line| line.starts_with("B03 ")), "an empty list: {found:?}");
}
