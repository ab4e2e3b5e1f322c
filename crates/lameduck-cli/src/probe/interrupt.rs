//! Signals to the probe itself.

use futures_util::future::select_all;
use tokio::signal::unix::{SignalKind, signal};

/// Waits for the first signal that should end the probe; its number. The handlers are there once this has returned.
pub(super) fn interrupted() -> std::io::Result<impl Future<Output = u8>> {
    let kinds = [
        SignalKind::interrupt(),
        SignalKind::terminate(),
        SignalKind::hangup(),
        SignalKind::quit(),
    ];
    let mut signals = Vec::new();
    for kind in kinds {
        signals.push((u8::try_from(kind.as_raw_value()).unwrap_or_default(), signal(kind)?));
    }
    Ok(async move {
        let waits = signals.iter_mut().map(|(number, signal)| {
            Box::pin(async move {
                signal.recv().await;
                *number
            })
        });
        select_all(waits).await.0
    })
}
