//! A builder of HTML into which unescaped text cannot get.
//!
//! Names of tags, attributes and classes are `&'static str`, that is words of our own source; everything else,
//! every text and every attribute's value, is escaped, made visible and cut to a length (see `escape`). There is
//! no way to add a raw string. Elements close themselves: an open one is a [`Tag`] that must be finished.

use std::fmt::Display;

use super::escape;

/// Bytes of one text that are shown.
pub const TEXT_LIMIT: usize = 2048;
/// Bytes of one attribute's value that are kept.
const ATTRIBUTE_LIMIT: usize = 512;

/// A piece of HTML being written.
#[derive(Default)]
pub struct Html {
    out: String,
}

impl Html {
    /// The document's first line, then nothing.
    pub fn document() -> Html {
        Html { out: "<!doctype html>\n".to_owned() }
    }

    /// What was written.
    pub fn into_string(self) -> String {
        self.out
    }

    /// Begins an element; finish it with [`Tag::text`], [`Tag::with`] or [`Tag::leaf`].
    pub fn tag(&mut self, name: &'static str) -> Tag<'_> {
        self.out.push('<');
        self.out.push_str(name);
        Tag { html: self, name }
    }

    /// Adds text.
    pub fn text(&mut self, text: &str) {
        self.text_up_to(text, TEXT_LIMIT);
    }

    /// Adds text, cut at another length.
    pub fn text_up_to(&mut self, text: &str, limit: usize) {
        escape::push_html(&mut self.out, text, limit);
    }

    /// Ends a line of the source, for those who read it.
    pub fn newline(&mut self) {
        self.out.push('\n');
    }

    /// Adds a style sheet; it is our own and has no `<`.
    pub fn style(&mut self, css: &str) {
        assert!(!css.contains('<'), "our own style sheet opens no tag");
        self.out.push_str("<style>");
        self.out.push_str(css);
        self.out.push_str("</style>\n");
    }
}

/// An element whose attributes are being written.
#[must_use = "an element must be finished"]
pub struct Tag<'h> {
    html: &'h mut Html,
    name: &'static str,
}

impl<'h> Tag<'h> {
    /// Adds a class or several.
    pub fn class(self, class: &'static str) -> Tag<'h> {
        if class.is_empty() { self } else { self.attr("class", class) }
    }

    /// Adds an attribute; its value is escaped.
    pub fn attr(self, name: &'static str, value: &str) -> Tag<'h> {
        let out = &mut self.html.out;
        out.push(' ');
        out.push_str(name);
        out.push_str("=\"");
        escape::push_html(out, value, ATTRIBUTE_LIMIT);
        out.push('"');
        self
    }

    /// Adds an attribute that is a number, to a tenth, as drawings need it.
    pub fn at(self, name: &'static str, value: f64) -> Tag<'h> {
        self.attr(name, &tenth(value))
    }

    /// Adds the commands of a path, which only [`super::svg::Path`] makes, at any length.
    pub(super) fn drawing(self, d: &str) -> Tag<'h> {
        assert!(d.bytes().all(|b| b.is_ascii_digit() || b"MLZ,.-".contains(&b)), "a path is made of numbers");
        self.html.out.push_str(" d=\"");
        self.html.out.push_str(d);
        self.html.out.push('"');
        self
    }

    /// Says which value of `report.json` is shown here: a JSON pointer (RFC 6901) and the value itself.
    pub fn fact(self, pointer: &str, value: impl Display) -> Tag<'h> {
        self.attr("data-at", pointer).attr("data-value", &value.to_string())
    }

    /// Finishes the element with text in it.
    pub fn text(self, text: &str) {
        self.with(|html| html.text(text));
    }

    /// Finishes the element with more HTML in it.
    pub fn with(self, inner: impl FnOnce(&mut Html)) {
        self.html.out.push('>');
        inner(self.html);
        self.html.out.push_str("</");
        self.html.out.push_str(self.name);
        self.html.out.push('>');
    }

    /// Finishes an element that has nothing in it.
    pub fn leaf(self) {
        self.html.out.push_str("/>");
    }
}

/// A coordinate: to a tenth, without a needless `.0`, never `NaN`.
pub fn tenth(value: f64) -> String {
    let rounded = if value.is_finite() { (value * 10.0).round() / 10.0 } else { 0.0 };
    // adding zero turns -0 into 0
    format!("{}", rounded + 0.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_and_attributes_are_escaped_and_elements_close_themselves() {
        let mut html = Html::default();
        html.tag("p").class("x").attr("title", "\"><script>").with(|html| {
            html.text("a<b");
            html.tag("br").leaf();
            html.tag("b").fact("/a/b", 1.5).text("&");
        });
        assert_eq!(
            html.into_string(),
            r#"<p class="x" title="&quot;&gt;&lt;script&gt;">a&lt;b<br/><b data-at="/a/b" data-value="1.5">&amp;</b></p>"#
        );
    }

    #[test]
    fn coordinates_are_short_and_always_numbers() {
        assert_eq!([tenth(1.0), tenth(1.26), tenth(-0.01), tenth(f64::NAN)], ["1", "1.3", "0", "0"]);
    }
}
