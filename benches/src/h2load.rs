//! h2load (nghttp2), for HTTP/2.

use std::net::SocketAddr;
use std::process::Command;

use crate::Failure;
use crate::load::Rate;
use crate::summary::percentile;

/// Sends `requests` over `connections`, so many `streams` at a time on each; an error unless all of them succeeded.
///
/// By number, not by time: h2load may end a timed run with no request at all where the machine stalls.
pub(crate) fn run(
    to: SocketAddr,
    requests: usize,
    connections: usize,
    streams: usize,
) -> Result<Rate, Failure> {
    let log = std::env::temp_dir().join(format!("lameduck-bench-{}.log", std::process::id()));
    let _ = std::fs::remove_file(&log);
    let output = Command::new("h2load")
        .args(["-n", &requests.to_string()])
        .args(["-c", &connections.to_string()])
        .args(["-m", &streams.to_string()])
        .arg(format!("--log-file={}", log.display()))
        .arg(format!("http://{to}/"))
        .output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    let lines = std::fs::read_to_string(&log).unwrap_or_default();
    let _ = std::fs::remove_file(&log);
    if !text.contains(&format!(" {requests} succeeded,")) {
        return Err(format!("h2load: not all requests succeeded:\n{text}").into());
    }
    let (Some(per_second), Some(mut latencies)) = (rate(&text), latencies(&lines)) else {
        return Err(format!("h2load printed something else than expected:\n{text}").into());
    };
    let p99_micros = percentile(&mut latencies, 0.99) as f64;
    Ok(Rate { per_second, p99_micros, requests })
}

/// `finished in 1.66s, 12062.09 req/s, 283.91KB/s`.
fn rate(text: &str) -> Option<f64> {
    let line = text.lines().find_map(|line| line.strip_prefix("finished in "))?;
    line.split(", ").nth(1)?.strip_suffix(" req/s")?.parse().ok()
}

/// Start, status and time of each request in microseconds, between tabs.
fn latencies(lines: &str) -> Option<Vec<u64>> {
    lines.lines().map(|line| line.split('\t').nth(2)?.parse().ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_h2load_prints_is_understood() {
        let text = "progress: 100% done\n\nfinished in 1.66s, 12062.09 req/s, 283.91KB/s\n";
        assert_eq!(rate(text), Some(12_062.09));
        assert_eq!(rate("finished in a while"), None);
        let log = "1795395764231423\t200\t6794\n1795395764231421\t200\t6837\n";
        assert_eq!(latencies(log), Some(vec![6794, 6837]));
        assert_eq!(latencies("nonsense"), None);
    }
}
