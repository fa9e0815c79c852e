//! Where the events of a stream end, found while it passes (HTML standard §9.2.6): nothing is kept but a few bytes.

const DATA: &[u8; 5] = b"data:";

/// Watches a stream for empty lines.
#[derive(Debug, Default)]
pub(super) struct Scan {
    /// Bytes of the line so far, as far as they matter.
    length: usize,
    /// The line begins unlike `data:`.
    unlike: bool,
    /// The event under way has data; without any it is none.
    has_data: bool,
    /// The last byte was CR: LF right after it belongs to the same line end.
    after_cr: bool,
}

impl Scan {
    /// Where the first empty line ends in these bytes, which follow those seen before, and whether it ends an event.
    ///
    /// What follows it has not been seen, and is to be given to the next call; without one everything was seen.
    pub(super) fn empty_line(&mut self, bytes: &[u8]) -> Option<(usize, bool)> {
        for (at, &byte) in bytes.iter().enumerate() {
            let after_cr = std::mem::take(&mut self.after_cr);
            match byte {
                b'\n' if after_cr => {}
                b'\n' | b'\r' if self.length == 0 => {
                    let with_lf = byte == b'\r' && bytes.get(at + 1) == Some(&b'\n');
                    self.after_cr = byte == b'\r' && !with_lf;
                    let end = at + 1 + usize::from(with_lf);
                    return Some((end, std::mem::take(&mut self.has_data)));
                }
                b'\n' | b'\r' => {
                    self.after_cr = byte == b'\r';
                    // A line of the name alone is a field without a value.
                    self.has_data |= !self.unlike && self.length >= 4;
                    (self.length, self.unlike) = (0, false);
                }
                _ if self.length < DATA.len() => {
                    self.unlike |= byte != DATA[self.length];
                    self.length += 1;
                }
                _ => {}
            }
        }
        None
    }
}

/// The data of an event that is complete.
pub(super) fn data_of(event: &[u8]) -> Vec<u8> {
    let text = String::from_utf8_lossy(event);
    let lines = text.split(['\n', '\r']).filter_map(|line| line.strip_prefix("data:"));
    lines.map(|value| value.strip_prefix(' ').unwrap_or(value)).collect::<Vec<_>>().join("\n").into_bytes()
}
