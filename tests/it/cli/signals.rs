//! Signals: the run ends in order, or at once when asked twice, and the report is written, marked incomplete.

use std::time::{Duration, Instant};

use brownout::report::{EndedBy, Report};

use crate::cli::{Draft, assert_accounts, silent, sound};
use crate::support::shell::{Ended, Folder, Started, at_once};
use crate::support::upstream::{Act, Upstream};

/// What a run that was ended by a signal leaves behind.
#[track_caller]
fn interrupted(folder: &Folder, started: Started, code: i32) -> (Ended, Report) {
    let ended = started.ended().exits(code);
    let report = folder.report();
    let by = if code == 143 { EndedBy::Sigterm } else { EndedBy::Sigint };
    assert_eq!((report.run.ended_by, report.run.complete, i32::from(report.run.exit_code)), (by, false, code), "{ended}");
    assert_accounts(&report);
    (ended, report)
}

const STAGES: &str = "drain = \"30s\"\n[[load.stage]]\nname = \"warm-up\"\nfor = \"20s\"\nrate = \"40/s\"\njudged = false\n\
[[load.stage]]\nname = \"steady\"\nfor = \"20s\"\nrate = \"40/s\"";

#[test]
fn a_signal_in_any_stage_ends_the_run_in_order() {
    let steady = STAGES.replacen("20s", "100ms", 1);
    at_once(
        [("warm-up", STAGES, "INT", 130), ("steady", &steady, "INT", 130), ("steady", &steady, "TERM", 143)],
        |(stage, load, signal, code)| {
            let upstream = sound();
            let folder = Folder::with_plan(&Draft::at(&upstream).load(load).gate("error.rate < 50%").text());
            let mut started = folder.run().start();
            started.wait_for(stage);
            started.wait_until("some requests", |_| upstream.requests().len() > 10);
            started.signal(signal);
            let (ended, report) = interrupted(&folder, started, code);
            let accounts = &report.accounting;
            assert!(accounts.unstarted > 0 && accounts.ok > 0, "{ended}\n{accounts:?}");
            assert_eq!((accounts.cancelled, accounts.in_flight_at_end), (0, 0), "what was in flight could finish: {accounts:?}");
            assert!(ended.stdout.contains("nterrupted"), "{ended}");
        },
    );
}

#[test]
fn a_signal_in_the_drain_lets_what_is_in_flight_finish() {
    let slow = Upstream::play(vec![vec![
        Act::ReadRequest,
        Act::Wait(Duration::from_millis(1500)),
        Act::write("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"),
        Act::Again,
    ]]);
    let load = "drain = \"20s\"\n[[load.stage]]\nname = \"steady\"\nfor = \"300ms\"\nrate = \"20/s\"";
    let patient = Draft { target: format!("url = \"http://{}\"\n", slow.address()), ..Draft::at(&slow) };
    let folder = Folder::with_plan(&patient.load(load).text());
    let mut started = folder.run().start();
    started.wait_for("drain");
    started.signal("INT");
    let (ended, report) = interrupted(&folder, started, 130);
    assert_eq!((report.accounting.cancelled, report.accounting.unstarted), (0, 0), "{ended}\n{:?}", report.accounting);
    assert!(report.accounting.ok > 0);
}

#[test]
fn a_second_signal_cuts_off_what_is_in_flight_at_once() {
    at_once(["", "[proxy]"], |more| {
        let upstream = silent();
        let patient = Draft { target: format!("url = \"http://{}\"\n", upstream.address()), ..Draft::at(&upstream) };
        let folder = Folder::with_plan(&patient.load(STAGES).more(more).text());
        let mut started = folder.run().start();
        started.wait_until("requests in flight", |_| upstream.requests().len() > 3);
        started.signal("INT");
        started.wait_for("once more cuts it off");
        let asked = Instant::now();
        started.signal("INT");
        let (ended, report) = interrupted(&folder, started, 130);
        assert!(asked.elapsed() < Duration::from_secs(5), "the drain of 30 s was not waited for");
        let accounts = &report.accounting;
        assert!(accounts.cancelled > 0 && accounts.ok == 0, "{ended}\n{accounts:?}");
        ended.says("cut off");
    });
}

#[test]
fn a_signal_while_the_target_is_looked_for_ends_the_run_before_it_began() {
    for (signal, code) in [("INT", 130), ("TERM", 143)] {
        let upstream = silent();
        let target = format!("url = \"https://{}\"\ntimeouts = {{ connect = \"25s\" }}\n", upstream.address());
        let folder = Folder::with_plan(&Draft { target, ..Draft::of("") }.text());
        let mut started = folder.run().start();
        started.wait_until("the handshake", |_| upstream.connections() > 0);
        started.signal(signal);
        let (ended, report) = interrupted(&folder, started, code);
        ended.prints("Nothing was sent: interrupted before the first request");
        assert_eq!(report.accounting.attempts, 0);
    }
}

#[test]
fn a_report_that_cannot_be_written_after_a_signal_leaves_its_exit_code() {
    let upstream = sound();
    let folder = Folder::with_plan(&Draft::at(&upstream).load(STAGES).text());
    let mut started = folder.run().start();
    started.wait_until("some requests", |_| upstream.requests().len() > 3);
    std::fs::remove_dir_all(folder.at("run")).expect("the folder is there");
    started.signal("INT");
    started.ended().exits(130).says("run/report.json");
}
