//! For each check an answer that keeps it and one that breaks it, to be shown to people.
//!
//! What is decided on one answer has them in `answers.http`, the very answers that the checks are tested with; what takes
//! several answers, or none, is told in words.

/// Answers that keep and break the checks; the file says how to read it.
const ANSWERS: &str = include_str!("answers.http");

/// What keeps a check, and what breaks it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Example {
    /// The request that both are answers to, with the headers that matter; empty where there is none.
    pub request: String,
    pub keeps: String,
    pub breaks: String,
}

/// What takes a whole run, or the document: its id, what keeps it, what breaks it.
const TOLD: [(&str, &str, &str); 20] = [
    (
        "B13",
        r#"every 404 with the code ORDER_NOT_FOUND says "error": "Not Found""#,
        r#"some say "error": "Not Found", others "error": "Order missing""#,
    ),
    ("R10", "X-RateLimit-Remaining: 3, then 2, 1, 0", "X-RateLimit-Remaining: 1, then 7, with the reset still ahead"),
    ("R11", "429 with Retry-After: 2, and after 2 s the same request is answered 200", "after 2 s it is answered 429 again"),
    (
        "R12",
        "429 with Retry-After: 2, and after 1 s the request is refused",
        "429 with Retry-After: 60, and after 1 s the request is answered 200",
    ),
    (
        "R13",
        "the contract says 100 requests in 60 s, and X-RateLimit-Limit is 100",
        "the contract says 100, and X-RateLimit-Limit is 60; or the 61st request is refused",
    ),
    ("I03", r#"two answers, "request_id": "req_1" and "request_id": "req_2""#, r#"two answers with "request_id": "req_1""#),
    (
        "T04",
        r#"two errors 10 s apart, their timestamps 10 s apart"#,
        r#"two errors 10 s apart, both with "timestamp": "2026-11-22T12:00:00Z""#,
    ),
    (
        "X01",
        r#"every error of the service is {"error", "code", "message"}"#,
        r#"some errors are {"error", "code", "message"}, others {"detail": [{"loc", "msg"}]}"#,
    ),
    ("X02", "an unknown id is 404 when idle, and 404 under load", "an unknown id is 404 when idle, and 500 under load"),
    ("X03", "an unknown id is 404 each time", "an unknown id is 404 at first, and 400 the second time, with nothing else going on"),
    (
        "X04",
        "a 502 with Via: 1.1 kong, as the contract describes the gateway",
        "a 502 with an HTML page and no header that anybody could know it by",
    ),
    ("X05", "an error that the fault proxy made up, as the contract has it", "one in which the fault proxy left a required member out"),
    ("X06", "the gate asks for 90 %, and 27 of 28 documented errors were seen", "the gate asks for 90 %, and 12 of 28 were seen"),
    ("Q01", "an example of the document that its own rules pass", "an example without a member that the document requires"),
    ("Q02", "one [[error]] for 404 ORDER_NOT_FOUND", "two [[error]] for 404 ORDER_NOT_FOUND of one service"),
    ("Q03", "WRONG_ORDER with 422", "WRONG_ORDER with 400 and, in the same service, with 422"),
    ("Q04", "fields.code = { required = true }", "an envelope in which nothing is required: `{}` keeps it"),
    ("Q05", "entries for 401, 405, 429 and 500", "no entry for 429"),
    ("Q06", "status = 400 with retry = \"never\"", "status = 400 with retry = \"backoff\""),
    ("Q07", "status = 206 with deviation = \"pages, not ranges\"", "status = 206 as an error, and no word about it"),
];

/// The example of a check; `None` where it has none.
pub fn of(id: &str) -> Option<Example> {
    let told = TOLD.iter().find(|(known, ..)| *known == id);
    let told = told.map(|(_, keeps, breaks)| Example { request: String::new(), keeps: (*keeps).into(), breaks: (*breaks).into() });
    told.or_else(|| of_answers(id))
}

/// The first answer of each kind in a check's section.
fn of_answers(id: &str) -> Option<Example> {
    let mut lines =
        ANSWERS.lines().skip_while(|line| line.strip_prefix("#### ") != Some(id)).skip(1).take_while(|line| !line.starts_with("####"));
    let request: Vec<&str> = lines.by_ref().take_while(|line| !line.is_empty()).filter(|line| !line.starts_with("probe: ")).collect();
    let (mut keeps, mut breaks) = (None, None);
    let mut open: Option<(bool, Vec<&str>)> = None;
    let mut close = |open: Option<(bool, Vec<&str>)>| {
        if let Some((sound, text)) = open {
            let slot = if sound { &mut keeps } else { &mut breaks };
            slot.get_or_insert_with(|| shown(&text));
        }
    };
    for line in lines {
        match (line.starts_with("++++"), line.starts_with("---- ")) {
            (false, false) => {
                if let Some((_, text)) = &mut open {
                    text.push(line);
                }
            }
            (sound, _) => close(open.replace((sound, Vec::new()))),
        }
    }
    close(open);
    Some(Example { request: request.join("\n"), keeps: keeps?, breaks: breaks? })
}

/// An answer without its abbreviations for machines.
fn shown(lines: &[&str]) -> String {
    let words = |line: &&str| match line.split_once(": ") {
        Some(("failure", what)) => Some(format!("no complete answer: {what}")),
        Some(("oracle", both)) => {
            both.split_once(' ').map(|(missing, other)| format!("{missing} where nothing is, {other} where it is another's"))
        }
        Some(("probe", _)) => None,
        _ => Some((*line).to_owned()),
    };
    let lines: Vec<String> = lines.iter().filter(|line| **line != "…").filter_map(words).collect();
    lines.join("\n").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::super::ALL;
    use super::*;

    #[test]
    fn every_check_has_an_example_of_both_kinds() {
        for check in ALL {
            let example = of(check.id).unwrap_or_else(|| panic!("{} has none", check.id));
            assert!(!example.keeps.is_empty() && !example.breaks.is_empty() && example.keeps != example.breaks, "{example:?}");
        }
        assert_eq!(of("Z99"), None);
    }

    #[test]
    fn an_example_is_the_first_of_its_kind() {
        let example = of("L06").expect("it has one");
        assert_eq!(example.request, "GET /v1/orders/o1");
        assert_eq!(example.keeps, "404 where nothing is, 404 where it is another's");
        assert_eq!(example.breaks, "404 where nothing is, 403 where it is another's");
        assert_eq!(of("P08").map(|example| example.breaks), Some("no complete answer: reset".to_owned()));
    }
}
