//! Error shapes that many APIs share, recognised by their members: RFC 9457, the OpenAI envelope, Google's AIP-193.

use super::fields::Field;

/// The ready envelope that an error of this type with these members is one of.
pub(super) fn recognised(media: &str, outline: &[Field]) -> Option<&'static str> {
    let typed = |fields: &[Field], name: &str, kinds: &[&str]| {
        fields.iter().any(|field| field.name == name && (field.kind == "any" || kinds.contains(&field.kind)))
    };
    let texts = ["type", "title", "detail", "instance"].into_iter().filter(|name| typed(outline, name, &["string"])).count();
    let problem = texts + usize::from(typed(outline, "status", &["integer", "number"]));
    if media == "application/problem+json" || problem >= 4 {
        return Some("rfc9457");
    }
    let inner = &outline.iter().find(|field| field.name == "error" && field.kind == "object")?.fields;
    let all = |wanted: &[(&str, &[&str])]| wanted.iter().all(|(name, kinds)| typed(inner, name, kinds));
    if all(&[("code", &["integer", "number"]), ("message", &["string"]), ("status", &["string"])]) {
        return Some("google-aip-193");
    }
    all(&[("message", &["string"]), ("type", &["string"]), ("param", &["string"]), ("code", &["string"])]).then_some("openai")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn object(names: &[(&str, &'static str)]) -> Vec<Field> {
        names.iter().map(|(name, kind)| Field::new(name, kind)).collect()
    }

    fn wrapped(names: &[(&str, &'static str)]) -> Vec<Field> {
        vec![Field { fields: object(names), ..Field::new("error", "object") }]
    }

    #[test]
    fn known_shapes_are_recognised_and_others_are_not() {
        let json = "application/json";
        let problem = [("type", "string"), ("title", "string"), ("status", "integer"), ("detail", "string")];
        assert_eq!(recognised(json, &object(&problem)), Some("rfc9457"));
        assert_eq!(recognised("application/problem+json", &[]), Some("rfc9457"));
        assert_eq!(recognised(json, &object(&problem[..3])), None);
        let openai = [("message", "string"), ("type", "string"), ("param", "any"), ("code", "string")];
        assert_eq!(recognised(json, &wrapped(&openai)), Some("openai"));
        let google = [("code", "integer"), ("message", "string"), ("status", "string")];
        assert_eq!(recognised(json, &wrapped(&google)), Some("google-aip-193"));
        assert_eq!(recognised(json, &wrapped(&google[..2])), None);
        assert_eq!(recognised(json, &object(&google)), None, "not in `error`");
    }
}
