//! What a mistake should be answered with, and which documented errors it may bring about.

use super::Mistake;
use crate::contract::{Contract, Provoke, Row, Statuses};
use crate::id::{RowIx, ServiceIx};
use crate::plan::ProbeSettings;

/// Statuses that servers answer a mistake with, for where the contract documents none of them.
pub const fn usual(mistake: Mistake) -> &'static [u16] {
    match mistake {
        Mistake::NoCredentials | Mistake::WrongScheme | Mistake::GarbageToken | Mistake::ExpiredToken | Mistake::UnsignedToken => &[401],
        Mistake::ForeignIdentity => &[403, 404],
        Mistake::UnknownId | Mistake::UnknownRoute => &[404],
        Mistake::WrongMethod => &[405, 404, 501],
        Mistake::UnknownMethod => &[501, 405, 404, 400],
        Mistake::NotAcceptable => &[406],
        Mistake::StalePrecondition => &[412],
        Mistake::CreatedTwice => &[409],
        Mistake::AnnouncedTooLarge | Mistake::TooLarge => &[413, 400, 422],
        Mistake::LongQuery => &[414, 431, 400, 404, 422],
        Mistake::LongHeader => &[431, 400],
        Mistake::UnknownContentType | Mistake::MissingContentType | Mistake::UnknownEncoding => &[415, 400, 422],
        Mistake::AbsurdRange => &[416],
        Mistake::UnknownExpectation => &[417],
        Mistake::OutOfRange | Mistake::TooLong => &[422, 400],
        Mistake::Hooked | Mistake::Documented => &[],
        Mistake::Burst => &[429],
        _ => &[400, 422],
    }
}

/// Whether a server may take the request as it is (RFC 9110: §12.5.1 Accept, §14.2 Range, §10.1.1 Expect, §8.3 Content-Type,
/// RFC 8259 §4 duplicate names), or a limit of its own may be larger.
pub const fn tolerated(mistake: Mistake) -> bool {
    matches!(
        mistake,
        Mistake::DuplicateKey
            | Mistake::NotAcceptable
            | Mistake::StalePrecondition
            | Mistake::CreatedTwice
            | Mistake::AnnouncedTooLarge
            | Mistake::TooLarge
            | Mistake::LongQuery
            | Mistake::LongHeader
            | Mistake::UnknownContentType
            | Mistake::MissingContentType
            | Mistake::UnknownEncoding
            | Mistake::AbsurdRange
            | Mistake::UnknownExpectation
    )
}

/// Of the usual statuses those that the contract documents here; all of them where it documents none.
pub fn accept(mistake: Mistake, contract: &Contract, service: Option<ServiceIx>) -> Vec<u16> {
    let exact = |status: &&u16| contract.rows.iter().any(|row| row.statuses == Statuses::Exact(**status) && is_of(row, service, contract));
    let documented: Vec<u16> = usual(mistake).iter().filter(exact).copied().collect();
    if documented.is_empty() { usual(mistake).to_vec() } else { documented }
}

/// The rows that an answer with one of these statuses may be, and that nothing more exact is aimed at.
pub fn aims(accept: &[u16], contract: &Contract, service: Option<ServiceIx>, path: &str, settings: &ProbeSettings) -> Vec<RowIx> {
    let fits = |ix: usize, row: &Row| {
        let own = row.probe.is_some() || settings.aims.iter().any(|aim| aim.row.at() == ix);
        let open = matches!(row.provoke, None | Some(Provoke::Probe)) && row.excluded.is_none();
        let here = row.operation.as_ref().is_none_or(|operation| operation.path.matches(path));
        let status = accept.iter().any(|status| row.statuses == Statuses::Exact(*status));
        status && !own && open && here && is_of(row, service, contract)
    };
    contract.rows.iter().enumerate().filter(|(ix, row)| fits(*ix, row)).map(|(ix, _)| RowIx::from(ix)).collect()
}

/// Whether a row is about a service: its own, or a general one that no row of the service replaces.
pub fn is_of(row: &Row, service: Option<ServiceIx>, contract: &Contract) -> bool {
    let replaced = || {
        let same = |other: &Row| other.service == service && other.status == row.status && other.code == row.code;
        service.is_some() && contract.rows.iter().any(same)
    };
    row.service == service || (row.service.is_none() && !replaced())
}
