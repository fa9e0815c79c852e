//! What clients that are not ours make of an answer.

use std::net::SocketAddr;
use std::process::Command;

use crate::proxy::rig::identity;

/// Reads an answer with Python's http.client, and says what became of it.
const PYTHON: &str = r#"
import http.client, sys
host, port, *headers = sys.argv[1:]
connection = http.client.HTTPConnection(host, int(port), timeout=10)
try:
    connection.request("GET", "/v1/models", headers=dict(header.split(": ", 1) for header in headers))
    answer = connection.getresponse()
    print("ok", len(answer.read()))
except http.client.IncompleteRead as error:
    print("IncompleteRead", len(error.partial))
except Exception as error:
    print(type(error).__name__)
"#;

fn headers(arrival: u64) -> Vec<String> {
    identity(arrival, 1).lines().filter(|line| !line.is_empty()).map(str::to_owned).collect()
}

/// The exit code of curl for an attempt; `None` where there is no curl.
pub fn curl(addr: SocketAddr, arrival: u64) -> Option<i32> {
    let mut command = Command::new("curl");
    command.args(["--silent", "--max-time", "10", "--output", "/dev/null", "--noproxy", "*"]);
    for header in headers(arrival) {
        command.args(["--header", &header]);
    }
    command.arg(format!("http://{addr}/v1/models")).status().ok()?.code()
}

/// What Python's http.client says of an attempt; `None` where there is no Python.
pub fn python(addr: SocketAddr, arrival: u64) -> Option<String> {
    let mut command = Command::new("python3");
    command.args(["-c", PYTHON, &addr.ip().to_string(), &addr.port().to_string()]).args(headers(arrival));
    let output = command.output().ok().filter(|output| output.status.success())?;
    Some(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}
