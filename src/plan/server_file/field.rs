//! Rules for the members of a request.

use super::Lowering;
use super::errors::{self, Level};
use crate::contract::Kind;
use crate::contract::server::{FieldRule, TextFormat};
use crate::plan::file::{Table, Value};

const FORMATS: [(&str, TextFormat); 4] =
    [("email", TextFormat::Email), ("date", TextFormat::Date), ("rfc3339", TextFormat::Rfc3339), ("uri", TextFormat::Uri)];

impl Lowering<'_> {
    pub(super) fn fields(&self, table: &Table<'_>, level: &Level<'_>) -> Vec<FieldRule> {
        table.entries().into_iter().filter_map(|(name, value)| self.field(name, value.table()?, level)).collect()
    }

    fn field(&self, name: String, table: Table<'_>, level: &Level<'_>) -> Option<FieldRule> {
        let declared = table.table("errors").map(errors::declared);
        let mut levels: Vec<_> = declared.iter().collect();
        levels.extend(level.levels);
        let errors = declared.as_ref().map_or(*level.outer, |_| self.errors(&levels, level.service));
        let inner = Level { levels: &levels, service: level.service, outer: &errors };
        let rule = FieldRule {
            name,
            kind: table.one_of("type", &Kind::WORDS).unwrap_or(Kind::Any),
            required: table.boolean("required").unwrap_or(false),
            min: table.number("min", f64::MIN..=f64::MAX),
            max: table.number("max", f64::MIN..=f64::MAX),
            min_len: table.whole("min_len", 0..=1_000_000_000),
            max_len: table.whole("max_len", 0..=1_000_000_000),
            max_text: table.whole("max_text", 0..=1_000_000_000),
            one_of: table.list("one_of").iter().filter_map(Value::string).collect(),
            format: table.one_of("format", &FORMATS),
            refers: table.take("refers").and_then(|value| self.resource_named(&value)),
            fields: table.table("fields").map(|fields| self.fields(&fields, &inner)).unwrap_or_default(),
            errors,
        };
        table.finish();
        Some(rule)
    }
}
