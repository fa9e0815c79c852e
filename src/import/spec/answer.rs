//! One documented error answer: its body, its headers, its examples.

use serde_json::Value;

use super::super::defect::{Defect, Kind};
use super::super::library::Spot;
use super::super::{roles, words};
use super::{Reader, Status};

/// Headers of an answer at most.
const MOST_HEADERS: usize = 64;
/// Examples of an answer at most.
const MOST_EXAMPLES: usize = 20;

/// One error of one operation.
#[derive(Debug)]
pub(in super::super) struct Answer {
    pub(in super::super) status: Status,
    pub(in super::super) place: String,
    pub(in super::super) meaning: String,
    pub(in super::super) body: Body,
    pub(in super::super) headers: Vec<HeaderDoc>,
    pub(in super::super) examples: Vec<Example>,
    /// Whether it is a `default` that documents the success, too.
    pub(in super::super) ambiguous: bool,
}

/// Whether one of these is a success or a redirect.
pub(in super::super) fn has_success(statuses: &[Status]) -> bool {
    statuses.iter().any(|status| !status.is_error())
}

/// What is said about the body.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub(in super::super) enum Body {
    /// Nothing.
    Undocumented,
    /// JSON of some schema.
    Json { media: String, schema: Option<usize> },
    /// Something else.
    Other { media: String },
}

/// A header of an answer.
#[derive(Clone, Debug, PartialEq)]
pub(in super::super) struct HeaderDoc {
    pub(in super::super) name: String,
    pub(in super::super) required: bool,
    /// Rewritten; `true` where nothing is said.
    pub(in super::super) schema: Value,
    /// The unit of a time to reset, where the description says it.
    pub(in super::super) unit: Option<&'static str>,
}

/// A body that the document shows.
#[derive(Clone, Debug)]
pub(in super::super) struct Example {
    pub(in super::super) place: String,
    pub(in super::super) value: Value,
}

impl<'l> Reader<'l> {
    pub(super) fn answer(&mut self, status: Status, place: String, response: &Spot<'l>, produces: Option<&[String]>) -> Answer {
        let meaning = words::first_line(response.text("description").or_else(|| response.text("summary")).unwrap_or(""), 160);
        let (body, examples) = match response.member("content") {
            Some(content) => self.content(&content),
            None => self.body_of_2(response, produces),
        };
        let headers = self.headers(response);
        Answer { status, place, meaning, body, headers, examples, ambiguous: false }
    }

    /// 2.0: one schema, and the media types of the operation or the document.
    fn body_of_2(&mut self, response: &Spot<'l>, produces: Option<&[String]>) -> (Body, Vec<Example>) {
        let media = match produces {
            None | Some([]) => "application/json",
            Some(types) => preferred(types.iter().map(String::as_str)).unwrap_or("application/json"),
        };
        let shown = response.member("examples");
        let examples = shown.iter().flat_map(Spot::members).filter(|(media, _)| is_json(media)).take(MOST_EXAMPLES);
        let examples = examples.map(|(_, spot)| self.example(&spot, spot.value)).collect();
        let body = match response.member("schema") {
            None => Body::Undocumented,
            Some(_) if !is_json(media) => Body::Other { media: essence(media) },
            Some(schema) => Body::Json { media: essence(media), schema: Some(self.error_schema(&schema)) },
        };
        (body, examples)
    }

    /// 3.x: a schema for each media type; JSON comes first.
    fn content(&mut self, content: &Spot<'l>) -> (Body, Vec<Example>) {
        let Some(media) = preferred(content.members().map(|(media, _)| media)) else { return (Body::Undocumented, Vec::new()) };
        let Some(spot) = content.member(media) else { return (Body::Undocumented, Vec::new()) };
        if !is_json(media) {
            return (Body::Other { media: essence(media) }, Vec::new());
        }
        let Some(spot) = self.followed(spot) else { return (Body::Json { media: essence(media), schema: None }, Vec::new()) };
        let mut examples: Vec<Example> = spot.member("example").iter().map(|spot| self.example(spot, spot.value)).collect();
        let named = spot.member("examples");
        for (_, spot) in named.iter().flat_map(Spot::members).take(MOST_EXAMPLES) {
            if let Some(value) = self.followed(spot).and_then(|spot| spot.member("value").or_else(|| spot.member("dataValue"))) {
                examples.push(self.example(&value, value.value));
            }
        }
        let schema = spot.member("schema").map(|schema| self.error_schema(&schema));
        (Body::Json { media: essence(media), schema }, examples)
    }

    fn example(&self, spot: &Spot<'l>, value: &Value) -> Example {
        // A JSON text as an example is meant as what it says.
        let value = value.as_str().and_then(|text| serde_json::from_str(text).ok()).unwrap_or_else(|| value.clone());
        Example { place: self.library.shown(spot), value }
    }

    fn headers(&mut self, response: &Spot<'l>) -> Vec<HeaderDoc> {
        let headers = response.member("headers");
        let mut found: Vec<HeaderDoc> = Vec::new();
        for (name, spot) in headers.iter().flat_map(Spot::members).take(MOST_HEADERS) {
            // Content-Type is said elsewhere: OpenAPI ignores it here.
            if name.starts_with("x-") && !spot.is_object() || name.eq_ignore_ascii_case("content-type") {
                continue;
            }
            if name.parse::<http::HeaderName>().is_err() {
                self.defects.push(Defect::new(Kind::Uncheckable, self.library.shown(&spot), "not a header name"));
                continue;
            }
            let Some(header) = self.followed(spot) else { continue };
            let inline = header.value.get("type").is_some();
            let schema = match header.member("schema") {
                Some(schema) => self.rewriter.schema(&schema),
                None if inline => self.rewriter.schema(&header),
                None => Value::Bool(true),
            };
            let schema = super::super::schema::inlined(&schema);
            let required = header.value.get("required") == Some(&Value::Bool(true));
            let inner = header.value.get("schema").and_then(|schema| schema.get("description")).and_then(Value::as_str);
            let unit = roles::reset_unit(&format!("{} {}", header.text("description").unwrap_or(""), inner.unwrap_or("")));
            if !found.iter().any(|known| known.name.eq_ignore_ascii_case(name)) {
                found.push(HeaderDoc { name: name.to_owned(), required, schema, unit });
            }
        }
        found
    }
}

/// The media type that is read: `application/json` before problem+json, before other JSON, before anything.
fn preferred<'m>(types: impl Iterator<Item = &'m str>) -> Option<&'m str> {
    types.min_by_key(|media| match essence(media).as_str() {
        "application/json" if !media.contains('*') => 0,
        "application/problem+json" => 1,
        _ if is_json(media) && !media.contains('*') => 2,
        _ if is_json(media) => 3,
        _ => 4,
    })
}

/// Whether a media type is JSON, or any.
fn is_json(media: &str) -> bool {
    let essence = essence(media);
    essence.ends_with("/json") || essence.ends_with("+json")
}

/// A media type without parameters, lower case; a range that holds JSON is JSON.
fn essence(media: &str) -> String {
    let essence = media.split(';').next().unwrap_or("").trim().to_ascii_lowercase();
    match essence.as_str() {
        "*/*" | "application/*" | "" => "application/json".to_owned(),
        "text/json" => essence,
        _ => essence,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn json_is_preferred_among_media_types() {
        for (types, wanted) in [
            (vec!["text/plain", "application/xml", "application/json; charset=utf-8"], "application/json; charset=utf-8"),
            (vec!["application/problem+json", "application/json"], "application/json"),
            (vec!["application/xml", "application/vnd.x+json"], "application/vnd.x+json"),
            (vec!["*/*", "application/problem+json"], "application/problem+json"),
            (vec!["text/html"], "text/html"),
        ] {
            assert_eq!(preferred(types.into_iter()), Some(wanted));
        }
        assert_eq!(essence("*/*"), "application/json");
        assert!(is_json("Application/Problem+JSON; x=y") && !is_json("text/html"));
    }
}
