//! Connections that are refused: for a time nobody listens.

use std::io;
use std::net::SocketAddr;

use tokio::net::{TcpListener, TcpSocket};

use crate::clock::Timer;
use crate::fault::{Effect, Fault, FaultRules, Window};
use crate::id::RuleIx;
use crate::units::{Micros, Offset};

/// How long to wait for the port where somebody has it.
const PAUSE: Micros = Micros::from_millis(1);
/// Connections that wait to be accepted at most.
const BACKLOG: u32 = 1024;

/// The next window in which connections are refused, by whichever rule it opens first.
pub(in crate::proxy) fn next(faults: &FaultRules, now: Offset) -> Option<(RuleIx, Window)> {
    let rules = faults.rules.iter().enumerate().filter(|(_, rule)| matches!(rule.effect, Effect::Fault(Fault::Refuse)));
    let windows = rules.flat_map(|(ix, rule)| rule.windows.iter().map(move |window| (RuleIx::from(ix), *window)));
    windows.filter(|(_, window)| window.end > now).min_by_key(|(_, window)| window.start)
}

/// Keeps an address without listening on it until the window ends, and listens again.
///
/// A socket that is bound and does not listen has its connections refused by the system, and nobody else gets the
/// port meanwhile, not even as the near end of a connection to it.
///
/// # Errors
/// Where the system gives no socket.
pub(in crate::proxy) async fn until(end: Offset, addr: SocketAddr, timer: &Timer) -> io::Result<TcpListener> {
    let seat = loop {
        let socket = if addr.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
        socket.set_reuseaddr(true)?;
        match socket.bind(addr) {
            Ok(()) => break socket,
            Err(_) => timer.sleep(PAUSE).await,
        }
    };
    timer.until(end).await;
    seat.listen(BACKLOG)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::fault::FaultRule;
    use crate::seed::Seed;

    #[test]
    fn windows_come_in_the_order_of_time_whatever_the_rules_are() {
        let at = |s| Offset(Micros::from_secs(s));
        let rule = |fault, windows: &[(u64, u64)]| FaultRule {
            windows: windows.iter().map(|(start, end)| Window::between(at(*start), at(*end))).collect(),
            ..FaultRule::new("x", Effect::Fault(fault))
        };
        let rules = vec![rule(Fault::Refuse, &[(9, 12), (1, 2)]), rule(Fault::BlackHole, &[(0, 99)]), rule(Fault::Refuse, &[(4, 5)])];
        let faults = FaultRules::new(Seed(1), rules);
        let starts = [0, 1, 2, 5, 11, 12].map(|now| next(&faults, at(now)).map(|(rule, window)| (rule.0, window.start.as_millis() / 1000)));
        assert_eq!(starts, [Some((0, 1)), Some((0, 1)), Some((2, 4)), Some((0, 9)), Some((0, 9)), None]);
    }
}
