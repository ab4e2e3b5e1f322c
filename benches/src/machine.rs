//! Where this runs.

use std::fs;
use std::io::Write;
use std::process::Command;

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use rustix::thread::{CpuSet, sched_setaffinity};
use serde_json::{Value, json};

use crate::Failure;

/// Two ends of 18,000 connections never lie in one process, so this is enough for each.
const DESCRIPTORS: u64 = 20_000;

/// How many processors this process may use.
pub(crate) fn processors() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}

/// Machine and versions.
pub(crate) fn describe() -> Value {
    let cpu = fs::read_to_string("/proc/cpuinfo").unwrap_or_default();
    let cpu = cpu.lines().find_map(|line| line.strip_prefix("model name")?.split_once(": "));
    let kernel = fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let load = fs::read_to_string("/proc/loadavg").unwrap_or_default();
    json!({
        "processors": processors(),
        "processor": cpu.map_or("unknown", |(_, name)| name),
        "linux": kernel.trim(),
        "load average at the start": load.split(' ').take(3).collect::<Vec<_>>().join(" "),
        "date": first_line("date", &["-u", "+%Y-%m-%d %H:%M UTC"]),
        "rustc": first_line("rustc", &["--version"]),
        "go": first_line("go", &["version"]),
        "valgrind": first_line("valgrind", &["--version"]),
        "h2load": first_line("h2load", &["--version"]),
        "lameduck": first_line("git", &["describe", "--always", "--dirty"]),
    })
}

fn first_line(program: &str, arguments: &[&str]) -> String {
    let output = Command::new(program).args(arguments).output();
    let text = output.map(|output| String::from_utf8_lossy(&output.stdout).into_owned());
    let text = text.unwrap_or_default();
    text.lines().next().map_or_else(|| "not there".to_owned(), str::to_owned)
}

/// Lets this process, and the servers that it starts, have the descriptors that 18,000 connections take.
pub(crate) fn raise_descriptors() -> Result<(), Failure> {
    let now = getrlimit(Resource::Nofile);
    if now.current.is_none_or(|current| current >= DESCRIPTORS) {
        return Ok(());
    }
    let maximum = now.maximum.map(|maximum| maximum.max(DESCRIPTORS));
    setrlimit(Resource::Nofile, Rlimit { current: Some(DESCRIPTORS), maximum }).map_err(
        |error| {
            format!(
                "{DESCRIPTORS} descriptors are needed: {error}; run as root, or raise `ulimit -Hn`"
            )
        },
    )?;
    Ok(())
}

/// Keeps the calling thread, and what it starts, on one processor.
pub(crate) fn stay_on(processor: usize) -> Result<(), String> {
    let mut set = CpuSet::new();
    set.set(processor);
    sched_setaffinity(None, &set)
        .map_err(|error| format!("cannot stay on processor {processor}: {error}"))
}

/// Keeps idle processors from sleeping, until what it returns drops (`/dev/cpu_dma_latency`: the kernel's
/// `Documentation/power/pm_qos_interface.rst`). On a virtual machine whoever wakes one that sleeps pays for an exit to the
/// host: the load, with each connection, for a server that is done early.
pub(crate) fn keep_awake() -> Result<fs::File, String> {
    const DEVICE: &str = "/dev/cpu_dma_latency";
    let ask = || {
        let mut device = fs::File::options().write(true).open(DEVICE)?;
        device.write_all(&0_i32.to_ne_bytes())?;
        Ok(device)
    };
    ask().map_err(|error: std::io::Error| format!("{DEVICE}: {error}"))
}

/// The processor time that a process has used so far, in microseconds: what its threads that still live have run.
pub(crate) fn processor_micros(pid: u32) -> Result<f64, Failure> {
    let mut nanos = 0;
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        // A thread may end while we look.
        let text = fs::read_to_string(task?.path().join("schedstat")).unwrap_or_default();
        nanos += text.split(' ').next().and_then(|ran| ran.parse::<u64>().ok()).unwrap_or(0);
    }
    Ok(nanos as f64 / 1e3)
}
