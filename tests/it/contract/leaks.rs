//! What an error answer must not give away (L01–L05): every form is found, and messages for people are none of them.

use brownout::contract::Contract;
use brownout::secret::Secrets;
use http::HeaderValue;
use serde_json::json;

use crate::support::contract::{Trial, now, read, shipped};

fn saying<'c>(contract: &'c Contract, message: &str) -> Trial<'c> {
    Trial::of(contract, "INTERNAL_ERROR", &now()).member("message", Some(json!(message)))
}

/// A message, and the leak in it.
const LEAKS: &[(&str, &str)] = &[
    // L01, by language
    (
        "java.lang.NullPointerException: x\n\tat com.example.A.b(A.java:12)\n\tat java.base/java.lang.Thread.run(Thread.java:829)",
        "L01 critical body: stack trace",
    ),
    (
        "Traceback (most recent call last):\n  File \"/srv/a.py\", line 3, in f\n  File \"b.py\", line 9, in g\nKeyError: 'x'",
        "L01 critical body: stack trace",
    ),
    ("TypeError: x\n    at f (/srv/app/a.js:1:2)\n    at async g (file:///srv/app/b.mjs:3:4)", "L01 critical body: stack trace"),
    (
        "TypeError: x\n    at Module._compile (node:internal/modules/cjs/loader:1105:14)\n    at f (/srv/x.js:1:1)",
        "L01 critical body: stack trace",
    ),
    (
        "panic: oh\n\ngoroutine 1 [running]:\nmain.f()\n\t/srv/main.go:12 +0x1d\nmain.main()\n\t/srv/main.go:5 +0x20",
        "L01 critical body: stack trace",
    ),
    ("thread 'main' panicked at src/main.rs:3:5:\nboom\n   1: f\n             at ./src/lib.rs:7:9", "L01 critical body: stack trace"),
    (
        "System.NullReferenceException: x\n   at Shop.Cart.Add(String id) in C:\\src\\Cart.cs:line 12\n   at Shop.Api.Post() in C:\\src\\Api.cs:line 9",
        "L01 critical body: stack trace",
    ),
    ("Unhandled\n   at Shop.Cart.Add(String id, Int32 n)\n   at Shop.Api.Controllers.Post(Body body)\n", "L01 critical body: stack trace"),
    ("#0 /var/www/html/index.php(12): f()\n#1 /var/www/html/x.php(3): g()\n#2 {main} Stack trace", "L01 critical body: stack trace"),
    (
        "NoMethodError: undefined method\napp/models/user.rb:12:in `name'\napp/controllers/x.rb:3:in `show'",
        "L01 critical body: stack trace",
    ),
    ("(app 1.0) lib/a.ex:12: A.f/1\n lib/b.ex:3: B.g/2\n lib/c.exs:4: C.h/0", "L01 critical body: stack trace"),
    // L02
    ("java.lang.IllegalStateException occurred", "L02 high body: a class of exceptions"),
    ("NullPointerException: null", "L02 high body: a class of exceptions"),
    ("App\\Domain\\OrderException", "L02 high body: a class of exceptions"),
    ("requests.exceptions.ConnectionError: refused", "L02 high body: a class of exceptions"),
    ("TypeError: unsupported", "L02 high body: a class of exceptions"),
    ("KeyError: 'user'", "L02 high body: a class of exceptions"),
    ("Cannot read properties of undefined (reading 'id')", "L02 high body: a message of a runtime"),
    ("'NoneType' object has no attribute 'id'", "L02 high body: a message of a runtime"),
    ("Object reference not set to an instance of an object.", "L02 high body: a message of a runtime"),
    ("undefined method `name' for nil:NilClass", "L02 high body: a message of a runtime"),
    ("panic: runtime error: index out of range [3]", "L02 high body: a panic"),
    ("thread 'tokio-runtime-worker' panicked at 'x'", "L02 high body: a panic"),
    ("PHP Fatal error:  Uncaught Error", "L02 high body: an unhandled error"),
    ("Unhandled exception in the worker", "L02 high body: an unhandled error"),
    // L03
    ("error near: SELECT id, name FROM users WHERE id = 1", "L03 high body: a piece of SQL"),
    ("INSERT INTO orders VALUES", "L03 high body: a piece of SQL"),
    ("UPDATE users SET name", "L03 high body: a piece of SQL"),
    ("DELETE FROM sessions", "L03 high body: a piece of SQL"),
    ("(select \"users\".* from \"users\" where 1)", "L03 high body: a piece of SQL"),
    ("select * from `users`", "L03 high body: a piece of SQL"),
    ("SQLSTATE[23000]: violation", "L03 high body: an SQLSTATE"),
    ("ERROR: relation \"user\" does not exist", "L03 high body: an error of PostgreSQL"),
    ("duplicate key value violates unique constraint \"users_email_key\"", "L03 high body: an error of PostgreSQL"),
    ("pq: too many connections", "L03 high body: an error of PostgreSQL"),
    ("psycopg2.errors.UniqueViolation", "L03 high body: an error of PostgreSQL"),
    ("You have an error in your SQL syntax; check the manual", "L03 high body: an error of MySQL"),
    ("Duplicate entry 'a@b.c' for key 'users.email'", "L03 high body: an error of MySQL"),
    ("ER_DUP_ENTRY", "L03 high body: an error of MySQL"),
    ("Unknown column 'x' in 'field list'", "L03 high body: an error of MySQL"),
    ("SQLITE_CONSTRAINT: failed", "L03 high body: an error of SQLite"),
    ("no such table: users", "L03 high body: an error of SQLite"),
    ("Incorrect syntax near 'x'.", "L03 high body: an error of SQL Server"),
    ("Msg 547, Level 16, State 0", "L03 high body: an error of SQL Server"),
    ("ORA-00942: table or view", "L03 high body: an error of Oracle"),
    ("E11000 duplicate key error collection: a.b", "L03 high body: an error of MongoDB"),
    ("MongoServerError: bad auth", "L03 high body: an error of MongoDB"),
    ("WRONGTYPE Operation against a key", "L03 high body: an error of Redis"),
    ("PrismaClientKnownRequestError", "L03 high body: an error of a database library"),
    ("sqlalchemy.exc.IntegrityError: x", "L03 high body: an error of a database library"),
    ("connect ECONNREFUSED /tmp/.s.PGSQL.5432", "L03 high body: a connection that a driver could not make"),
    // L04
    ("token eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.abcdefghijklmnop", "L04 critical body: a JSON Web Token"),
    ("-----BEGIN RSA PRIVATE KEY-----\nMIIE", "L04 critical body: a private key"),
    ("key AKIAIOSFODNN7EXAMPLE", "L04 critical body: a cloud access key"),
    ("sk_live_abcdefghijklmnop", "L04 critical body: an API key"),
    ("invalid key sk-proj-abcdefghijklmnopqrstuvwx", "L04 critical body: an API key"),
    ("glpat-abcdefghij1234567890", "L04 critical body: an API key"),
    ("postgres://app:hunter2@db.example.com/x", "L04 critical body: a URI with a password"),
    ("Server=db;User Id=sa;Password=hunter2;", "L04 critical body: a connection string with a password"),
    ("sent Authorization: Basic dXNlcjpwYXNzd29yZA==", "L04 critical body: an Authorization header"),
    // L05
    ("no route to 10.12.0.7", "L05 medium body: an internal address"),
    ("upstream 192.168.0.12:8080 is down", "L05 medium body: an internal address"),
    ("upstream 127.0.0.1:9000 is down", "L05 medium body: an internal address"),
    ("upstream http://inference:8000/v1 is down", "L05 medium body: an internal host name"),
    ("users.prod.svc.cluster.local is down", "L05 medium body: an internal host name"),
    ("ip-10-0-0-1.ec2.internal is down", "L05 medium body: an internal host name"),
    ("cannot write /var/lib/app/data.db", "L05 medium body: a path on the server"),
    ("cannot write C:\\inetpub\\wwwroot\\web.config", "L05 medium body: a path on the server"),
];

/// Messages that give nothing away.
const ORDINARY: &[&str] = &[
    "panic mode is not available in this region",
    "the exception you asked for does not exist",
    "an unexpected error occurred: please try again in 10.5 seconds",
    "Error: the model is overloaded",
    "select a model from the list",
    "please select one from [\"a\", \"b\"]",
    "update your plan, insert a card, or delete it from your account",
    "the table is empty",
    "duplicate key `id` in the list of keys",
    "syntax error in the filter, at column 12",
    "the constraint max_tokens <= 4096 does not hold",
    "see handler.py:12 for the rule",
    "see https://docs.example.com/errors#500, or https://status.example.com:8443/",
    "call /v1/models/{id} first; /v1/files/config.json is no model",
    "the file ../report.json or media/home/a.png is missing",
    "your address 203.0.113.9 is blocked",
    "version 1.2.3.4 is too old, 10.15 at least",
    "at 12:30:10 (UTC) on line 3 of your file",
    "caused by a missing field",
    "the token has expired: ask for a new one with Bearer authentication",
    "keys begin with sk-, tokens with eyJ",
    "the password=... parameter is deprecated",
    "Node.js clients before 18 are not supported",
    "use application.properties or settings.local",
    "field `errors.internal` is reserved",
    "the MongoDB connector and the SQL console are not part of your plan",
    "Bad Gateway, Gateway Timeout, Internal Server Error",
    "Zeichen wie ä, ö, ü; 日本語; 🙂; \"quotes\" and a back\\slash",
    "a\tb\nc",
];

#[test]
fn every_form_of_a_leak_is_found_and_nothing_else_with_it() {
    let contract = shipped();
    for (message, expected) in LEAKS {
        assert_eq!(saying(&contract, message).found(), [*expected], "{message}");
        // The same in the answer of a server that escapes what it need not.
        let escaped = saying(&contract, message);
        let text = String::from_utf8_lossy(&escaped.answer.body).replace('/', "\\/").replace('<', "\\u003c");
        assert_eq!(escaped.body(text.as_bytes()).found(), [*expected], "{message}, escaped");
    }
}

#[test]
fn messages_for_people_give_nothing_away() {
    let contract = shipped();
    for message in ORDINARY {
        assert_eq!(saying(&contract, message).found(), [""; 0], "{message}");
    }
    for row in &contract.rows {
        let trial = Trial::of(&contract, &row.key, &now());
        assert!(trial.found().iter().all(|found| !found.starts_with('L')), "{}: {:?}", row.key, trial.found());
    }
}

#[test]
fn the_pages_of_frameworks_are_known() {
    let contract = shipped();
    for (page, what) in [
        ("<title>KeyError // Werkzeug Debugger</title>", "the debugger of Werkzeug"),
        (
            "<p>You&#x27;re seeing this error because you have <code>DEBUG = True</code> in your Django settings file.",
            "the debug page of Django",
        ),
        ("<h1>Action Controller: Exception caught</h1>", "the debug page of Rails"),
        ("<title>Whoops, looks like something went wrong.</title>", "the debug page of Laravel"),
        ("<h1>Symfony Exception</h1>", "the debug page of Symfony"),
        ("<title>Error</title><pre>Cannot GET /v1/x</pre>", "the error page of Express"),
        ("<h1>Whitelabel Error Page</h1><p>This application has no explicit mapping for /error</p>", "the error page of Spring"),
        ("<h1>Server Error in '/' Application.</h1>", "the error page of ASP.NET"),
        ("<h1>HTTP Status 500</h1><h3>Apache Tomcat/9.0.31</h3>", "the error page of Tomcat"),
        ("<br />\n<b>Warning</b>:  fopen() failed", "an error of PHP"),
    ] {
        let trial = saying(&contract, "x").header("content-type", Some("text/html")).body(page.as_bytes());
        let leaks: Vec<String> = trial.found().into_iter().filter(|found| found.starts_with('L')).collect();
        assert_eq!(leaks, [format!("L02 high body: {what}")], "{page}");
    }
    let plain = "<html><head><title>502 Bad Gateway</title></head><body><center><h1>502 Bad Gateway</h1></center><hr></body></html>";
    let trial = saying(&contract, "x").header("content-type", Some("text/html")).body(plain.as_bytes());
    assert!(trial.found().iter().all(|found| !found.starts_with('L')), "{:?}", trial.found());
}

#[test]
fn frames_taken_apart_into_members_are_frames() {
    let contract = shipped();
    let frame = |n: u32| json!({ "file": format!("app/h{n}.py"), "lineno": n, "function": "f" });
    let of = |n: u32| saying(&contract, "x").member("details", Some(json!({ "trace": (1..=n).map(frame).collect::<Vec<_>>() })));
    assert_eq!(of(3).found(), ["L01 critical body: stack trace"]);
    assert_eq!(of(2).found(), [""; 0]);
    assert_eq!(of(2).member("message", Some(json!("Unhandled failure"))).found(), ["L01 critical body: stack trace"]);
    let lines = saying(&contract, "x").member("details", Some(json!(["at a.B.c(B.java:1)", "at a.B.d(B.java:2)", "at a.B.e(B.java:3)"])));
    assert_eq!(
        lines.member("details", Some(json!({ "stack": ["at a.B.c(B.java:1)", "at a.B.d(B.java:2)", "at a.B.e(B.java:3)"] }))).found(),
        ["L01 critical body: stack trace"]
    );
}

#[test]
fn our_own_credentials_are_found_however_they_are_spelled() {
    let contract = shipped();
    let secret = "pa/ss wörd+\"1\"";
    for spelled in [
        secret.to_owned(),
        "pa%2Fss%20w%C3%B6rd%2B%221%22".to_owned(),
        "pa%2fss+w%c3%b6rd%2b%221%22".to_owned(),
        "pa/ss wörd+&quot;1&quot;".to_owned(),
        "pa\\/ss w\\u00f6rd+\\\"1\\\"".to_owned(),
    ] {
        let mut declared = saying(&contract, &format!("no user for <{spelled}>"));
        declared.secrets = Secrets::default();
        declared.secrets.declare("password", secret);
        assert_eq!(declared.found(), ["L04 critical body: own credential"], "{spelled}");
        assert!(!format!("{:?}", declared.violations()).contains("rd+"));
    }
    let mut sent = saying(&contract, "cannot decode abc%2Fdef%3D123456");
    sent.request_headers.insert("authorization", HeaderValue::from_static("Bearer abc/def=123456"));
    assert_eq!(sent.found(), ["L04 critical body: own credential"]);
    let mut key = saying(&contract, "x").header("x-debug", Some("key=abcdef-123456; x"));
    key.request_headers.insert("x-api-key", HeaderValue::from_static("abcdef-123456"));
    assert_eq!(key.found(), ["L04 critical body: own credential"]);
    let mut cookie = saying(&contract, "no session 0123456789abcdef0123");
    cookie.request_headers.insert("cookie", HeaderValue::from_static("theme=dark; sid=0123456789abcdef0123"));
    assert_eq!(cookie.found(), ["L04 critical body: own credential"]);
    let mut setting = saying(&contract, "no theme darkmode for you");
    setting.request_headers.insert("cookie", HeaderValue::from_static("theme=darkmode"));
    assert_eq!(setting.found(), [""; 0], "a setting is no credential");
}

#[test]
fn what_the_contract_allows_or_says_itself_is_no_leak() {
    let text = |leaks: &str| {
        format!(
            "name = \"t\"\n{leaks}\n[envelope.e.fields]\ncode = {{ required = true }}\nmessage = {{ required = true }}\n\
             [[error]]\nstatus = 500\ncode = \"A\"\nmeaning = \"the store at /srv/store/main.db is locked\"\n"
        )
    };
    let of = |leaks: &str, message: &str| {
        let contract = read("t.toml", &text(leaks)).unwrap_or_else(|problems| panic!("{problems}"));
        Trial::of(&contract, "A", &now()).member("message", Some(json!(message))).found()
    };
    let allow = "[leaks]\nallow = [\"/opt/shared/\", \"127.0.0.1\"]";
    assert_eq!(of("", "see /opt/shared/readme.txt"), ["L05 medium body: a path on the server"]);
    assert_eq!(of(allow, "see /opt/shared/readme.txt on 127.0.0.1:99"), [""; 0]);
    assert_eq!(of(allow, "see /opt/own/readme.txt"), ["L05 medium body: a path on the server"]);
    assert_eq!(of("", "the store at /srv/store/main.db is locked"), [""; 0], "the contract's own words");
    let refused = read("t.toml", &text("[leaks]\nalow = []")).expect_err("an unknown key");
    assert!(refused.contains("alow") && refused.contains("`allow` is missing"), "{refused}");
}

#[test]
fn the_targets_own_address_and_path_are_known_to_whoever_asked() {
    let contract = shipped();
    let of = |host: &'static str, message: &str| {
        let mut trial = saying(&contract, message);
        trial.request_headers.insert("host", HeaderValue::from_static(host));
        trial.found()
    };
    assert_eq!(of("127.0.0.1:8080", "http://127.0.0.1:8080/v1/x is not there, nor is localhost:8080"), [""; 0]);
    assert_eq!(of("10.0.0.7", "http://10.0.0.7/v1/x is not there"), [""; 0]);
    assert_eq!(of("127.0.0.1:8080", "connection to 127.0.0.1:5432 refused"), ["L05 medium body: an internal address"]);
    let echo = saying(&contract, "no route for /home/feed/items").at("/home/feed/items/7");
    assert_eq!(echo.found(), [""; 0]);
}
