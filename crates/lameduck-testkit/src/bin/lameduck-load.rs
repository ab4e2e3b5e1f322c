//! A load from the command line, for where a test can't go: another namespace's user, a container, a hand at work.
//!
//! ```text
//! lameduck-load --kind fresh|keepalive --addr 127.0.0.1:8080 [--clients 50] [--path /] [--for 3s]
//!               [--think 10ms] [--until-refused] [--tls]
//! ```
//! Prints the tally as one line of JSON. Ends when the time is over, on SIGTERM, when standard input closes, or when
//! every client was refused after the signal. A line `signal` on standard input says that the server is signalled now
//! (`--until-refused`: from the start on).

use std::io::BufRead;
use std::net::SocketAddr;
use std::process::ExitCode;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::{Duration, Instant};

use lameduck_testkit::{Fresh, KeepAlive, Running, speak_tls};

const SIGTERM: i32 = 15;

struct Options {
    load: Running,
    time: Duration,
}

fn main() -> ExitCode {
    match options(std::env::args().skip(1)).and_then(run) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::from(2)
        }
    }
}

fn run(Options { load, time }: Options) -> Result<(), String> {
    let told = Arc::new(AtomicBool::new(false));
    signal_hook::flag::register(SIGTERM, Arc::clone(&told))
        .map_err(|error| format!("no handler for SIGTERM: {error}"))?;
    let (lines, input) = mpsc::channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            let _ = lines.send(line);
        }
    });
    let end = Instant::now() + time;
    while !told.load(Ordering::Relaxed) && !load.ended() && Instant::now() < end {
        match input.recv_timeout(Duration::from_millis(5)) {
            Ok(line) if line == "signal" => load.signalled(Instant::now()),
            Ok(_) | Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => break,
        }
    }
    let tally = load.finish();
    println!("{}", serde_json::to_string(&tally).map_err(|error| error.to_string())?);
    Ok(())
}

fn options(mut args: impl Iterator<Item = String>) -> Result<Options, String> {
    let (mut kind, mut addr, mut clients, mut path) = (None, None, 50, "/".to_owned());
    let (mut time, mut think, mut until_refused) =
        (Duration::from_secs(3600), Duration::from_millis(10), false);
    while let Some(flag) = args.next() {
        if flag == "--tls" {
            speak_tls();
            continue;
        }
        if flag == "--until-refused" {
            until_refused = true;
            continue;
        }
        let value = args.next().ok_or_else(|| format!("{flag} needs a value"))?;
        let wrong = || format!("{flag} {value:?} cannot be read");
        match flag.as_str() {
            "--kind" => kind = Some(value),
            "--addr" => addr = Some(value.parse::<SocketAddr>().map_err(|_| wrong())?),
            "--clients" => clients = value.parse().map_err(|_| wrong())?,
            "--path" => path = value,
            "--for" => time = duration(&value).ok_or_else(wrong)?,
            "--think" => think = duration(&value).ok_or_else(wrong)?,
            _ => return Err(format!("{flag} is no option of this program")),
        }
    }
    let addr = addr.ok_or("--addr is missing")?;
    let load = match kind.as_deref() {
        Some("fresh") => Fresh::new(addr).clients(clients).path(&path).start(),
        Some("keepalive") => KeepAlive::new(addr).clients(clients).path(&path).think(think).start(),
        _ => return Err("--kind is fresh or keepalive".to_owned()),
    };
    if until_refused {
        load.signalled(Instant::now());
    }
    Ok(Options { load, time })
}

/// `3s`, `250ms`.
fn duration(text: &str) -> Option<Duration> {
    if let Some(number) = text.strip_suffix("ms") {
        return number.parse().ok().map(Duration::from_millis);
    }
    text.strip_suffix('s')?.parse().ok().map(Duration::from_secs)
}
