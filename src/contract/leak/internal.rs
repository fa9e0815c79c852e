//! L05: addresses and paths that mean something only behind the API.
//!
//! An address with a port that is not the target's own says where something else listens; the address by which we reached
//! the target ourselves tells nobody anything. Paths count where they begin as those of a machine do: `/v1/…` is no path
//! of a file, and one that the request itself had in its path is an echo.

use core::net::Ipv4Addr;
use std::sync::LazyLock;

use crate::contract::leak::pattern::Forms;

const ADDRESS: &str = "an internal address";
const NAME: &str = "an internal host name";
const PATH: &str = "a path on the server";

/// What gives away where the API runs.
pub(super) static FORMS: LazyLock<Forms> = LazyLock::new(|| {
    Forms::new(&[
        (ADDRESS, r"(?-u:\b)[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}\.[0-9]{1,3}(?-u:\b)(?::[0-9]{1,5}(?-u:\b))?"),
        (ADDRESS, r"\[::1\](?::[0-9]{1,5})?|(?-u:\b)fe80:(?::?[0-9a-f]{1,4}){1,7}"),
        (NAME, r"(?-u:\b)localhost:[0-9]{2,5}(?-u:\b)"),
        (
            NAME,
            r"(?-u:\b)(?i:(?:[a-z0-9-]+\.){2,}(?:svc|cluster\.local|internal|lan|corp|intranet|local)|[a-z0-9-]+\.svc\.cluster\.local)(?-u:\b)(?::[0-9]{2,5})?",
        ),
        (
            NAME,
            r"(?i:(?-u:\b)[a-z0-9-]+\.(?:internal|lan|corp|intranet|local):[0-9]{2,5}|://[a-z0-9.-]+\.(?:internal|lan|corp|intranet|local)(?-u:\b))",
        ),
        (NAME, r"(?-u:\b)[a-z][a-z0-9+.-]*://[a-z0-9_-]+:[0-9]{2,5}(?-u:\b)"),
        (
            PATH,
            r"/(?:usr/(?:lib|local|share|src|bin|sbin)|etc|proc/(?:self|[0-9]+)|var/(?:www|log|lib|run|task|tmp|cache|spool)|srv|opt|root|home/[a-z_][0-9A-Za-z_-]*|Users/[A-Za-z][0-9A-Za-z._-]*)/[0-9A-Za-z_.@+-][0-9A-Za-z_./@+-]*",
        ),
        (
            PATH,
            r"/(?:app|apps|workspace|code|build|builds|src|data|mnt|tmp|go|node_modules)/[0-9A-Za-z_./@+-]*\.(?:py|js|ts|mjs|cjs|rb|php|go|rs|java|class|jar|kt|cs|exs?|json|ya?ml|toml|ini|conf|cfg|env|pem|key|log|db|sqlite3?|so|sock)(?-u:\b)",
        ),
        (PATH, r"(?-u:\b)[A-Za-z]:\\(?:[0-9A-Za-z_ .$-]+\\)+[0-9A-Za-z_.$-]+"),
    ])
});

/// Whether a match is what it looks like, and not a piece of something longer.
pub(super) fn is_whole(what: &str, text: &str, hit: regex::Match<'_>) -> bool {
    let before = text[..hit.start()].chars().next_back();
    let after = text[hit.end()..].chars().next();
    let then = text[hit.end()..].chars().nth(1);
    match what {
        // The path of a URL stands after its host, a relative one after a name or a dot.
        PATH => {
            !hit.as_str().starts_with('/') || !before.is_some_and(|c| c.is_alphanumeric() || matches!(c, '.' | '/' | '-' | '_' | '}' | '~'))
        }
        _ if before == Some('.') || (after == Some('.') && then.is_some_and(|c| c.is_ascii_alphanumeric())) => false,
        ADDRESS if hit.as_str().contains('.') => {
            let address = hit.as_str().split(':').next().and_then(|host| host.parse::<Ipv4Addr>().ok());
            address.is_some_and(|ip| ip.is_private() || ip.is_loopback() || ip.is_link_local())
        }
        _ => true,
    }
}

/// Whether an address is the one by which the target was reached: `host` is what the request's Host header says.
pub(super) fn is_of(host: &str, found: &str) -> bool {
    let found = found.split_once("://").map_or(found, |(_, rest)| rest);
    let (own_name, own_port) = parted(host);
    let (name, port) = parted(found);
    let same = name.eq_ignore_ascii_case(own_name) || (is_loopback(name) && is_loopback(own_name));
    same && (port.is_none() || port == own_port)
}

fn parted(host: &str) -> (&str, Option<&str>) {
    match host.rsplit_once(':') {
        Some((name, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) && !name.ends_with(':') => {
            (name, Some(port))
        }
        _ => (host, None),
    }
}

fn is_loopback(name: &str) -> bool {
    name.eq_ignore_ascii_case("localhost") || name == "[::1]" || name.parse::<Ipv4Addr>().is_ok_and(|ip| ip.is_loopback())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found(text: &str) -> Vec<(&'static str, &str)> {
        FORMS.found(text, |what, hit| is_whole(what, text, hit))
    }

    #[test]
    fn addresses_and_paths_count_where_they_are_internal_and_whole() {
        for (text, what) in [
            ("connect to 10.12.0.7:5432 failed", ADDRESS),
            ("at 192.168.1.1", ADDRESS),
            ("172.31.255.255", ADDRESS),
            ("127.0.0.1:9", ADDRESS),
            ("http://[::1]:8080/", ADDRESS),
            ("fe80::1ff:fe23:4567:890a", ADDRESS),
            ("orders.shop.svc.cluster.local", NAME),
            ("orders.shop.svc:8080", NAME),
            ("ip-10-0-0-1.ec2.internal", NAME),
            ("http://orders.internal/x", NAME),
            ("localhost:3000", NAME),
            ("http://inference:8000/v1", NAME),
            ("cannot open /etc/app/config.yaml", PATH),
            ("(/home/deploy/app/x)", PATH),
            ("/app/src/handlers/user.py", PATH),
            (r"C:\inetpub\wwwroot\Default.aspx", PATH),
        ] {
            assert_eq!(found(text).first().map(|(what, _)| *what), Some(what), "{text}");
        }
        for text in [
            "8.8.8.8 is public",
            "version 1.2.3",
            "10.5 MB of 12.0 MB",
            "10.0.0.1.5",
            "172.32.0.1",
            "999.168.1.1",
            "https://example.com/etc/passwd",
            "https://example.com/home/user/x",
            "/v1/models/app/config",
            "/home/",
            "see /app/settings",
            "localhost",
            "errors.internal",
            "settings.local",
            "at 12:30:10",
            "https://docs.example.com:8443/errors",
        ] {
            assert_eq!(found(text), [], "{text}");
        }
    }

    #[test]
    fn the_address_we_reached_the_target_by_is_no_secret() {
        for (host, found, own) in [
            ("127.0.0.1:8080", "127.0.0.1:8080", true),
            ("127.0.0.1:8080", "http://localhost:8080", true),
            ("127.0.0.1:8080", "127.0.0.1", true),
            ("127.0.0.1:8080", "127.0.0.1:5432", false),
            ("[::1]:8080", "[::1]:8080", true),
            ("10.0.0.7", "10.0.0.7", true),
            ("10.0.0.7", "10.0.0.8", false),
            ("api.example.com", "127.0.0.1", false),
        ] {
            assert_eq!(is_of(host, found), own, "{host} {found}");
        }
    }
}
