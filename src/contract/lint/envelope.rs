//! Q04: shapes that every JSON object has.

use std::collections::BTreeMap;

use crate::contract::lint::Lint;
use crate::contract::{Contract, Envelope, Level, Row};

/// One lint for each envelope, or schema of a row's own, that `{}` conforms to.
pub(super) fn lint(contract: &Contract) -> Vec<Lint> {
    let mut loose: BTreeMap<(u32, &str), Vec<&Row>> = BTreeMap::new();
    for row in contract.rows.iter().filter(|row| accepts_anything(&row.envelope)) {
        let own_line = row.envelope.schema.as_ref().map(|schema| schema.source()).filter(|source| source.line > 0);
        let line = own_line.unwrap_or(&row.envelope.source).line;
        loose.entry((line, &row.envelope.name)).or_default().push(row);
    }
    let of_envelope = |((line, name), rows): ((u32, &str), Vec<&Row>)| {
        let what = match rows.as_slice() {
            [only] => format!("{} is", super::name(only)),
            rows => format!("{} errors are", rows.len()),
        };
        let message = format!("the shape `{name}` is kept by `{{}}`: no member is required, and {what} held to it");
        let mut contract_ref = rows[0].source.clone();
        if line > 0 && rows[0].envelope.source.file == contract_ref.file {
            contract_ref.line = line;
        }
        Lint { check: "Q04", message, entry: (rows.len() == 1).then(|| rows[0].key.clone()), contract_ref }
    };
    loose.into_iter().map(of_envelope).collect()
}

/// Whether an empty object would do, however strict the profile.
fn accepts_anything(envelope: &Envelope) -> bool {
    let asks = |level: Level| matches!(level, Level::Must | Level::Expected | Level::Companion);
    let fields = envelope.fields.iter().any(|field| asks(field.level));
    !fields && envelope.schema.as_ref().is_none_or(|schema| schema.accepts(b"{}") == Some(true))
}
