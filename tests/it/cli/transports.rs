//! How the target is spoken to: TLS with an authority and certificates of one's own, another client, another version.

use crate::cli::{Draft, assert_accounts};
use crate::support::certificates::Authority;
use crate::support::shell::{Folder, at_once};
use crate::support::upstream::{Act, Upstream, answer};

fn always_ok() -> Vec<Vec<Act>> {
    vec![vec![Act::ReadRequest, answer("200 OK", "fine"), Act::Again]]
}

#[test]
fn a_private_authority_and_a_client_certificate_are_used() {
    let (ours, theirs) = (Authority::new("servers"), Authority::new("clients"));
    let upstream = Upstream::play_tls(ours.server("127.0.0.1", &["http/1.1"], Some(&theirs)), always_ok());
    let identity = theirs.client();
    let url = format!("url = \"https://{}\"", upstream.address());
    let run = |tls: &str, more: &str| {
        let folder = Folder::with_plan(&Draft::of(&url).target(tls).more(more).text());
        folder.put("ca.pem", ours.pem());
        folder.put("client.pem", &identity.cert);
        folder.put("client.key", &identity.key);
        let ended = folder.run().ended();
        (ended, folder.report())
    };
    let whole = "tls = { ca = \"ca.pem\", cert = \"client.pem\", key = \"client.key\" }";
    for (tls, more) in [(whole.to_owned(), ""), (whole.to_owned(), "[proxy]"), (format!("{whole}\ntransport = \"reqwest\""), "")] {
        let (ended, report) = run(&tls, more);
        let ended = ended.exits(0);
        assert_eq!(report.accounting.ok, 10, "{tls} {more}: {ended}");
        assert_accounts(&report);
    }
    // Without the authority, and without our certificate: found before the first request.
    let asked = upstream.requests().len();
    run("", "").0.exits(3).says("is not issued by anyone trusted here").says("`target.tls.ca`");
    run("tls = { ca = \"ca.pem\" }", "").0.exits(3).says("client certificate");
    assert_eq!(upstream.requests().len(), asked, "no request is sent to a target that is not trusted");
    let folder = Folder::with_plan(&Draft::of(&url).target("tls = { ca = \"plan.toml\" }").text());
    folder.run().ended().exits(2).says("`plan.toml` is not a PEM file");
}

#[test]
fn the_reqwest_transport_is_counted_alike_by_generator_and_proxy() {
    let fault = "[[fault]]\nname = \"f\"\nchance = { exactly = \"20%\" }\nper = \"exchange\"\nsequence = [{ error = \"SERVICE_UNAVAILABLE\", retry_after = \"1s\" }, \"pass\"]";
    let retry = "[retry.r]\nattempts = 3\non = [503]\nbackoff = { constant = \"20ms\" }\nretry_after = \"ignore\"";
    let draft = Draft::embedded().target("transport = \"reqwest\"").more(fault).more(retry).steady("800ms", "40/s");
    let text = draft.text().replace("name = \"s\"\n", "name = \"s\"\nretry = \"r\"\n");
    let folder = Folder::with_plan(&text);
    let ended = folder.run().ended().exits(0);
    let report = folder.report();
    let accounts = &report.accounting;
    assert_accounts(&report);
    assert!(accounts.retries > 0 && accounts.ok == accounts.exchanges, "{ended}\n{accounts:?}");
    assert_eq!((accounts.seen_by_proxy, accounts.hidden_resends, accounts.never_sent), (Some(accounts.attempts), 0, 0));
    assert_eq!(report.data_quality.generator.transport, "reqwest");
}

#[test]
fn http_2_is_spoken_to_the_embedded_target_without_tls() {
    at_once([("direct", ""), ("direct", "[proxy]"), ("reqwest", "")], |(transport, more)| {
        let draft = Draft::embedded().target(&format!("http = \"2\"\ntransport = \"{transport}\"")).more(more);
        let folder = Folder::with_plan(&draft.text());
        let ended = folder.run().ended().exits(0);
        let report = folder.report();
        assert_accounts(&report);
        assert_eq!(report.accounting.ok, 10, "{transport} {more}: {ended}");
        assert!(report.data_quality.generator.connections_made <= 4, "streams share connections");
        assert_eq!(report.target.http_versions, ["2"]);
    });
}
