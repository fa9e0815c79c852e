//! A certificate authority of one session: it vouches for the proxy towards clients that insist on TLS.
//!
//! Its key is made at the start and never leaves the process; its certificate is what a client is told to trust
//! (`curl --cacert`, `SSL_CERT_FILE`, `NODE_EXTRA_CA_CERTS`). A certificate for a server is made the first time a
//! client asks for its name.

use std::collections::HashMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa, KeyPair, KeyUsagePurpose};
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;

use super::tls::BadTls;
use crate::client::tls::provider;

/// Certificates are valid for this long: some clients refuse longer ones from any authority.
const DAYS: i64 = 365;
/// So many names are remembered; a client that asks for more has the first ones made again.
const NAMES: usize = 1_000;

/// A certificate authority that lives as long as the process.
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    /// One key serves all names.
    key: KeyPair,
    days: [(i32, u8, u8); 2],
    made: Mutex<HashMap<String, Arc<CertifiedKey>>>,
}

impl Authority {
    /// A new authority, valid from the day before `now_unix_us` for a year.
    ///
    /// # Errors
    /// Where the crypto library gives no key.
    pub fn generate(now_unix_us: i64) -> Result<Authority, BadTls> {
        let days = [-1, DAYS - 1].map(|days| day_of(now_unix_us, days));
        let mut params = params(Vec::new(), days)?;
        params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        params.distinguished_name.push(DnType::CommonName, "brownout session CA");
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate()?)?;
        Ok(Authority { issuer, key: KeyPair::generate()?, days, made: Mutex::default() })
    }

    /// The authority's certificate, for clients to trust; not its key.
    pub fn pem(&self) -> String {
        self.issuer.pem()
    }

    /// A certificate for a host name or address, with its key.
    fn vouch_for(&self, name: &str) -> Result<Arc<CertifiedKey>, BadTls> {
        let mut made = self.made.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = made.get(name) {
            return Ok(Arc::clone(known));
        }
        let mut params = params(vec![name.to_owned()], self.days)?;
        params.distinguished_name.push(DnType::CommonName, "brownout proxy");
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        params.use_authority_key_identifier_extension = true;
        let certificate = params.signed_by(&self.key, &self.issuer)?;
        let chain = vec![certificate.der().clone(), self.issuer.der().clone()];
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(self.key.serialize_der()));
        let certified = Arc::new(CertifiedKey::from_der(chain, key, &provider())?);
        if made.len() >= NAMES {
            made.clear();
        }
        made.insert(name.to_owned(), Arc::clone(&certified));
        Ok(certified)
    }
}

fn params(names: Vec<String>, [from, until]: [(i32, u8, u8); 2]) -> Result<CertificateParams, BadTls> {
    let mut params = CertificateParams::new(names)?;
    params.distinguished_name = rcgen::DistinguishedName::new();
    params.not_before = rcgen::date_time_ymd(from.0, from.1, from.2);
    params.not_after = rcgen::date_time_ymd(until.0, until.1, until.2);
    Ok(params)
}

/// Year, month and day so many days after an instant.
fn day_of(unix_us: i64, days: i64) -> (i32, u8, u8) {
    let second = unix_us / 1_000_000 + days * 86_400;
    let date = jiff::Timestamp::from_second(second).unwrap_or_default().to_zoned(jiff::tz::TimeZone::UTC).date();
    let small = |number: i8| u8::try_from(number).expect("months and days are positive");
    (i32::from(date.year()), small(date.month()), small(date.day()))
}

/// Not its key.
impl fmt::Debug for Authority {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Authority").finish_non_exhaustive()
    }
}

/// Certificates of an authority for whatever name a client asks for.
#[derive(Debug)]
pub(super) struct Vouching {
    pub(super) authority: Arc<Authority>,
    /// The name of a client that names none (SNI is for host names, not addresses).
    pub(super) otherwise: String,
}

impl ResolvesServerCert for Vouching {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        self.authority.vouch_for(hello.server_name().unwrap_or(&self.otherwise)).ok()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_certificate_is_made_once_per_name_and_the_key_is_not_shown() {
        let authority = Authority::generate(1_795_000_000_000_000).expect("an authority");
        let of = |name: &str| authority.vouch_for(name).expect("a certificate");
        assert!(Arc::ptr_eq(&of("a.test"), &of("a.test")));
        assert!(!Arc::ptr_eq(&of("a.test"), &of("127.0.0.1")));
        assert!(authority.vouch_for("no\u{e9}").is_err(), "not a name");
        assert!(authority.pem().contains("BEGIN CERTIFICATE") && !authority.pem().contains("PRIVATE"));
        assert!(!format!("{authority:?}").contains("key"), "{authority:?}");
    }

    #[test]
    fn validity_is_counted_in_days() {
        assert_eq!(day_of(0, 0), (1970, 1, 1));
        assert_eq!(day_of(1_709_164_800_000_000, 1), (2024, 3, 1), "the day after a leap day");
    }
}
