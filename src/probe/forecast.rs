//! What a battery will come to, for `brownout check`: how much is sent, what wants consent, what nothing can reach.

use super::Mistake;
use super::battery::Battery;
use crate::contract::Contract;
use crate::id::RowIx;
use crate::plan::ProbeSettings;

/// Probes without consent that are named; the rest is counted.
const NAMED: usize = 5;

impl Battery {
    /// The forecast as text, ending with a line break.
    pub fn forecast(&self, contract: &Contract, settings: &ProbeSettings) -> String {
        let rows = (0..contract.rows.len()).map(RowIx::from);
        let in_scope: Vec<RowIx> = rows.filter(|&row| contract.row(row).excluded.is_none()).collect();
        let aimed = in_scope.iter().filter(|&&row| self.aims_at(row)).count();
        let requests = self.requests().saturating_mul(settings.repeat);
        let mut out = format!(
            "\nprobes   {} in at most {requests} requests, aimed at {aimed} of {} documented errors\n",
            self.probes.len(),
            in_scope.len()
        );
        if requests > settings.max_requests {
            // Bursts end when they are refused, long before their budget as a rule.
            let bursts: u32 = self.probes.iter().filter(|probe| probe.mistake == Mistake::Burst).map(|probe| probe.requests).sum();
            out.push_str(&format!(
                "  max_requests = {} may end it early ({bursts} of them are bursts, which end when refused)\n",
                settings.max_requests
            ));
        }
        let with = |wanted: fn(&super::Needs) -> bool| self.probes.iter().filter(|probe| wanted(&probe.needs)).count();
        let (writes, floods) = (with(|needs| needs.writes), with(|needs| needs.floods));
        out.push_str(&format!("  with consent: {writes} change the target's state, {floods} use up a limit or send large bodies\n"));
        for (key, of) in [("writes", false), ("floods", true)] {
            let refused: Vec<&str> = self.refused.iter().filter(|(_, needs)| needs.floods == of).map(|(id, _)| id.as_str()).collect();
            if !refused.is_empty() {
                let shown = refused.iter().take(NAMED).map(|id| format!("`{id}`")).collect::<Vec<_>>().join(", ");
                let more = if refused.len() > NAMED { format!(" and {} more", refused.len() - NAMED) } else { String::new() };
                out.push_str(&format!("  left out without `{key} = true`: {shown}{more}\n"));
            }
        }
        if !self.unprovoked.is_empty() {
            let width = self.unprovoked.iter().map(|one| contract.row(one.row).key.chars().count()).max().unwrap_or(0);
            out.push_str("  nothing is aimed at\n");
            for one in &self.unprovoked {
                out.push_str(&format!("    {:<width$}   {}\n", contract.row(one.row).key, one.why));
            }
        }
        out
    }
}
