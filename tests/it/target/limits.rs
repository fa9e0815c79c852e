//! Rate limits: headers and body tell of one state, and who waits as long as told is admitted.

use std::time::{Duration, Instant};

use brownout::plan::Limits;

use crate::support::client::Answer;
use crate::support::contract::shipped;
use crate::support::served::{Served, Wish};

const USER: &str = "user-token";
const CHAT: &str = r#"{"model":"jan-v1-4b","messages":[{"role":"user","content":"hi"}]}"#;

fn limited(limits: Limits) -> Served {
    Served::new(shipped(), &Wish { limits, ..Wish::STRICT })
}

fn shown(answer: &Answer) -> (i64, i64) {
    (answer.number("x-ratelimit-limit"), answer.number("x-ratelimit-remaining"))
}

#[test]
fn a_limit_counts_cost_units_and_says_so_on_every_answer() {
    let mut served = limited(Limits::Documented);
    let answers: Vec<Answer> = (0..6).map(|_| served.ask("POST", "/v1/chat/completions", USER, CHAT)).collect();
    assert_eq!(answers.iter().map(|answer| answer.status).collect::<Vec<_>>(), [200, 200, 200, 200, 200, 429]);
    assert_eq!(answers.iter().map(shown).collect::<Vec<_>>(), [(50, 40), (50, 30), (50, 20), (50, 10), (50, 0), (50, 0)]);
    let refused = &answers[5];
    served.assert_conforms("POST", "/v1/chat/completions", refused);
    let body = refused.json();
    // 10 units at 50 per minute take 12 s; a little of it may have passed.
    let wait = refused.number("retry-after");
    assert!((11..=12).contains(&wait), "{wait}");
    assert_eq!((&body["limit"], &body["remaining"], body["retry_after"].as_i64()), (&50.into(), &0.into(), Some(wait)));
    let reset = refused.number("x-ratelimit-reset");
    assert_eq!(body["reset_at"], jiff::Timestamp::from_second(reset).expect("a time").to_string());
    let date = httpdate::parse_http_date(refused.header("date")).expect("a date");
    let date = date.duration_since(std::time::UNIX_EPOCH).expect("after 1970").as_secs() as i64;
    assert_eq!(reset, date + wait);
    // Neither another route nor another user is touched, and mistakes have the headers, too.
    assert_eq!(shown(&served.ask("GET", "/v1/conversations", USER, "")), (600, 599));
    assert_eq!(shown(&served.ask("POST", "/v1/chat/completions", "other-token", CHAT)), (50, 40));
    assert_eq!(shown(&served.ask("POST", "/v1/chat/completions", "wrong", CHAT)), (50, 50));
    assert_eq!(shown(&served.ask("GET", "/v1/nowhere", USER, "")), (100, 99));
}

#[test]
fn who_waits_as_long_as_told_is_admitted() {
    // 100 per minute, cost 1: a unit comes back every 0.6 s.
    let mut served = limited(Limits::Documented);
    let path = "/v1/admin/switches/maintenance";
    let refused = (0..400).map(|_| served.ask("GET", path, "admin-token", "")).find(|answer| answer.status == 429).expect("a limit");
    let told = Instant::now();
    assert_eq!(refused.number("retry-after"), 1);
    std::thread::sleep(Duration::from_secs(1).saturating_sub(told.elapsed()));
    assert_eq!(served.ask("GET", path, "admin-token", "").status, 200);
}

#[test]
fn limits_can_be_off_or_a_multiple() {
    let mut off = limited(Limits::Off);
    for _ in 0..60 {
        let answer = off.ask("POST", "/v1/conversations/bulk-delete", USER, r#"{"ids":["x"]}"#);
        assert_eq!((answer.status, shown(&answer)), (200, (50, 50)));
        off.assert_conforms("POST", "/v1/conversations/bulk-delete", &answer);
    }
    let mut more = limited(Limits::Factor(2.0));
    let statuses: Vec<u16> = (0..11).map(|_| more.ask("POST", "/v1/chat/completions", USER, CHAT).status).collect();
    assert_eq!(statuses, [[200; 10].as_slice(), &[429]].concat());
}

#[test]
fn an_upload_costs_a_unit_for_every_mebibyte_begun() {
    let mut served = limited(Limits::Documented);
    let upload = |served: &mut Served, size: usize| {
        let headers = [("Authorization", "Bearer user-token"), ("Content-Type", "image/png")];
        served.client.send("POST", "/v1/media/upload", &headers, &vec![b'x'; size])
    };
    assert_eq!(shown(&upload(&mut served, 1)), (50, 49));
    assert_eq!(shown(&upload(&mut served, 1024 * 1024)), (50, 48));
    // One byte more begins another; what is left for uploads of two units is a multiple of two.
    assert_eq!(shown(&upload(&mut served, 1024 * 1024 + 1)), (50, 46));
    assert_eq!(shown(&upload(&mut served, 5 * 1024 * 1024)), (50, 40));
}

#[test]
fn a_quota_that_is_used_up_contradicts_no_header() {
    let mut served = limited(Limits::Off);
    let answer = served.ask("POST", "/v1/responses", USER, r#"{"model":"over-quota","input":"x"}"#);
    assert_eq!((answer.status, answer.number("retry-after"), shown(&answer)), (429, 60, (100, 0)));
    served.assert_conforms("POST", "/v1/responses", &answer);
}
