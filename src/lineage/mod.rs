//! Which attempts serve the same logical request, judged from the outside.

use http::HeaderName;

use crate::units::Micros;

/// How attempts of one logical request are recognised.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identify {
    /// Headers whose value the author knows to be constant over the attempts of an exchange and different between
    /// exchanges, in order; where there are any, no other header is believed.
    pub headers: Vec<HeaderName>,
    /// Whether requests that look the same, soon after a failure, count as attempts of one exchange.
    pub fingerprint: bool,
    /// How long after a failed attempt its repetition is expected, where nothing else is known.
    pub within: Micros,
}

impl Default for Identify {
    fn default() -> Identify {
        Identify { headers: Vec::new(), fingerprint: true, within: Micros::from_secs(35) }
    }
}
