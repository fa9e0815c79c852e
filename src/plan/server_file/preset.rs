//! Presets: changes to answers that were in order.

use super::{Lowering, header_name};
use crate::contract::server::{AnswerPart, Change, Edit, Encoding, Framing, Preset, STRICT};
use crate::plan::file::{Table, Value};
use crate::plan::problem::Problem;
use crate::wire::PathPattern;

const PARTS: [(&str, &AnswerPart); 4] =
    [("status", &AnswerPart::Status), ("body", &AnswerPart::Body), ("stream", &AnswerPart::Stream), ("framing", &AnswerPart::Framing)];
const ENCODINGS: [(&str, Encoding); 2] = [("latin-1", Encoding::Latin1), ("utf-16", Encoding::Utf16)];
const FRAMINGS: [(&str, Framing); 3] = [("content", Framing::Content), ("short", Framing::Short), ("long", Framing::Long)];

/// What may be done to which part: shown where something else is asked for.
const HELP: &str = "a header or member can be changed by shift, remove, set and repeat; the status by set; the body by set, remove, cut and \
encode; a stream by remove and set; the framing by frame: for example { header = \"Retry-After\", remove = true }";

impl Lowering<'_> {
    /// Every preset of `[server]`.
    pub(super) fn presets(&self, table: &Table<'_>) -> Vec<Preset> {
        let entries = table.table("preset").map(|presets| presets.entries()).unwrap_or_default();
        entries.into_iter().filter_map(|(name, value)| self.preset(name, &value)).collect()
    }

    fn preset(&self, name: String, value: &Value<'_>) -> Option<Preset> {
        let table = value.table()?;
        if name == STRICT {
            return value.refuse("`strict` is the server as described and changes nothing", "choose another name");
        }
        let preset = Preset {
            name,
            about: table.string("about").unwrap_or_default(),
            changes: table.tables("changes").into_iter().filter_map(|change| self.change(change)).collect(),
        };
        table.finish();
        Some(preset)
    }

    fn change(&self, table: Table<'_>) -> Option<Change> {
        let header = table.take("header").and_then(|value| header_name(&value)).map(AnswerPart::Header);
        let member = table.string("member").map(|path| AnswerPart::Member(path.split('.').map(str::to_owned).collect()));
        let parts: Vec<AnswerPart> = [header, member, table.one_of("part", &PARTS).cloned()].into_iter().flatten().collect();
        let shape = |key: &'static str| table.take(key).and_then(|value| self.json_shape(&value));
        let edits = [
            table.whole("shift", -1_000_000_000_000..=1_000_000_000_000i64).map(Edit::Shift),
            table.boolean("remove").filter(|remove| *remove).map(|_| Edit::Remove),
            shape("set").map(Edit::Set),
            shape("repeat").map(Edit::Repeat),
            table.whole("cut", 1..=1_000_000usize).map(Edit::Cut),
            table.one_of("encode", &ENCODINGS).map(Edit::Encode),
            table.one_of("frame", &FRAMINGS).map(Edit::Frame),
        ];
        let mut edits: Vec<Edit> = edits.into_iter().flatten().collect();
        let statuses = table.list("statuses").iter().filter_map(|status| status.whole(100..=599u16)).collect();
        let on = table.list("on").iter().filter_map(path).collect();
        let every = table.whole("every", 1..=1_000_000u64).unwrap_or(1);
        let fit = matches!((parts.as_slice(), edits.as_slice()), ([part], [edit]) if may(part, edit));
        if !fit {
            table.problems().add(Problem::at(table.place(), "a change is one part of the answer, and one thing done to it").help(HELP));
        }
        table.finish();
        fit.then(|| Change { part: parts.into_iter().next().unwrap_or(AnswerPart::Body), edit: edits.remove(0), statuses, on, every })
    }
}

const fn may(part: &AnswerPart, edit: &Edit) -> bool {
    match part {
        AnswerPart::Status => matches!(edit, Edit::Set(_)),
        AnswerPart::Header(_) | AnswerPart::Member(_) => matches!(edit, Edit::Shift(_) | Edit::Remove | Edit::Set(_) | Edit::Repeat(_)),
        AnswerPart::Body => matches!(edit, Edit::Set(_) | Edit::Remove | Edit::Cut(_) | Edit::Encode(_)),
        AnswerPart::Stream => matches!(edit, Edit::Remove | Edit::Set(_)),
        AnswerPart::Framing => matches!(edit, Edit::Frame(_)),
    }
}

fn path(value: &Value<'_>) -> Option<PathPattern> {
    match PathPattern::new(&value.string()?) {
        Ok(pattern) => Some(pattern),
        Err(said) => value.refuse(said, "a path pattern is `/v1/**` or `/v1/*/items`"),
    }
}
