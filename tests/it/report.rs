//! Documents show what report.json says, and nothing hostile survives.

use std::sync::LazyLock;

use brownout::report::{Format, Report, SUMS, files, hgrm, html, json, junit, markdown, text};
use sha2::{Digest, Sha256};

use crate::support::golden::assert_golden;
use crate::support::markup::{Tag, tags};
use crate::support::sample_report as sample;

static ALL: LazyLock<Vec<(&'static str, Report)>> = LazyLock::new(|| {
    vec![
        ("realistic", sample::realistic()),
        ("empty", sample::empty()),
        ("one-sample", sample::one_sample()),
        ("interrupted", sample::interrupted()),
        ("invalid", sample::invalid()),
        ("target-down", sample::target_down()),
        ("hostile", sample::hostile()),
        ("session", sample::session()),
    ]
});

// === json ===

#[test]
fn a_report_reads_back_as_it_was_written() {
    for (name, report) in ALL.iter() {
        let written = json::render(report);
        let read = json::read(written.as_bytes()).unwrap_or_else(|error| panic!("{name}: {error}"));
        assert!(read == *report, "{name}");
        assert_eq!(json::render(&read), written, "{name}");
        assert!(written.ends_with("}\n"), "{name}");
    }
}

#[test]
fn all_keys_are_present_even_if_nothing_happened() {
    let value: serde_json::Value = serde_json::from_str(&json::render(&sample::empty())).unwrap();
    let keys = [
        "schema_version",
        "kind",
        "tool",
        "run",
        "plan",
        "target",
        "verdict",
        "accounting",
        "stages",
        "faults",
        "metrics",
        "histograms",
        "timeseries",
        "retries",
        "contract",
        "probes",
        "findings",
        "comparison",
        "data_quality",
        "suppressions",
        "artifacts",
        "extra",
    ];
    for key in keys {
        assert!(value.get(key).is_some(), "{key}");
    }
    assert_eq!(value["contract"], serde_json::json!({}));
    assert_eq!(value["comparison"], serde_json::Value::Null);
    assert_eq!(value["metrics"]["overall"]["response_us"]["ok"]["p99"], serde_json::Value::Null);
}

#[test]
fn files_that_are_not_reports_are_refused_with_a_reason() {
    let report = json::render(&sample::empty());
    let cases = [
        ("nothing", String::new()),
        ("not JSON", "plan = 1".to_owned()),
        ("a list", "[1, 2]".to_owned()),
        ("another tool's JSON", r#"{"metrics": {}}"#.to_owned()),
        ("another kind", r#"{"schema_version": "1.0.0", "kind": "trend"}"#.to_owned()),
        ("no version", r#"{"schema_version": "latest", "kind": "run"}"#.to_owned()),
        ("a newer structure", report.replacen("1.0.0", "2.0.0", 1)),
        ("a value of a newer version", report.replacen("1.0.0", "1.7.0", 1).replace("\"inconclusive\"", "\"flaky\"")),
        ("a damaged report", report.replace("\"inconclusive\"", "\"maybe\"")),
        ("half a report", report[..report.len() / 2].to_owned()),
    ];
    let said: String = cases
        .iter()
        .map(|(name, text)| format!("{name}: {}\n", json::read(text.as_bytes()).err().map(|error| error.to_string()).unwrap_or_default()))
        .collect();
    assert_golden("reports/read-errors.txt", &said);
}

#[test]
fn additions_of_a_newer_minor_version_are_ignored() {
    let report = json::render(&sample::realistic());
    let newer = report.replacen("1.0.0", "1.4.0", 1).replacen("\"kind\"", "\"weather\": \"fair\",\n  \"kind\"", 1);
    assert_eq!(json::read(newer.as_bytes()).unwrap().schema_version, "1.4.0");
}

// === html ===

#[test]
fn every_page_is_well_formed_and_loads_nothing() {
    for (name, report) in ALL.iter() {
        let page = html::render(report);
        for tag in tags(&page) {
            assert!(!["script", "img", "iframe", "object", "base", "form", "link"].contains(&tag.name.as_str()), "{name}: <{}>", tag.name);
            for (attribute, value) in &tag.attributes {
                assert!(!attribute.starts_with("on") && attribute != "style" && attribute != "src", "{name}: {attribute}={value}");
                assert!(attribute != "href" || value.starts_with('#'), "{name}: a link leads away: {value}");
            }
        }
        assert!(!page.contains("url(http"), "{name}");
    }
}

#[test]
fn anchors_are_unique_and_links_lead_to_them() {
    for (name, report) in ALL.iter() {
        let page = html::render(report);
        let tags = tags(&page);
        let mut ids: Vec<&str> = tags.iter().filter_map(|tag| tag.attribute("id")).collect();
        for tag in &tags {
            let target = tag.attribute("href").map(|href| &href[1..]);
            assert!(target.is_none_or(|target| ids.contains(&target)), "{name}: {target:?}");
            let labels = tag.attribute("aria-labelledby").unwrap_or_default();
            assert!(labels.split_whitespace().all(|label| ids.contains(&label)), "{name}: {labels}");
            let hatch = tag.attribute("fill").and_then(|fill| fill.strip_prefix("url(#")?.strip_suffix(')'));
            assert!(hatch.is_none_or(|hatch| ids.contains(&hatch)), "{name}: {hatch:?}");
        }
        ids.sort_unstable();
        assert!(ids.windows(2).all(|pair| pair[0] != pair[1]), "{name}: an id is used twice");
    }
}

#[test]
fn a_session_shows_its_client_and_nothing_of_a_schedule() {
    let session = html::render(&sample::session());
    for said in ["python3 client.py", "ended with code 3", "The client left", "Of 108 retries 98 are sure.", "3 could belong to several"] {
        assert!(session.contains(said), "{said}");
    }
    let run = html::render(&sample::realistic());
    assert!(!run.contains("id=\"client\""));
    for of_a_schedule in ["arrivals per second", "arrivals scheduled", "start after due (lag)", "own health", ">due<"] {
        assert!(run.contains(of_a_schedule) && !session.contains(of_a_schedule), "{of_a_schedule}");
    }
    assert_eq!(session.matches("What was answered, by status and code").count(), 1, "once, beside the client");
}

#[test]
fn the_terminal_says_of_each_fault_what_was_planned_and_did_not_happen() {
    let said = text::render(&sample::session(), false);
    for part in [
        "client    ended with code 3 · ",
        "overload 99 of 102 times (3 not fired, mostly: the client left, or the run ended, before; 4 held back; 5 unreached; \
         12 answers lost, 11 of them carried out by the target)",
        "missed    no-request-id of quota: not found by E01",
        "repeats   ordinal: the fault `quota` meets requests of a client that is not ours",
    ] {
        assert!(said.contains(part), "{part}\n{said}");
    }
    assert!(!said.contains("arrivals"), "{said}");
}

#[test]
fn every_drawing_is_told_in_words_and_is_small() {
    let report = &sample::realistic();
    let page = html::render(report);
    let drawings: Vec<&str> = page.split("<svg ").skip(1).map(|part| part.split_once("</svg>").unwrap().0).collect();
    assert_eq!(drawings.len(), 7, "timeline, attempts, retry-after, back-off, waterfalls, two of percentiles");
    for drawing in &drawings {
        assert!(drawing.contains("role=\"img\"") && drawing.contains("<title ") && drawing.contains("<desc "));
        assert!(drawing.matches('<').count() / 2 < 2_000);
        assert!(!drawing.contains("NaN") && !drawing.contains("inf"));
    }
    assert_eq!(page.matches("<figcaption>").count(), drawings.len());
}

#[test]
fn charts_carry_their_colours_without_a_style_sheet() {
    let page = html::render(&sample::realistic());
    for tag in tags(&page).iter().filter(|tag| ["rect", "path", "line", "circle", "text"].contains(&tag.name.as_str())) {
        let coloured = tag.attribute("fill").is_some_and(|fill| fill != "none") || tag.attribute("stroke").is_some();
        assert!(coloured, "{tag:?}");
    }
}

/// The number a reader sees, in the unit of `report.json`.
fn read_number(shown: &str) -> Option<f64> {
    let shown = shown.replace(['\u{202f}', '<', '>', '≤', '≥', '=', '?', '×', '†', '\u{2009}'], "");
    let shown = shown.replace('\u{a0}', " ");
    // an interval names its unit at its end
    let shown = match shown.split_once(" … ") {
        Some((low, high)) if !low.contains(' ') && high.contains(' ') => format!("{low} {}", high.rsplit_once(' ')?.1),
        Some((low, _)) => low.to_owned(),
        None => shown,
    };
    let shown = shown.split(" of ").next()?.split(" (").next()?.split('/').next()?.trim().to_owned();
    let (number, unit) = shown.split_once(' ').unwrap_or((&shown, ""));
    let number: f64 = number.parse().ok()?;
    match unit {
        "" | "answer" | "answers" | "µs" => Some(number),
        "ms" => Some(number * 1e3),
        "s" => Some(number * 1e6),
        "%" => Some(number / 100.0),
        "KiB" => Some(number * 1024.0),
        "MiB" => Some(number * 1024.0 * 1024.0),
        _ => None,
    }
}

#[test]
fn every_figure_on_the_page_is_the_one_in_the_json() {
    for (name, report) in ALL.iter() {
        let value: serde_json::Value = serde_json::from_str(&json::render(report)).unwrap();
        let page = html::render(report);
        let tags = tags(&page);
        let facts: Vec<&Tag> = tags.iter().filter(|tag| tag.attribute("data-at").is_some()).collect();
        let least = match *name {
            "realistic" | "hostile" => 350,
            _ => 9,
        };
        assert!(facts.len() >= least, "{name}: {} figures", facts.len());
        for fact in facts {
            let pointer = fact.attribute("data-at").unwrap();
            let at = |pointer: &str| {
                value.pointer(pointer).unwrap_or_else(|| panic!("{name}: {pointer} is not in report.json")).as_f64().unwrap()
            };
            let stated: f64 = fact.attribute("data-value").unwrap().parse().unwrap();
            assert_eq!(stated, at(pointer), "{name}: {pointer}");
            let whole = fact.attribute("data-of").map(&at);
            let mut expected = whole.map_or(stated, |whole| stated / whole);
            if pointer.ends_with("_ms") {
                expected *= 1e3;
            }
            if ["–", "at once"].contains(&fact.text.as_str()) {
                continue;
            }
            let shown = read_number(&fact.text).unwrap_or_else(|| panic!("{name}: {pointer} is shown as {:?}", fact.text));
            assert!((shown - expected).abs() <= expected.abs() * 0.006 + 1e-9, "{name}: {pointer} is {expected}, shown as {:?}", fact.text);
        }
    }
}

#[test]
fn the_verdict_and_its_reason_stand_first() {
    for (report, words) in [
        (sample::realistic(), vec!["✗ FAIL", "One of five gates failed"]),
        (sample::invalid(), vec!["! INVALID", "This run is not to be believed.", "schedule lag p99 was 38 ms"]),
        (sample::interrupted(), vec!["? INCONCLUSIVE", "INCOMPLETE", "Interrupted from the keyboard after 8.24"]),
        (sample::target_down(), vec!["✗ ERROR", "The target refused every connection."]),
    ] {
        let page = html::render(&report);
        let top = page.split_once("</header>").unwrap().0;
        for word in words {
            assert!(top.contains(word), "{word}");
        }
    }
}

#[test]
fn what_cannot_be_shown_says_why() {
    let page = html::render(&sample::empty());
    for reason in [
        "The plan has no gates",
        "No request was due: the schedule held no arrivals.",
        "The plan names no contract",
        "No exchange was begun, so nothing was repeated.",
        "No judged exchange ended, so there are no samples.",
        "There are not two stages or operations with samples to compare.",
        "The plan has no faults",
    ] {
        assert!(page.contains(reason), "{reason}");
    }
    assert_eq!(page.matches("<svg ").count(), 0);
    let down = html::render(&sample::target_down());
    assert!(down.contains("no exchange succeeded, so there is no response time to draw"));
}

// === hostile text and size ===

#[test]
fn no_hostile_text_survives_in_any_rendering() {
    let report = &sample::hostile();
    for (name, bytes) in files(report, &Format::ALL) {
        if name == "report.json" {
            continue;
        }
        let text = String::from_utf8(bytes).expect("UTF-8");
        assert_harmless(&name, &text);
    }
    assert_harmless("terminal", &text::render(report, false));
    let page = html::render(report);
    assert!(page.contains("&lt;/script&gt;&lt;img src=x onerror=alert(1)&gt;"), "it is shown, not dropped");
    assert!(page.contains("⟨U+202E⟩gpj.exe") && page.contains("a␀b␛[31mred") && page.contains("more bytes"));
    let summary = markdown::render(report);
    assert!(!summary.contains("@everyone") && !summary.contains("http://") && !summary.contains("<details>\n\n#"));
}

fn assert_harmless(name: &str, text: &str) {
    for hostile in ["<img", "<svg/", "</script", "<!--", "<base", "<style>*", "]]>"] {
        assert!(name == "terminal" || !text.contains(hostile), "{name}: {hostile}");
    }
    let bad =
        |c: char| (c.is_control() && !"\n\t".contains(c)) || matches!(c, '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' | '\u{feff}');
    assert!(!text.contains(bad), "{name}: {:?}", text.chars().find(|c| bad(*c)));
}

#[test]
fn renderings_keep_to_their_size() {
    assert!(html::render(&sample::realistic()).len() < 250_000);
    for report in &[sample::hostile(), sample::ten_thousand_findings()] {
        let page = html::render(report);
        assert!(page.len() <= 3_000_000, "{}", page.len());
        tags(&page);
        assert!(markdown::render(report).len() <= 60_000);
        assert!(junit::render(report).len() <= 1_000_000);
    }
    let many = sample::ten_thousand_findings();
    assert!(html::render(&many).contains("and 9\u{202f}800 more findings in report.json"));
    assert!(markdown::render(&many).contains("more pieces are in report.html"));
}

#[test]
fn a_long_run_is_drawn_from_its_extremes() {
    let mut report = sample::realistic();
    let row = report.timeseries.data[7].clone();
    report.timeseries.interval_ms = 10;
    report.timeseries.data = (0..20_000)
        .map(|nth| {
            let mut row = row.clone();
            row[0] = Some(f64::from(nth) * 10.0);
            row
        })
        .collect();
    let page = html::render(&report);
    assert!(page.len() < 500_000, "{}", page.len());
    assert!(page.contains("and 19\u{202f}760 more rows in report.json"));
}

// === the others ===

#[test]
fn the_same_report_gives_the_same_bytes() {
    for (name, report) in ALL.iter() {
        assert!(files(report, &Format::ALL) == files(&report.clone(), &Format::ALL), "{name}");
    }
}

#[test]
fn the_sums_are_those_of_the_files() {
    let files = files(&sample::realistic(), &[Format::Hgrm, Format::Html, Format::Json]);
    let names: Vec<&str> = files.iter().map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        names,
        [
            "report.json",
            "report.html",
            "latency.hgrm",
            "latency.response.error.hgrm",
            "latency.service.ok.hgrm",
            "latency.service.error.hgrm",
            SUMS
        ]
    );
    let (sums, others) = files.split_last().unwrap();
    let expected: String = others
        .iter()
        .map(|(name, bytes)| format!("{}  {name}\n", Sha256::digest(bytes).iter().map(|b| format!("{b:02x}")).collect::<String>()))
        .collect();
    assert_eq!(String::from_utf8_lossy(&sums.1), expected);
}

/// The plotter's rule (HdrHistogram, `plotFiles.html`): lines of exactly four fields, of which it uses the first and
/// the fourth; lines that begin with `#` and the head are skipped.
fn plotted(text: &str) -> Vec<(f64, f64)> {
    let lines = text.trim().lines().filter(|line| !line.trim().is_empty() && !line.starts_with('#') && !line.contains("Value"));
    let fields = lines.map(|line| line.split_whitespace().collect::<Vec<_>>()).filter(|fields| fields.len() == 4);
    fields.map(|fields| (fields[0].parse().unwrap(), fields[3].parse().unwrap())).collect()
}

#[test]
fn distributions_are_read_by_the_plotters_rule() {
    let report = &sample::realistic();
    let files = hgrm::render(report);
    assert_eq!(files[0].0, "latency.hgrm");
    let points = plotted(&files[0].1);
    assert!(points.len() > 20, "{}", points.len());
    assert!(points.is_sorted_by(|a, b| a.0 <= b.0 && a.1 <= b.1));
    let ok = &report.metrics.overall.response_us.ok;
    let half = points.iter().find(|(_, inverse)| *inverse == 2.0).expect("the median is a row").0;
    assert!((half * 1e3 - ok.p50.unwrap() as f64).abs() < 1.0, "{half} ms");
    let last = files[0].1.lines().rfind(|line| !line.starts_with('#')).unwrap();
    assert_eq!(last.split_whitespace().collect::<Vec<_>>()[1..], ["1.000000000000", &ok.n.to_string()], "100 % has three fields");
    let empty = hgrm::render(&sample::empty());
    assert_eq!(plotted(&empty[0].1), []);
    assert_eq!(plotted(&hgrm::render(&sample::one_sample())[0].1), [(4.323, 1.0)], "three digits: 4.321 ms stands for up to 4.323");
}

#[test]
fn junit_has_a_case_for_each_gate_and_each_documented_error() {
    let report = &sample::realistic();
    let document = junit::render(report);
    let tags = tags(&document);
    let named = |name: &str| tags.iter().filter(|tag| tag.name == name).count();
    assert_eq!(named("testsuite"), 1 + 5 + 1, "gates, five services, other findings");
    assert_eq!(named("testcase"), 1 + 5 + 28 + 1, "validity, gates, documented errors, the undocumented answer");
    assert_eq!(named("failure"), 1 + 2 + 1, "one gate, two violated errors, the undocumented answer");
    assert_eq!(named("error"), 1, "the inconclusive gate");
    assert_eq!(named("skipped"), 8, "not seen");
    let invalid = junit::render(&sample::invalid());
    assert!(invalid.contains("type=\"invalid\"") && invalid.contains("type=\"not-decided\""));
}

#[test]
fn the_terminal_says_in_about_ten_lines_what_happened() {
    for (name, report) in ALL.iter() {
        let said = text::render(report, false);
        assert!(said.lines().count() <= 18, "{name}: {} lines", said.lines().count());
        assert!(said.lines().all(|line| line == line.trim_end()), "{name}");
    }
    let report = &sample::realistic();
    let coloured = text::render(report, true);
    assert!(coloured.starts_with("\u{1b}[1;31m✗ FAIL\u{1b}[0m"));
    let mut bare = coloured;
    for code in ["1;31", "1;32", "1;33", "2", "0"] {
        bare = bare.replace(&format!("\u{1b}[{code}m"), "");
    }
    let trimmed: String = bare.lines().map(|line| format!("{}\n", line.trim_end())).collect();
    assert_eq!(trimmed, text::render(report, false), "colour adds nothing but colour");
}

#[test]
fn renderings_of_a_plausible_run_are_as_reviewed() {
    let report = &sample::realistic();
    assert_golden("reports/realistic.json", &json::render(report));
    assert_golden("reports/realistic.html", &html::render(report));
    assert_golden("reports/realistic.md", &markdown::render(report));
    assert_golden("reports/realistic.junit.xml", &junit::render(report));
    assert_golden("reports/realistic.hgrm", &hgrm::render(report)[0].1);
    assert_golden("reports/realistic.txt", &text::render(report, false));
}

#[test]
fn verdicts_of_odd_runs_are_as_reviewed() {
    let said: String = ALL
        .iter()
        .filter(|(name, _)| *name != "realistic")
        .map(|(name, report)| format!("== {name}\n{}\n", text::render(report, false)))
        .collect();
    assert_golden("reports/odd.txt", &said);
}

#[test]
#[ignore = "writes pages into the folder LOOK, for a look in a browser"]
fn pages_to_look_at() {
    let dir = std::path::PathBuf::from(std::env::var("LOOK").expect("LOOK names a folder"));
    for (name, report) in ALL.iter() {
        for (file, bytes) in files(report, &Format::ALL) {
            std::fs::write(dir.join(format!("{name}-{file}")), bytes).expect("written");
        }
    }
}

#[test]
fn the_committed_sample_is_what_this_version_renders_from_its_report() {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("reports/sample");
    let json = std::fs::read(folder.join("report.json")).expect("the sample's report.json");
    let report = brownout::report::json::read(&json).expect("a report of this version");
    let mut compared = 0;
    for (name, bytes) in brownout::report::files(&report, &brownout::report::Format::ALL) {
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            std::fs::write(folder.join(&name), &bytes).expect("the sample can be written");
        }
        let committed = std::fs::read(folder.join(&name)).unwrap_or_else(|_| panic!("{name} is not in the sample"));
        assert!(committed == bytes, "{name} of the sample differs from what is rendered now; UPDATE_GOLDEN=1 writes it again");
        compared += 1;
    }
    assert!(compared >= 6);
}
