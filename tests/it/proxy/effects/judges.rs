//! What clients that are not ours make of an answer.

use std::net::SocketAddr;

use crate::proxy::rig::identity;
use crate::support::program;

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
    let (headers, url) = (headers(arrival), format!("http://{addr}/v1/models"));
    let mut arguments = vec!["--output", "/dev/null"];
    headers.iter().for_each(|header| arguments.extend(["--header", header.as_str()]));
    arguments.push(&url);
    program::curl(&arguments).map(|ran| ran.code)
}

/// What Python's http.client says of an attempt; `None` where there is no Python.
pub fn python(addr: SocketAddr, arrival: u64) -> Option<String> {
    let (headers, host, port) = (headers(arrival), addr.ip().to_string(), addr.port().to_string());
    let mut arguments = vec![host.as_str(), port.as_str()];
    arguments.extend(headers.iter().map(String::as_str));
    program::python(PYTHON, &arguments).map(|ran| ran.out.trim().to_owned())
}
