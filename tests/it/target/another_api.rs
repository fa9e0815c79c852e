//! The engine knows no product: a contract of another API, with other words and another shape, is served by the same code.

use brownout::plan::Limits;
use serde_json::json;

use crate::support::contract::read;
use crate::support::golden::assert_golden;
use crate::support::served::{Served, Wish};

const TICKETS: &str = include_str!("../../golden/target/tickets.toml");

fn tickets(preset: &str, limits: Limits) -> Served {
    let contract = read("tickets.toml", TICKETS).unwrap_or_else(|problems| panic!("{problems}"));
    Served::new(contract, &Wish { preset, limits, latency: true })
}

#[test]
fn tickets_are_sold_by_the_same_engine() {
    let mut served = tickets("strict", Limits::Off);
    let key = [("x-api-key", "box-office")];
    let sold = served.client.send("POST", "/shows/hamlet/tickets", &key, br#"{"seat":"A1","price":30.5}"#);
    assert_eq!((sold.status, sold.header("x-shop")), (200, "the globe"));
    let number = sold.json()["number"].as_str().expect("a number").to_owned();
    assert_eq!(sold.json(), json!({ "number": number, "seat": "A1", "show": "Hamlet", "price": 30.5 }));
    let path = format!("/shows/hamlet/tickets/{number}");
    for (method, path, key, body, status, kind) in [
        ("POST", "/shows/hamlet/tickets", "box-office", r#"{"seat":"A1","price":30}"#, 409, "seat_taken"),
        ("POST", "/shows/hamlet/tickets", "box-office", r#"{"seat":"A2","price":-1}"#, 400, "bad_ticket"),
        ("POST", "/shows/hamlet/tickets", "box-office", "nonsense", 400, "bad_ticket"),
        ("POST", "/shows/hamlet/tickets", "", r#"{"seat":"A2","price":30}"#, 401, "no_key"),
        ("POST", "/shows/macbeth/tickets", "box-office", r#"{"seat":"A2","price":30}"#, 410, "cancelled"),
        ("POST", "/shows/faust/tickets", "box-office", r#"{"seat":"A2","price":30}"#, 404, "no_such_thing"),
        ("GET", "/shows/macbeth/tickets/x", "box-office", "", 404, "no_such_thing"),
        ("PUT", "/shows/hamlet/tickets", "box-office", "", 405, "wrong_method"),
        ("GET", "/nowhere", "box-office", "", 404, "no_such_thing"),
    ] {
        let answer = served.client.send(method, path, &[("x-api-key", key)], body.as_bytes());
        assert_eq!((answer.status, answer.json()["problem"]["kind"].as_str()), (status, Some(kind)), "{method} {path}: {}", answer.text());
        served.assert_conforms(method, path, &answer);
    }
    assert_eq!(served.client.send("PUT", "/shows/hamlet/tickets", &key, b"").header("allow"), "POST, GET");
    assert_eq!(served.client.send("GET", &path, &key, b"").status, 200);
    assert_eq!(served.client.send("GET", "/shows/hamlet/tickets", &key, b"").json()[0]["seat"], "A1", "a list has no wrapping here");
    assert_eq!(served.client.send("DELETE", &path, &key, b"").status, 204);
}

#[test]
fn its_limits_and_presets_are_its_own() {
    let mut served = tickets("shy", Limits::Documented);
    let key = [("x-api-key", "box-office")];
    let answers: Vec<_> = (0..3).map(|_| served.client.send("GET", "/shows/hamlet/tickets", &key, b"")).collect();
    assert_eq!(answers.iter().map(|answer| answer.status).collect::<Vec<_>>(), [200, 200, 429]);
    assert_eq!((answers[2].header("x-shop"), answers[2].header("retry-after")), ("", "30"));
    assert_eq!(served.client.send("GET", "/nowhere", &key, b"").header("x-shop"), "");
}

#[test]
fn every_problem_in_a_server_is_told_at_its_place() {
    let problems = read("wrong.toml", include_str!("../../golden/target/wrong.toml")).expect_err("it is wrong");
    assert_golden("target/wrong.txt", &problems);
}
