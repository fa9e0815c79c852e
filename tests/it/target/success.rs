//! Whoever asks in order gets data, of the shape that the document shows.

use serde_json::json;

use crate::support::contract::shipped;
use crate::support::served::{Served, Wish};

const USER: &str = "user-token";

#[test]
fn a_conversation_lives_from_its_creation_to_its_end() {
    let mut served = Served::new(shipped(), &Wish::STRICT);
    let made = served.ask("POST", "/v1/conversations", USER, r#"{"title":"One","metadata":{"a":[1,null]},"unknown":1}"#);
    let data = &made.json()["data"];
    assert_eq!((made.status, &made.json()["status"]), (201, &json!(201)));
    assert_eq!((&data["title"], &data["metadata"], &data["unknown"]), (&json!("One"), &json!({ "a": [1, null] }), &json!(null)));
    let id = data["id"].as_str().expect("an id");
    assert!(id.starts_with("conv_") && data["created_at"].as_str().is_some_and(|at| at.ends_with('Z')), "{data}");
    let path = format!("/v1/conversations/{id}");

    assert_eq!(served.ask("GET", &path, USER, "").json()["data"]["title"], "One");
    let changed = served.ask("PATCH", &path, USER, r#"{"title":"Two"}"#);
    assert_eq!(
        (changed.status, &changed.json()["data"]["title"], &changed.json()["data"]["metadata"]),
        (200, &json!("Two"), &json!({ "a": [1, null] }))
    );

    let items = format!("{path}/items");
    let said = served.ask("POST", &items, USER, r#"{"role":"user","content":"Hello"}"#);
    assert_eq!(said.status, 201);
    let message = format!("{items}/{}", said.json()["data"]["id"].as_str().expect("an id"));
    assert_eq!(served.ask("PATCH", &message, USER, r#"{"content":"Bye"}"#).json()["data"]["content"], "Bye");
    let listed = served.ask("GET", &items, USER, "").json();
    assert_eq!((listed["data"].as_array().map(Vec::len), &listed["pagination"]["has_more"]), (Some(1), &json!(false)));

    // A message of one conversation is not found by way of another.
    let other = served.ask("POST", "/v1/conversations", USER, r#"{"title":"Other"}"#).json();
    let stray = message.replace(id, other["data"]["id"].as_str().expect("an id"));
    assert_eq!(served.ask("DELETE", &stray, USER, "").json()["code"], "MESSAGE_NOT_FOUND");

    let gone = served.ask("DELETE", &message, USER, "");
    assert_eq!((gone.status, gone.body.len(), gone.header("content-length")), (204, 0, ""));
    let deleted = served.ask("DELETE", &path, USER, "");
    assert_eq!(deleted.json()["data"], json!({ "id": id, "deleted": true }));
    assert_eq!(served.ask("GET", &path, USER, "").status, 404);
    assert_eq!(served.ask("GET", &items, USER, "").status, 404);
}

#[test]
fn users_see_their_own_and_overseers_see_all() {
    let mut served = Served::new(shipped(), &Wish::STRICT);
    let made = served.ask("POST", "/v1/conversations", USER, r#"{"title":"Same"}"#).json();
    let path = format!("/v1/conversations/{}", made["data"]["id"].as_str().expect("an id"));
    assert_eq!(served.ask("POST", "/v1/conversations", "other-token", r#"{"title":"Same"}"#).status, 201, "titles are each user's own");
    assert_eq!(served.ask("GET", &path, "other-token", "").status, 403);
    assert_eq!(served.ask("GET", &path, "admin-token", "").status, 200);
    let count =
        |served: &mut Served, token: &str| served.ask("GET", "/v1/conversations", token, "").json()["data"].as_array().map(Vec::len);
    assert_eq!(
        (count(&mut served, USER), count(&mut served, "other-token"), count(&mut served, "admin-token")),
        (Some(1), Some(1), Some(0))
    );
}

#[test]
fn long_lists_come_in_pages_and_no_item_is_lost_or_repeated() {
    let mut served = Served::new(shipped(), &Wish::STRICT);
    for n in 0..45 {
        assert_eq!(served.ask("POST", "/v1/conversations", USER, &format!(r#"{{"title":"{n}"}}"#)).status, 201);
    }
    let (mut titles, mut path, mut statuses) = (Vec::new(), "/v1/conversations".to_owned(), Vec::new());
    loop {
        let page = served.ask("GET", &path, USER, "");
        served.assert_conforms("GET", &path, &page);
        statuses.push(page.status);
        let page = page.json();
        titles.extend(page["data"].as_array().expect("a list").iter().map(|item| item["title"].as_str().expect("a title").to_owned()));
        match page["pagination"]["cursor"].as_str() {
            Some(cursor) => path = format!("/v1/conversations?cursor={cursor}&limit=20"),
            None => break,
        }
    }
    assert_eq!(statuses, [206, 206, 200]);
    assert_eq!(titles, (0..45).map(|n| n.to_string()).collect::<Vec<_>>());
    assert_eq!(served.ask("GET", "/v1/conversations?cursor=zzz", USER, "").status, 422);
    assert_eq!(served.ask("GET", "/v1/conversations?cursor=18446744073709551615", USER, "").json()["data"], json!([]));
}

#[test]
fn every_other_route_answers_in_order() {
    let mut served = Served::new(shipped(), &Wish::STRICT);
    let made = served.ask("POST", "/v1/conversations", USER, r#"{"title":"x"}"#).json();
    let id = made["data"]["id"].as_str().expect("an id").to_owned();
    let share = format!("POST /v1/conversations/{id}/share");
    let bulk = format!(r#"{{"ids":["{id}","conv_missing"]}}"#);
    for (request, token, body, status, pointer, expected) in [
        (share.as_str(), USER, "", 201, "/data/conversation_id", json!(id)),
        ("GET /v1/models/catalogs", USER, "", 200, "/data/0/id", json!("jan-v1-4b")),
        ("GET /v1/models/catalogs/jan-v1-30b", USER, "", 200, "/data/context_length", json!(131_072)),
        ("POST /v1/responses", USER, r#"{"model":"jan-v1-4b","input":"x"}"#, 200, "/data/model", json!("jan-v1-4b")),
        ("GET /v1/mcp/tools", USER, "", 200, "/data/2/enabled", json!(false)),
        ("POST /v1/mcp/tools/calculator/execute", USER, r#"{"arguments":{"query":"1+1"}}"#, 200, "/data/arguments/query", json!("1+1")),
        ("GET /v1/users/me", USER, "", 200, "/data/id", json!("user")),
        ("PATCH /v1/users/me", USER, r#"{"age":41,"email":"a@b.example"}"#, 200, "/data/age", json!(41)),
        ("GET /v1/users/me", USER, "", 200, "/data/email", json!("a@b.example")),
        ("GET /v1/users/me", "other-token", "", 200, "/data/age", json!(30)),
        ("PATCH /v1/users/me/settings", USER, r#"{"language":"de"}"#, 200, "/data/language", json!("de")),
        ("GET /v1/admin/mcp/tools", "admin-token", "", 200, "/data/0/id", json!("web-search")),
        ("GET /v1/admin/switches/maintenance", "admin-token", "", 200, "/data/enabled", json!(false)),
        ("DELETE /v1/admin/users/user_123", "admin-token", "", 200, "/data/deleted", json!(true)),
        ("GET /v1/health", "", "", 200, "/data/healthy", json!(true)),
        ("POST /v1/conversations/bulk-delete", USER, bulk.as_str(), 200, "/data/deleted", json!(true)),
    ] {
        let (method, path) = request.split_once(' ').expect("method and path");
        let answer = served.ask(method, path, token, body);
        assert_eq!(answer.status, status, "{request}: {}", answer.text());
        assert_eq!(answer.json().pointer(pointer), Some(&expected), "{request}: {}", answer.text());
        assert_eq!(answer.header("content-type"), "application/json");
        served.assert_conforms(method, path, &answer);
    }
    assert_eq!(served.ask("GET", &format!("/v1/conversations/{id}"), USER, "").status, 404, "deleted in bulk");
}

#[test]
fn a_completion_is_plain_or_a_stream_of_events_that_ends_in_done() {
    let mut served = Served::new(shipped(), &Wish::STRICT);
    let chat = |stream: bool| format!(r#"{{"model":"jan-v1-4b","stream":{stream},"messages":[{{"role":"user","content":"hi"}}]}}"#);
    let plain = served.ask("POST", "/v1/chat/completions", USER, &chat(false)).json();
    let whole = plain["choices"][0]["message"]["content"].as_str().expect("a text").to_owned();

    let answer = served.ask("POST", "/v1/chat/completions", USER, &chat(true));
    assert_eq!((answer.status, answer.header("content-type"), answer.header("transfer-encoding")), (200, "text/event-stream", "chunked"));
    served.assert_conforms("POST", "/v1/chat/completions", &answer);
    let text = answer.text();
    let events: Vec<&str> = text.split_terminator("\n\n").map(|event| event.strip_prefix("data: ").expect("data")).collect();
    let (done, frames) = events.split_last().expect("events");
    assert_eq!(*done, "[DONE]");
    let frames: Vec<serde_json::Value> = frames.iter().map(|frame| serde_json::from_str(frame).expect("JSON")).collect();
    let said: String = frames.iter().filter_map(|frame| frame["choices"][0]["delta"]["content"].as_str()).collect();
    assert_eq!(said, whole);
    assert!(frames.len() > 5 && frames.iter().all(|frame| frame["id"] == frames[0]["id"]));
    assert_eq!(frames.last().expect("frames")["choices"][0]["finish_reason"], "stop");
    // The connection goes on after a stream.
    assert_eq!(served.ask("GET", "/v1/models/catalogs", USER, "").status, 200);
}

#[test]
fn an_upload_is_counted_listed_and_its_room_given_back() {
    let mut served = Served::new(shipped(), &Wish::STRICT);
    let form = "--b\r\nContent-Disposition: form-data; name=\"file\"; filename=\"a.png\"\r\nContent-Type: image/png\r\n\r\n\u{1}\u{2}\r\n--b--\r\n";
    let headers = [("Authorization", "Bearer user-token"), ("Content-Type", "multipart/form-data; boundary=b")];
    let made = served.client.send("POST", "/v1/media/upload", &headers, form.as_bytes());
    let data = made.json()["data"].clone();
    assert_eq!((made.status, &data["media_type"], &data["size"]), (201, &json!("image/png"), &json!(form.len())));
    let path = format!("/v1/media/{}", data["id"].as_str().expect("an id"));
    assert_eq!(served.ask("GET", &path, USER, "").status, 200);
    assert_eq!(served.ask("DELETE", &path, USER, "").status, 204);
    assert_eq!(served.ask("GET", &path, USER, "").json()["code"], "RESOURCE_NOT_FOUND");
}

#[test]
fn the_same_seed_gives_the_same_ids() {
    let ids = || -> Vec<String> {
        let mut served = Served::new(shipped(), &Wish::STRICT);
        let mut make = |n: u32| served.ask("POST", "/v1/conversations", USER, &format!(r#"{{"title":"{n}"}}"#)).json();
        (0..3).map(|n| make(n)["data"]["id"].as_str().expect("an id").to_owned()).collect()
    };
    let first = ids();
    assert_eq!(first, ids());
    assert_eq!(first.iter().collect::<std::collections::HashSet<_>>().len(), 3);
}
