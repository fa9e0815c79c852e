//! What the proxy can do to an attempt, one file each. None of them decides anything.

pub(super) mod black_hole;
pub(super) mod corrupt;
pub(super) mod course;
pub(super) mod cut;
pub(super) mod delay;
pub(super) mod half_close;
pub(super) mod hold;
pub(super) mod lost;
pub(super) mod misframed;
pub(super) mod raw;
pub(super) mod refuse;
pub(super) mod reset;
pub(super) mod respond;
pub(super) mod slow_body;
pub(super) mod stall;
pub(super) mod stream;
pub(super) mod strike;
pub(super) mod throttle;
pub(super) mod tls_failure;
pub(super) mod turn;

use super::control::Ending;
use super::socket::LetGo;
use crate::clock::Timer;

/// Ends a connection that hyper has let go of. The caller drops this where the proxy is to stop at once.
pub(super) async fn carry_out(ending: Ending, client: LetGo, timer: &Timer) {
    match ending {
        Ending::Plain => {}
        Ending::Cut | Ending::GoAway(_) => cut::close(client.stream.into_socket(), timer).await,
        Ending::Reset | Ending::RefuseStream | Ending::ResetStream(_) => reset::reset(client.stream.into_socket(), timer).await,
        Ending::HalfClose => half_close::half_close(client.stream.into_socket()).await,
        Ending::Raw(answer) => Box::pin(raw::write(*answer, client, timer)).await,
    }
}
