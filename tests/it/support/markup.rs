//! A small reader of tags, strict enough to tell a well-formed page from one that a browser would have to mend.

/// One tag as written: its name, its attributes, and the text that follows it up to the next tag.
#[derive(Debug)]
pub struct Tag {
    pub name: String,
    pub attributes: Vec<(String, String)>,
    pub text: String,
}

impl Tag {
    /// The value of an attribute, with entities read.
    pub fn attribute(&self, name: &str) -> Option<&str> {
        self.attributes.iter().find(|(own, _)| own == name).map(|(_, value)| value.as_str())
    }
}

/// Reads all opening tags of a page; panics where elements do not nest, an attribute is not quoted or doubled, or a
/// bare `<` or `&` stands in the text.
pub fn tags(page: &str) -> Vec<Tag> {
    let (mut tags, mut open): (Vec<Tag>, Vec<String>) = (Vec::new(), Vec::new());
    let mut rest = page;
    while let Some(at) = rest.find('<') {
        assert_text(&rest[..at]);
        if let Some(last) = tags.last_mut()
            && last.text.is_empty()
        {
            last.text = unescaped(&rest[..at]);
        }
        rest = &rest[at + 1..];
        if let Some(after) = rest.strip_prefix("!doctype html>").or_else(|| rest.strip_prefix("?xml")) {
            rest = after.trim_start_matches(|c| c != '<');
            continue;
        }
        let end = rest.find('>').unwrap_or_else(|| panic!("a tag is not closed: {}", &rest[..rest.len().min(80)]));
        let inside = &rest[..end];
        rest = &rest[end + 1..];
        if let Some(name) = inside.strip_prefix('/') {
            assert_eq!(open.pop().as_deref(), Some(name), "elements nest");
            continue;
        }
        let (inside, leaf) = inside.strip_suffix('/').map_or((inside, false), |inside| (inside, true));
        let (name, attributes) = inside.split_once(' ').unwrap_or((inside, ""));
        assert!(name.bytes().all(|b| b.is_ascii_alphanumeric() || b == b'-' || b == b':'), "a tag's name: {name:?}");
        let tag = Tag { name: name.to_owned(), attributes: read_attributes(attributes), text: String::new() };
        if name == "style" {
            let end = rest.find("</style>").expect("the style sheet ends");
            assert!(!rest[..end].contains('<'));
            rest = &rest[end + "</style>".len()..];
        } else if !leaf {
            open.push(name.to_owned());
        }
        tags.push(tag);
    }
    assert_text(rest);
    assert!(open.is_empty(), "never closed: {open:?}");
    tags
}

fn read_attributes(mut text: &str) -> Vec<(String, String)> {
    let mut attributes: Vec<(String, String)> = Vec::new();
    while !text.trim().is_empty() {
        let (name, rest) = text.trim_start().split_once("=\"").unwrap_or_else(|| panic!("an attribute without quotes: {text}"));
        let (value, rest) = rest.split_once('"').expect("a quoted value ends");
        assert!(name.bytes().all(|b| b.is_ascii_alphanumeric() || b"-:_".contains(&b)), "an attribute's name: {name:?}");
        assert!(attributes.iter().all(|(own, _)| own != name), "{name} is given twice");
        assert_text(value);
        attributes.push((name.to_owned(), unescaped(value)));
        text = rest;
    }
    attributes
}

/// Text holds no bare `&`.
fn assert_text(text: &str) {
    for (at, _) in text.match_indices('&') {
        let entity = text[at + 1..].split_once(';').map(|(entity, _)| entity).unwrap_or_default();
        let known = ["amp", "lt", "gt", "quot", "apos"].contains(&entity) || entity.starts_with('#');
        assert!(known, "a bare &: {}", &text[at..text.len().min(at + 20)]);
    }
}

fn unescaped(text: &str) -> String {
    text.replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", "\"").replace("&#39;", "'").replace("&amp;", "&")
}
