//! The colours of a report, light and dark, by what they mean.
//!
//! Charts carry the light colour in presentation attributes, since some places show a report without its style
//! sheet; the style sheet overrides them by class in the dark. Both are written from this one table, and a test
//! holds it to WCAG 2.2 (1.4.3: text 4.5:1; 1.4.11: graphics 3:1).

/// What a colour means.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ink {
    /// Text and the offered load.
    Text,
    /// Labels and what matters less.
    Muted,
    /// Grid lines: decoration.
    Grid,
    /// Borders and stage lines: decoration.
    Line,
    /// The measured load, the median, links.
    Accent,
    /// Passed, conforming, answered well.
    Ok,
    /// Areas and bars of error answers.
    Warn,
    /// Text that warns.
    WarnText,
    /// Failed; the 99th percentile.
    Fail,
    /// What we injected.
    Band,
    /// Behind everything.
    Paper,
    /// Behind tiles and code.
    Surface,
}

impl Ink {
    /// All of them, in the order of the style sheet.
    pub const ALL: [Ink; 12] = [
        Ink::Text,
        Ink::Muted,
        Ink::Grid,
        Ink::Line,
        Ink::Accent,
        Ink::Ok,
        Ink::Warn,
        Ink::WarnText,
        Ink::Fail,
        Ink::Band,
        Ink::Paper,
        Ink::Surface,
    ];

    /// Its name in classes (`f-ok` fills, `s-ok` strokes) and variables (`--ok`).
    pub const fn name(self) -> &'static str {
        match self {
            Ink::Text => "ink",
            Ink::Muted => "muted",
            Ink::Grid => "grid",
            Ink::Line => "line",
            Ink::Accent => "accent",
            Ink::Ok => "ok",
            Ink::Warn => "warn",
            Ink::WarnText => "warn-text",
            Ink::Fail => "fail",
            Ink::Band => "band",
            Ink::Paper => "paper",
            Ink::Surface => "surface",
        }
    }

    /// The colour on white.
    pub const fn light(self) -> &'static str {
        match self {
            Ink::Text => "#1c2024",
            Ink::Muted => "#5b5f67",
            Ink::Grid => "#e6e9ee",
            Ink::Line => "#d5d9e0",
            Ink::Accent => "#2463c5",
            Ink::Ok => "#18773f",
            Ink::Warn => "#c27c00",
            Ink::WarnText => "#875300",
            Ink::Fail => "#c02f38",
            Ink::Band => "#5b3fb0",
            Ink::Paper => "#ffffff",
            Ink::Surface => "#f6f7f9",
        }
    }

    /// The colour in the dark.
    pub const fn dark(self) -> &'static str {
        match self {
            Ink::Text => "#e8eaed",
            Ink::Muted => "#9aa3ad",
            Ink::Grid => "#262c34",
            Ink::Line => "#353d47",
            Ink::Accent => "#6aa6ff",
            Ink::Ok => "#4cc38a",
            Ink::Warn => "#d99a2b",
            Ink::WarnText => "#e0a33a",
            Ink::Fail => "#ff7b80",
            Ink::Band => "#b9a5ff",
            Ink::Paper => "#111418",
            Ink::Surface => "#191d23",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Relative luminance (WCAG 2.2).
    fn luminance(colour: &str) -> f64 {
        let channel = |at: usize| {
            let value = f64::from(u8::from_str_radix(&colour[at..at + 2], 16).unwrap()) / 255.0;
            if value <= 0.04045 { value / 12.92 } else { ((value + 0.055) / 1.055).powf(2.4) }
        };
        0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5)
    }

    fn contrast(a: &str, b: &str) -> f64 {
        let (a, b) = (luminance(a), luminance(b));
        (a.max(b) + 0.05) / (a.min(b) + 0.05)
    }

    #[test]
    fn text_and_graphics_stand_out_enough_in_both_themes() {
        let text = [Ink::Text, Ink::Muted, Ink::Accent, Ink::Ok, Ink::WarnText, Ink::Fail, Ink::Band];
        for ink in text {
            for behind in [Ink::Paper, Ink::Surface] {
                assert!(contrast(ink.light(), behind.light()) >= 4.5, "{ink:?} on {behind:?}, light");
                assert!(contrast(ink.dark(), behind.dark()) >= 4.5, "{ink:?} on {behind:?}, dark");
            }
        }
        assert!(contrast(Ink::Warn.light(), Ink::Paper.light()) >= 3.0);
        assert!(contrast(Ink::Warn.dark(), Ink::Paper.dark()) >= 3.0);
    }
}
