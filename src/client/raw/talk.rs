//! One request and its answer on one connection: writing and reading at the same time, every wait bounded.

use std::future::Future;
use std::io;
use std::pin::pin;

use tokio::io::{AsyncReadExt, AsyncWrite, AsyncWriteExt};

use super::answer::{Answer, End};
use super::{RawBody, RawLimits, RawReply, RawRequest, RawTimeouts, Request, request};
use crate::client::failure::before_the_head;
use crate::client::stream::Stream;
use crate::clock::Clock;
use crate::units::{Micros, Offset};
use crate::wire::{Failure, Stamps};

/// Bytes read at once.
const PIECE: usize = 16 * 1024;

/// The terms of a conversation.
pub(super) struct Talk {
    pub(super) clock: Clock,
    pub(super) timeouts: RawTimeouts,
    pub(super) limits: RawLimits,
    pub(super) started_at: Offset,
}

/// How far we are.
struct Progress {
    answer: Answer,
    received: u64,
    /// When the head of the answer was there, and when the message had ended.
    head_at: Option<Offset>,
    over_at: Option<Offset>,
    /// When the last bytes came.
    heard_at: Offset,
    /// When the request had been written, as far as it could be.
    written_at: Option<Offset>,
    /// Until when the body is held back for `100 Continue`.
    held_until: Option<Offset>,
    /// The target answered while the body was held back: it is not sent any more.
    refused: bool,
}

impl Talk {
    /// Writes the request, reads the answer, listens a little longer.
    pub(super) async fn carry_on(&self, stream: Stream, request: &RawRequest<'_>, mut stamps: Stamps) -> RawReply {
        let (mut reader, mut writer) = tokio::io::split(stream);
        let now = self.clock.now();
        let mut progress = Progress {
            answer: Answer::new(request.method, self.limits.keep_body),
            received: 0,
            head_at: None,
            over_at: None,
            heard_at: now,
            written_at: None,
            held_until: None,
            refused: false,
        };
        let mut reached = Request::Begun;
        let mut end = {
            let head = request::head(request);
            let mut writing_head = pin!(write(&mut writer, &head));
            self.listen(&mut reader, &mut progress, &mut writing_head).await.1
        };
        if end.is_none() {
            progress.held_until = request.expect_continue.then(|| self.clock.now() + self.timeouts.expect);
            let mut writing_body = pin!(write_body(&mut writer, request.body));
            let (written, ended) = self.listen(&mut reader, &mut progress, &mut writing_body).await;
            if written {
                reached = Request::Complete;
            }
            end = ended;
        }
        if end.is_none() {
            progress.written_at = Some(self.clock.now());
            let mut nothing = pin!(std::future::pending());
            end = self.listen(&mut reader, &mut progress, &mut nothing).await.1;
        }
        stamps.first_byte_at = progress.head_at;
        stamps.ended_at = progress.over_at.unwrap_or_else(|| self.clock.now());
        RawReply::of(progress.answer.finish(end.unwrap_or(End::OutOfTime)), stamps, &self.clock, reached)
    }

    /// Reads until the writing is done, or until there is no more to read; says whether all was written, and the end.
    async fn listen(
        &self,
        reader: &mut (impl AsyncReadExt + Unpin),
        progress: &mut Progress,
        writing: &mut (impl Future<Output = io::Result<()>> + Unpin),
    ) -> (bool, Option<End>) {
        let mut piece = vec![0; PIECE];
        loop {
            let held = progress.held_until.filter(|_| !progress.answer.says_continue() && !progress.refused);
            let (deadline, why) = self.deadline(progress);
            let now = self.clock.now();
            // A target that always has a next byte would never let the timer speak.
            if now >= deadline {
                return (false, Some(why));
            }
            let wait = held.map_or(deadline, |held| held.min(deadline)).since(now);
            tokio::select! {
                biased;
                result = &mut *writing, if held.is_none() && !progress.refused => return (result.is_ok(), None),
                read = reader.read(&mut piece) => match read {
                    Ok(0) => return (false, Some(End::Closed)),
                    Ok(bytes) => {
                        if let Some(end) = self.heard(progress, &piece[..bytes]) {
                            return (false, Some(end));
                        }
                    }
                    Err(error) => return (false, Some(broken(&error))),
                },
                () = tokio::time::sleep(wait.as_duration()) => match held {
                    Some(held) if held < deadline => progress.held_until = None,
                    _ => return (false, Some(why)),
                },
            }
        }
    }

    /// Takes what arrived; an end where nothing more is wanted.
    fn heard(&self, progress: &mut Progress, bytes: &[u8]) -> Option<End> {
        let now = self.clock.now();
        progress.heard_at = now;
        progress.received += bytes.len() as u64;
        progress.answer.feed(bytes);
        if progress.answer.has_head() {
            progress.head_at.get_or_insert(now);
            progress.refused |= progress.held_until.is_some() && !progress.answer.says_continue();
        }
        if progress.answer.is_over() {
            progress.over_at.get_or_insert(now);
        }
        match () {
            () if progress.answer.is_nonsense() => Some(End::Closed),
            () if progress.received > self.limits.most => Some(End::TooMuch),
            () => None,
        }
    }

    /// Until when is listened, and what it means that nothing came.
    fn deadline(&self, progress: &Progress) -> (Offset, End) {
        let total = self.started_at + self.timeouts.total;
        if let Some(over_at) = progress.over_at {
            // Surplus may come for as long as it likes to: ten times as long at most.
            let linger = self.timeouts.linger;
            let most = over_at + Micros(linger.0.saturating_mul(10));
            return ((progress.heard_at + linger).min(most).min(total), End::Silent);
        }
        match (progress.head_at, progress.written_at) {
            (Some(_), _) if progress.answer.ends_in_silence() => {
                let silent_at = progress.heard_at + Micros(self.timeouts.linger.0.saturating_mul(4));
                if silent_at < total { (silent_at, End::Silent) } else { (total, End::OutOfTime) }
            }
            (None, Some(written_at)) => ((written_at + self.timeouts.first_byte).min(total), End::OutOfTime),
            _ => (total, End::OutOfTime),
        }
    }
}

async fn write(writer: &mut (impl AsyncWrite + Unpin), bytes: &[u8]) -> io::Result<()> {
    writer.write_all(bytes).await?;
    writer.flush().await
}

async fn write_body(writer: &mut (impl AsyncWrite + Unpin), body: RawBody<'_>) -> io::Result<()> {
    match body {
        RawBody::None => Ok(()),
        RawBody::Bytes(bytes) | RawBody::Unframed(bytes) | RawBody::Declared { bytes, .. } => write(writer, bytes).await,
        RawBody::Chunked(bytes) => {
            if !bytes.is_empty() {
                writer.write_all(format!("{:x}\r\n", bytes.len()).as_bytes()).await?;
                writer.write_all(bytes).await?;
                writer.write_all(b"\r\n").await?;
            }
            write(writer, b"0\r\n\r\n").await
        }
        RawBody::Slow { bytes, piece, pause } => {
            for (nth, piece) in bytes.chunks(piece.max(1)).enumerate() {
                if nth > 0 {
                    tokio::time::sleep(pause.as_duration()).await;
                }
                write(writer, piece).await?;
            }
            Ok(())
        }
    }
}

fn broken(error: &io::Error) -> End {
    match before_the_head(error) {
        Failure::Closed => End::Closed,
        Failure::Tls => End::Spoiled,
        _ => End::Reset,
    }
}
