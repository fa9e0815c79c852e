//! Text from outside, made harmless: what may not act is shown, what is too long is cut and says so.
//!
//! Everything a target, a plan or a contract wrote can be hostile: control bytes that move a terminal's cursor,
//! overrides that reverse the reading direction, a megabyte where a name was expected. Renderers never copy such
//! text; they pass it through one of these functions (`markup::Html` does so for every text and attribute).

use super::number;

/// For the terminal and other plain text: one line, visible, at most about `limit` bytes.
pub fn line(text: &str, limit: usize) -> String {
    let mut out = String::new();
    clipped(&mut out, text, limit, |out, c| match c {
        '\n' | '\t' => out.push(' '),
        c => push_visible(out, c),
    });
    out
}

/// For plain text of several lines: visible, at most about `limit` bytes.
pub fn lines(text: &str, limit: usize) -> String {
    let mut out = String::new();
    clipped(&mut out, text, limit, push_visible);
    out
}

/// Appends text for HTML, also for quoted attributes: visible, escaped, at most about `limit` bytes as written.
pub fn push_html(out: &mut String, text: &str, limit: usize) {
    clipped(out, text, limit, |out, c| match c {
        '&' => out.push_str("&amp;"),
        '<' => out.push_str("&lt;"),
        '>' => out.push_str("&gt;"),
        '"' => out.push_str("&quot;"),
        '\'' => out.push_str("&#39;"),
        c => push_visible(out, c),
    });
}

/// Text for Markdown that cannot begin or end any of its marks, link, mention anyone or open a tag; one line.
pub fn markdown(text: &str, limit: usize) -> String {
    let mut out = String::new();
    let mut before = ' ';
    clipped(&mut out, text, limit, |out, c| {
        match c {
            '\n' | '\t' => out.push(' '),
            // inside a word an underscore is only itself (`RATE_LIMIT_EXCEEDED`)
            '_' if before.is_alphanumeric() => out.push('_'),
            '&' | '<' | '>' | '"' | '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '!' | '$' => {
                out.push_str(&format!("&#{};", u32::from(c)));
            }
            // mentions and issue numbers are looked for in the finished page: a zero-width space parts them
            '@' | '#' => out.push_str(&format!("&#{};&#8203;", u32::from(c))),
            // no automatic links: `http://…`, `www.…`
            '/' if before == ':' => out.push_str("&#47;"),
            '.' if before.eq_ignore_ascii_case(&'w') => out.push_str("&#46;"),
            c => push_visible(out, c),
        }
        before = c;
    });
    out
}

/// Appends characters as `put` writes them until `limit` bytes are reached, then how much is missing.
fn clipped(out: &mut String, text: &str, limit: usize, mut put: impl FnMut(&mut String, char)) {
    let start = out.len();
    let mut chars = text.char_indices().peekable();
    while let Some((at, c)) = chars.next() {
        if c == '\r' && chars.peek().is_some_and(|&(_, next)| next == '\n') {
            continue;
        }
        let before = out.len();
        put(out, c);
        if out.len() - start > limit {
            out.truncate(before);
            let more = (text.len() - at) as u64;
            out.push_str(&format!("… {} more {}", number::count(more), if more == 1 { "byte" } else { "bytes" }));
            return;
        }
    }
}

/// A character as itself where it is harmless; a control as its picture, anything that hides or reorders by its number.
fn push_visible(out: &mut String, c: char) {
    match c {
        '\n' | '\t' => out.push(c),
        '\0'..='\u{1f}' => out.push(char::from_u32(0x2400 + u32::from(c)).unwrap_or('\u{fffd}')),
        '\u{7f}' => out.push('\u{2421}'),
        c if hides(c) => out.push_str(&format!("⟨U+{:04X}⟩", u32::from(c))),
        c => out.push(c),
    }
}

/// Whether a character is invisible or changes how its neighbours are read.
///
/// Source: Unicode Technical Report 36 §3.2 (bidirectional overrides), UTS 39 §5 (invisible characters).
fn hides(c: char) -> bool {
    matches!(c,
        '\u{80}'..='\u{9f}' | '\u{ad}' | '\u{61c}' | '\u{115f}' | '\u{1160}' | '\u{180e}'
        | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{3164}'
        | '\u{fe00}'..='\u{fe0f}' | '\u{feff}' | '\u{fff0}'..='\u{fffb}' | '\u{e000}'..='\u{f8ff}'
        | '\u{e0000}'..='\u{e0fff}' | '\u{f0000}'..='\u{10ffff}')
        || u32::from(c) & 0xfffe == 0xfffe
}

#[cfg(test)]
mod tests {
    use super::*;

    fn html(text: &str) -> String {
        let mut out = String::new();
        push_html(&mut out, text, 2048);
        out
    }

    #[test]
    fn nothing_of_a_tag_or_an_attribute_survives() {
        assert_eq!(
            html("</script><img src=x onerror='a(\"&\")'>"),
            "&lt;/script&gt;&lt;img src=x onerror=&#39;a(&quot;&amp;&quot;)&#39;&gt;"
        );
    }

    #[test]
    fn controls_overrides_and_invisible_characters_are_shown() {
        assert_eq!(html("a\0b\u{1b}[31mc\u{7f}"), "a␀b␛[31mc␡");
        assert_eq!(html("x\u{202e}gpj.exe\u{2066}\u{feff}\u{9b}"), "x⟨U+202E⟩gpj.exe⟨U+2066⟩⟨U+FEFF⟩⟨U+009B⟩");
        assert_eq!(html("a\r\nb\rc\td"), "a\nb␍c\td");
        assert_eq!(html("naïve 東京 🙂"), "naïve 東京 🙂");
    }

    #[test]
    fn what_is_too_long_is_cut_and_says_how_much_is_missing() {
        let long = "x".repeat(1_000_000);
        assert_eq!(number::plain(&line(&long, 10)), "xxxxxxxxxx… 999 990 more bytes");
        assert_eq!(line("xxxxxxxxxxé", 10), "xxxxxxxxxx… 2 more bytes");
        assert_eq!(line("xxxxxxxxxxx", 10), "xxxxxxxxxx… 1 more byte");
        assert_eq!(line("xxxxxxxxxx", 10), "xxxxxxxxxx");
        let mut out = String::new();
        push_html(&mut out, &"<".repeat(100), 10);
        assert_eq!(out, "&lt;&lt;… 98 more bytes", "the limit counts what is written");
    }

    #[test]
    fn markdown_marks_mentions_and_links_are_only_text() {
        assert_eq!(
            markdown("a|b `c`\n<i> @all #1 **x**", 500),
            "a&#124;b &#96;c&#96; &#60;i&#62; &#64;&#8203;all &#35;&#8203;1 &#42;&#42;x&#42;&#42;"
        );
        assert_eq!(markdown("http://e www.e", 500), "http:&#47;/e www&#46;e");
        assert_eq!(markdown("RATE_LIMIT_EXCEEDED _x_", 500), "RATE_LIMIT_EXCEEDED &#95;x_");
    }
}
