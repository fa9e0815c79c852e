//! `brownout serve`: the reference server alone.

use std::net::TcpListener;

use crate::cli::CONTRACT;
use crate::support::client::Client;
use crate::support::golden::assert_golden;
use crate::support::shell::Folder;

#[test]
fn a_served_contract_answers_until_a_signal_ends_it() {
    let folder = Folder::new();
    for signal in ["INT", "TERM"] {
        let mut started = folder.brownout(["serve", "jan-server", "--listen", "127.0.0.1:0"]).start();
        let said = started.wait_for_output("\n");
        let address = said.trim().rsplit("http://").next().and_then(|address| address.parse().ok()).expect(&said);
        let answer = Client::connect(address).send("GET", "/v1/conversations", &[("Authorization", "Bearer wrong")], b"");
        assert_eq!(answer.status, 401, "{}", answer.text());
        started.signal(signal);
        started.ended().exits(0);
    }
}

#[test]
fn what_cannot_be_served_is_said() {
    let taken = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = taken.local_addr().expect("an address").to_string();
    let folder = Folder::new();
    folder.put("bare.toml", "name = \"Bare\"\nversion = \"1\"\n");
    let mut said = String::new();
    for (args, code) in [
        (vec!["jan-server", "--listen", &address], 3),
        (vec!["jan-server", "--listen", "nowhere"], 2),
        (vec!["jan-server", "--preset", "brokn-reset"], 2),
        (vec!["jan-server", "--limits", "some"], 2),
        (vec!["bare.toml"], 2),
        (vec!["missing.toml"], 2),
    ] {
        let ended = folder.brownout(["serve"].iter().chain(&args)).ended().exits(code);
        assert_eq!(ended.stdout, "");
        said += &format!(
            "$ brownout serve {}\n{}\n",
            args.join(" ").replace(&address, "127.0.0.1:8000"),
            ended.stderr.replace(&address, "127.0.0.1:8000")
        );
    }
    assert_golden("cli/serve-refused.txt", &said);
    assert!(std::path::Path::new(CONTRACT).is_file());
}
