//! The decision log while it grows: decisions leave the proxy's thread in batches, and a thread of the file's own puts
//! them in order and writes them.
//!
//! The proxy's thread neither waits nor allocates: it fills a batch that is there already and hands it over once in
//! 4 096 attempts. Where the writer is behind by all its batches, a batch is forgotten and counted. The writer
//! sorts as many entries as fit into a few megabytes, keeps such runs in a file beside the log, and merges them at
//! the end, so that neither memory nor the order depends on how many there are or how they came.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::fs::File;
use std::io::{self, BufWriter, Write};
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use crate::fault::FaultRule;
use crate::fault::log::{Entry, Head, Names, Tail};
use crate::record::LogFacts;

/// Entries that leave the proxy's thread together.
const BATCH: usize = 4_096;
/// Batches between the threads: what the writer may be behind.
const BATCHES: usize = 16;
/// Entries that are sorted in memory.
const RUN: usize = 64 * 1_024;
/// Entries of a run that are read at a time when runs are merged.
const PIECE: usize = 256;

/// Where decisions are written down.
#[derive(Clone, Debug)]
pub struct LogSettings {
    /// The file; it appears when it is whole.
    pub path: PathBuf,
    pub head: Head,
    pub names: Names,
    /// No more attempts than this have a line; what comes later is counted.
    pub most: u64,
}

/// The proxy's end of the log.
pub(super) struct Journal {
    batch: Vec<Entry>,
    full: SyncSender<Message>,
    spare: Receiver<Vec<Entry>>,
    missing: u64,
    added: Vec<Named>,
    writer: JoinHandle<LogFacts>,
}

/// A rule's name and what it does in words, one for every element of a sequence.
type Named = (String, Vec<String>);

enum Message {
    Batch(Vec<Entry>),
    /// That was all.
    End {
        /// So many attempts were decided about that the writer will not hear of.
        missing: u64,
        /// Rules that the plan did not have, in the order in which they came.
        added: Vec<Named>,
    },
}

impl Journal {
    /// Starts the writer.
    ///
    /// # Errors
    /// Where the system gives no thread.
    pub(super) fn start(settings: LogSettings) -> io::Result<Journal> {
        let (full, batches) = sync_channel(BATCHES);
        let (give_back, spare) = sync_channel(BATCHES);
        for _ in 1..BATCHES {
            give_back.try_send(Vec::with_capacity(BATCH)).expect("the channel holds all batches");
        }
        let writer = std::thread::Builder::new()
            .name("fault log".to_owned())
            .spawn(move || Writer::new(settings).write_all(&batches, &give_back))?;
        Ok(Journal { batch: Vec::with_capacity(BATCH), full, spare, missing: 0, added: Vec::new(), writer })
    }

    /// Writes down what was decided about an attempt.
    pub(super) fn note(&mut self, entry: &Entry) {
        self.batch.push(*entry);
        if self.batch.len() < BATCH {
            return;
        }
        let Ok(empty) = self.spare.try_recv() else {
            self.missing += self.batch.len() as u64;
            self.batch.clear();
            return;
        };
        let batch = std::mem::replace(&mut self.batch, empty);
        // Only as many batches are about as the channel holds: it is full never, closed only if the writer is gone.
        if self.full.try_send(Message::Batch(batch)).is_err() {
            self.missing += BATCH as u64;
        }
    }

    /// There is one rule more, after all others; lines about it come after this.
    pub(super) fn added(&mut self, rule: &FaultRule) {
        self.added.push((rule.name.clone(), rule.words.clone()));
    }

    /// Ends the log, and waits until the file is there.
    pub(super) fn finish(self) -> LogFacts {
        let Journal { batch, full, missing, added, writer, .. } = self;
        for message in [Message::Batch(batch), Message::End { missing, added }] {
            // A writer that is gone has panicked: joining it says so.
            let _ = full.send(message);
        }
        drop(full);
        writer.join().unwrap_or_else(|panic| std::panic::resume_unwind(panic))
    }
}

/// The file's end of the log.
struct Writer {
    settings: LogSettings,
    entries: Vec<Entry>,
    /// Sorted runs, with their lengths in entries.
    spool: Option<(File, Vec<usize>)>,
    lines: u64,
    missing: u64,
    error: Option<io::Error>,
}

impl Writer {
    fn new(settings: LogSettings) -> Writer {
        Writer { settings, entries: Vec::new(), spool: None, lines: 0, missing: 0, error: None }
    }

    fn write_all(mut self, batches: &Receiver<Message>, give_back: &SyncSender<Vec<Entry>>) -> LogFacts {
        while let Ok(message) = batches.recv() {
            match message {
                Message::Batch(mut batch) => {
                    self.take(&batch);
                    batch.clear();
                    // Nobody waits for it once the proxy has stopped.
                    let _ = give_back.try_send(batch);
                }
                Message::End { missing, added } => {
                    self.missing += missing;
                    self.settings.head.rules.extend(added.iter().map(|(name, _)| name.clone()));
                    self.settings.names.rules.extend(added);
                }
            }
        }
        let written = match self.error.take() {
            Some(error) => Err(error),
            None => self.finish(),
        };
        let _ = std::fs::remove_file(self.spool_path());
        LogFacts { lines: self.lines, missing: self.missing, error: written.err().map(|error| error.to_string()) }
    }

    fn take(&mut self, batch: &[Entry]) {
        let room = usize::try_from(self.settings.most.saturating_sub(self.lines)).unwrap_or(usize::MAX);
        let taken = if self.error.is_some() { 0 } else { batch.len().min(room) };
        self.missing += (batch.len() - taken) as u64;
        self.lines += taken as u64;
        self.entries.extend_from_slice(&batch[..taken]);
        if self.entries.len() >= RUN
            && let Err(error) = self.spool()
        {
            self.missing += self.lines;
            self.lines = 0;
            self.entries = Vec::new();
            self.error = Some(error);
        }
    }

    fn spool_path(&self) -> PathBuf {
        self.settings.path.with_extension("spool")
    }

    /// Puts the entries at hand in order and out of memory.
    fn spool(&mut self) -> io::Result<()> {
        if self.spool.is_none() {
            let file = File::options().create(true).truncate(true).read(true).write(true).open(self.spool_path())?;
            self.spool = Some((file, Vec::new()));
        }
        let Some((file, runs)) = &mut self.spool else { return Ok(()) };
        self.entries.sort_unstable_by_key(Entry::key);
        let mut out = BufWriter::new(&*file);
        for entry in &self.entries {
            out.write_all(&entry.packed())?;
        }
        out.flush()?;
        runs.push(self.entries.len());
        self.entries.clear();
        Ok(())
    }

    /// Writes the log under another name, and gives it its own once it is whole.
    fn finish(&mut self) -> io::Result<()> {
        let draft = self.settings.path.with_extension("part");
        let written = File::create(&draft).and_then(|file| {
            let mut out = BufWriter::new(&file);
            self.write_to(&mut out)?;
            out.flush()?;
            drop(out);
            file.sync_all()
        });
        let named = written.and_then(|()| std::fs::rename(&draft, &self.settings.path));
        if named.is_err() {
            // The draft is of no use to anyone.
            let _ = std::fs::remove_file(&draft);
            self.missing += self.lines;
            self.lines = 0;
        }
        named
    }

    fn write_to(&mut self, out: &mut impl Write) -> io::Result<()> {
        let mut line = serde_json::to_vec(&self.settings.head)?;
        line.push(b'\n');
        out.write_all(&line)?;
        self.entries.sort_unstable_by_key(Entry::key);
        let last = std::mem::take(&mut self.entries);
        let mut write = |entry: &Entry| {
            line.clear();
            entry.write(&self.settings.names, &mut line);
            out.write_all(&line)
        };
        match &self.spool {
            None => last.iter().try_for_each(&mut write)?,
            Some((file, runs)) => merge(file, runs, &last, &mut write)?,
        }
        let mut end = serde_json::to_vec(&Tail { lines: self.lines, missing: self.missing })?;
        end.push(b'\n');
        out.write_all(&end)
    }
}

/// Tells the entries of all runs in order; the last run is in memory.
fn merge(file: &File, runs: &[usize], last: &[Entry], tell: &mut impl FnMut(&Entry) -> io::Result<()>) -> io::Result<()> {
    let mut sources = Vec::with_capacity(runs.len());
    let mut start = 0;
    for &length in runs {
        sources.push(Source { at: start, end: start + length, piece: Vec::new().into_iter() });
        start += length;
    }
    let mut last = last.iter().copied();
    let mut next = |source: usize| match sources.get_mut(source) {
        Some(source) => source.next(file),
        None => Ok(last.next()),
    };
    let mut heads = BinaryHeap::with_capacity(runs.len() + 1);
    let mut entries: Vec<Option<Entry>> = vec![None; runs.len() + 1];
    for (source, first) in entries.iter_mut().enumerate() {
        *first = next(source)?;
        heads.extend(first.map(|entry| Reverse((entry.key(), source))));
    }
    while let Some(Reverse((_, source))) = heads.pop() {
        if let Some(entry) = entries[source].take() {
            tell(&entry)?;
        }
        entries[source] = next(source)?;
        heads.extend(entries[source].map(|entry| Reverse((entry.key(), source))));
    }
    Ok(())
}

/// A run in the file, read a piece at a time.
struct Source {
    at: usize,
    end: usize,
    piece: std::vec::IntoIter<Entry>,
}

impl Source {
    fn next(&mut self, file: &File) -> io::Result<Option<Entry>> {
        if self.piece.len() == 0 && self.at < self.end {
            let count = PIECE.min(self.end - self.at);
            let mut bytes = vec![0; count * Entry::PACKED];
            file.read_exact_at(&mut bytes, (self.at * Entry::PACKED) as u64)?;
            let (packed, _) = bytes.as_chunks::<{ Entry::PACKED }>();
            self.piece = packed.iter().map(Entry::unpacked).collect::<Vec<_>>().into_iter();
            self.at += count;
        }
        Ok(self.piece.next())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::log::Verdict;
    use crate::id::{AttemptNumber, RuleIx, ScenarioIx, StepIx};

    fn entry(arrival: u64) -> Entry {
        Entry {
            arrival,
            scenario: ScenarioIx(0),
            step: StepIx(0),
            attempt: AttemptNumber(1),
            eligible: 1,
            verdict: Verdict::Spared,
            rule: RuleIx(0),
            element: 0,
            delay: None,
            delay_after: None,
        }
    }

    fn settings(folder: &std::path::Path, most: u64) -> LogSettings {
        let head = Head { brownout_faults: 1, plan: "p".to_owned(), seed: 1, level: "exact".to_owned(), rules: vec!["r".to_owned()] };
        let names =
            Names { scenarios: vec![("s".to_owned(), vec!["t".to_owned()])], rules: vec![("r".to_owned(), vec!["reset".to_owned()])] };
        LogSettings { path: folder.join("faults.jsonl"), head, names, most }
    }

    /// Notes a permutation of the first so many arrivals, no faster than the writer takes them.
    fn written(most: u64, arrivals: u64) -> (LogFacts, Vec<String>) {
        let folder = std::env::temp_dir().join(format!("brownout-fault-log-{}-{arrivals}", std::process::id()));
        std::fs::create_dir_all(&folder).expect("a folder");
        let mut journal = Journal::start(settings(&folder, most)).expect("a journal");
        for k in 0..arrivals {
            if k % (BATCH as u64 * 8) == 0 {
                std::thread::sleep(std::time::Duration::from_millis(50));
            }
            // 7 919 is a prime, and divides no number of arrivals used here.
            journal.note(&entry(k * 7_919 % arrivals));
        }
        let facts = journal.finish();
        let text = std::fs::read_to_string(folder.join("faults.jsonl")).expect("a log");
        let left: Vec<_> = std::fs::read_dir(&folder).expect("the folder").collect();
        assert_eq!(left.len(), 1, "nothing but the log is left");
        std::fs::remove_dir_all(&folder).expect("the folder is ours");
        (facts, text.lines().map(str::to_owned).collect())
    }

    #[test]
    fn a_log_of_many_runs_is_in_order_and_whole() {
        let arrivals = 2 * RUN as u64 + 5_000;
        let (facts, lines) = written(u64::MAX, arrivals);
        assert_eq!((facts.lines + facts.missing, facts.error), (arrivals, None));
        assert_eq!(lines.len() as u64, facts.lines + 2);
        let numbers: Vec<u64> = lines[1..lines.len() - 1]
            .iter()
            .map(|line| serde_json::from_str::<serde_json::Value>(line).expect("JSON")["arrival"].as_u64().expect("a number"))
            .collect();
        assert!(numbers.is_sorted() && facts.lines > arrivals / 2, "{} lines", facts.lines);
        assert_eq!(lines.last().expect("an end"), &format!("{{\"lines\":{},\"missing\":{}}}", facts.lines, facts.missing));
    }

    #[test]
    fn a_log_that_is_long_enough_is_cut_and_says_so() {
        let (facts, lines) = written(10, 25);
        assert_eq!((facts.lines, facts.missing), (10, 15));
        assert_eq!(lines.last().expect("an end"), "{\"lines\":10,\"missing\":15}");
    }

    #[test]
    fn a_disk_that_does_not_take_the_log_is_an_error_and_no_panic() {
        let mut journal = Journal::start(settings(std::path::Path::new("/nonexistent/folder"), 99)).expect("a journal");
        journal.note(&entry(1));
        let facts = journal.finish();
        assert_eq!((facts.lines, facts.missing), (0, 1));
        assert!(facts.error.is_some());
    }
}
