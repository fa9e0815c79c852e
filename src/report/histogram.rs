//! The histograms of a report, decoded.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::Deserializer;

use super::Report;
use crate::analysis::HistogramFacts;

/// The encoding this version writes and reads.
pub const ENCODING: &str = "hdr-v2-deflate-b64";
/// The scope of the judged stages together.
pub const JUDGED: &str = "judged";

/// What a compressed histogram begins with.
const COOKIE: [u8; 4] = [0x1c, 0x84, 0x93, 0x14];

/// Text longer than this is no histogram of ours (one hour at three digits has 23 552 counters).
const LONGEST: usize = 1 << 20;

/// Decodes one histogram; `None` where it is damaged or of another encoding.
pub fn decode(facts: &HistogramFacts) -> Option<Histogram<u64>> {
    if facts.encoding != ENCODING || facts.data.len() > LONGEST {
        return None;
    }
    let bytes = STANDARD.decode(&facts.data).ok().filter(|bytes| bytes.starts_with(&COOKIE))?;
    Deserializer::new().deserialize(&mut bytes.as_slice()).ok()
}

/// Finds and decodes the histogram of a scope, kind and outcome; `None` where there is none or it is empty.
pub fn find(report: &Report, scope: &str, kind: &str, outcome: &str) -> Option<Histogram<u64>> {
    let facts = report.histograms.iter().find(|facts| facts.scope == scope && facts.kind == kind && facts.outcome == outcome)?;
    decode(facts).filter(|histogram| !histogram.is_empty())
}
