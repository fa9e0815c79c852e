//! The raw parser and answers that nobody would write: seeded mutations, no panic, bounded memory, the same whatever the cuts.

use brownout::client::raw::answer::{Answer, End, Understood};
use brownout::seed::Seed;
use brownout::wire::Ending;

/// Bytes of a body kept.
const KEEP: usize = 64;
/// Mutated answers of one test.
const ANSWERS: u64 = 20_000;
const ENDS: [End; 6] = [End::Closed, End::Reset, End::Spoiled, End::Silent, End::OutOfTime, End::TooMuch];

const SEEDS: [&str; 6] = [
    "HTTP/1.1 404 Not Found\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
    "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3;a=b\r\nabc\r\nA\r\n0123456789\r\n0\r\nX-T: 1\r\n\r\n",
    "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\nHTTP/1.1 204 No Content\r\n\r\n",
    "HTTP/1.0 500 Internal Server Error\r\nX-A: b\r\n c\r\n\r\nuntil the end",
    "HTTP/1.1 429 Too Many Requests\nRetry-After: 3\nContent-Length: 1\nContent-Length: 1\n\nxHTTP/1.1 200 OK\r\n\r\n",
    "\r\nHTTP/1.1  418\r\n: x\r\nno colon\r\nContent-Length: 99999999999999999999\r\n\r\nabc",
];
/// Pieces that matter to a parser.
const PIECES: [&[u8]; 18] = [
    b"\r\n",
    b"\n",
    b"\r",
    b"\r\n\r\n",
    b":",
    b" ",
    b"\t",
    b"\0",
    b"\xff",
    b"0\r\n",
    b"ffffffffffffffff\r\n",
    b"-1",
    b"HTTP/1.1 ",
    b"Content-Length: 5\r\n",
    b"Transfer-Encoding: chunked\r\n",
    b"chunked,",
    b";",
    b"HTTP/1.1 100 Continue\r\n\r\n",
];

/// The n-th mutated answer.
fn mutated(n: u64) -> Vec<u8> {
    let mut draws = 0;
    let mut draw = |below: usize| {
        draws += 1;
        usize::try_from(Seed(n).draw("mutation").with(draws).below(below.max(1) as u64)).expect("it is small")
    };
    let mut bytes = SEEDS[draw(SEEDS.len())].as_bytes().to_vec();
    for _ in 0..1 + draw(6) {
        let at = draw(bytes.len() + 1);
        match draw(6) {
            0 if at < bytes.len() => bytes[at] = u8::try_from(draw(256)).expect("a byte"),
            1 if at < bytes.len() => drop(bytes.remove(at)),
            2 => bytes.truncate(at),
            3 => {
                let from = draw(bytes.len() + 1).min(at);
                let copied = bytes[from..at].to_vec();
                bytes.splice(at..at, copied);
            }
            _ => drop(bytes.splice(at..at, PIECES[draw(PIECES.len())].iter().copied())),
        }
    }
    bytes
}

fn understood(method: &str, pieces: impl Iterator<Item = impl AsRef<[u8]>>, end: End) -> Understood {
    let mut answer = Answer::new(method, KEEP);
    pieces.for_each(|piece| answer.feed(piece.as_ref()));
    answer.finish(end)
}

#[test]
fn no_answer_makes_the_parser_panic_or_contradict_itself() {
    let mut answered = 0;
    for n in 0..ANSWERS {
        let bytes = mutated(n);
        let end = ENDS[usize::try_from(n).expect("small") % ENDS.len()];
        let method = ["GET", "HEAD", "CONNECT", "POST"][usize::try_from(n / 7).expect("small") % 4];
        let whole = understood(method, std::iter::once(&bytes), end);
        answered += u64::from(matches!(whole.ending, Ending::Answered(_)));
        let shown = || format!("{n}: {:?} {end:?}\n{whole:?}", String::from_utf8_lossy(&bytes));
        assert!(whole.body.len() <= KEEP && whole.body.len() as u64 <= whole.body_bytes, "{}", shown());
        assert!(whole.surplus <= whole.body_bytes, "{}", shown());
        assert!(!matches!(whole.ending, Ending::Unfinished), "{}", shown());
        if let Ending::Answered(status) = whole.ending {
            assert_eq!(whole.status_line.as_ref().map(|(status, ..)| *status), Some(status), "{}", shown());
            assert!(status < 1000 && !((100..200).contains(&status) && status != 101), "{}", shown());
        }
        if whole.body_complete {
            assert!(matches!(whole.ending, Ending::Answered(_)), "{}", shown());
        }
        let cuts = usize::try_from(n % 5).expect("small") + 1;
        let pieces = understood(method, bytes.chunks(cuts), end);
        assert_eq!(format!("{pieces:?}"), format!("{whole:?}"), "in pieces of {cuts}: {}", shown());
    }
    assert!((ANSWERS / 20..ANSWERS).contains(&answered), "{answered} of {ANSWERS} were understood: the mutations are too wild or too tame");
}

#[test]
fn noise_is_never_an_answer() {
    for n in 0..2_000u64 {
        let noise: Vec<u8> = (0..200).map(|at| u8::try_from(Seed(n).draw("noise").with(at).below(256)).expect("a byte")).collect();
        let found = understood("GET", noise.chunks(17), End::Closed);
        assert!(matches!(found.ending, Ending::Failed(_)) && found.status_line.is_none(), "{n}: {found:?}");
    }
}

#[test]
fn a_flood_of_anything_takes_no_time() {
    let begun = std::time::Instant::now();
    for piece in PIECES {
        let head = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        for prefix in [&b""[..], b"HTTP/1.1 200 OK\r\n", b"HTTP/1.1 200 OK\r\nX-A: ", head] {
            let flood = [prefix, &piece.repeat((1 << 18) / piece.len())].concat();
            // One byte at a time is the worst that a network can do.
            understood("GET", flood.chunks(1), End::OutOfTime);
        }
    }
    let took = begun.elapsed();
    assert!(took < std::time::Duration::from_secs(60), "{took:?} for {} MiB", PIECES.len());
}
