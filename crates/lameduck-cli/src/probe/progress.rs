//! What is shown while the cases run: one line that changes, and only on a terminal.

use std::io::{IsTerminal, Write};

use lameduck_probe::Progress;
use tokio::sync::mpsc::UnboundedReceiver;

/// Shows it until the run has ended.
pub(super) async fn show(mut progress: UnboundedReceiver<Progress>, cases: usize) {
    let visible = std::io::stderr().is_terminal();
    let (mut done, mut failed) = (0, 0);
    let mut running: Vec<&str> = Vec::new();
    while let Some(event) = progress.recv().await {
        match event {
            Progress::Has(_) => {}
            Progress::Begun(case) => running.push(case.id),
            Progress::Ended(case, judgement) => {
                done += 1;
                failed += usize::from(judgement.verdict.is_failure());
                running.retain(|id| *id != case.id);
            }
        }
        if visible {
            let names: String = running.join(" ").chars().take(80).collect();
            eprint!("\r\u{1b}[K{done} of {cases} cases, {failed} failed; {names}");
            let _ = std::io::stderr().flush();
        }
    }
    if visible {
        eprint!("\r\u{1b}[K");
    }
}
