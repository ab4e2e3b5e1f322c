//! Two kernels' network stacks with a long wire between them: handshakes are delayed as well.
//!
//! Two network namespaces each have a TUN device; a small Python program holds what one device gives for the delay
//! and hands it to the other. (The kernel's own tool for this, netem, isn't in every kernel; attaching to a TUN device
//! takes an ioctl that no safe crate at hand has, which is why it is Python.)
//!
//! Everything is gone after the drop; what a killed test left behind is swept by the next one.

use std::io::{BufRead, BufReader};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use crate::places::is_root;
use crate::side::Side;

const WIRE: &str = include_str!("link/wire.py");
const PREFIX: &str = "lameduck-";
const DEVICE: &str = "wire";

/// A running link. What runs in its namespaces should end before it does.
#[derive(Debug)]
pub struct Link {
    /// Where servers run.
    pub server: Side,
    /// Where clients run.
    pub client: Side,
    wire: Option<Child>,
}

impl Link {
    /// Makes a link whose round trip is twice `one_way`.
    ///
    /// # Errors
    /// Why it can't be made here: no root, no TUN device, no `ip`, no Python, a container that forbids it.
    pub fn new(one_way: Duration) -> Result<Self, String> {
        static COUNT: AtomicU32 = AtomicU32::new(0);
        if !is_root() {
            return Err("network namespaces need root".to_owned());
        }
        if !Path::new("/dev/net/tun").exists() {
            return Err(
                "/dev/net/tun isn't there (no TUN in this kernel, or a container without it)"
                    .to_owned(),
            );
        }
        sweep();
        let number = COUNT.fetch_add(1, Ordering::Relaxed);
        let side = |which: &str, last: u8| Side {
            netns: format!("{PREFIX}{}-{number}-{which}", std::process::id()),
            v4: [10, 99, 0, last].into(),
            v6: [0xfd99, 0, 0, 0, 0, 0, 0, u16::from(last)].into(),
        };
        // From here on a failure's drop takes away what was made.
        let mut link = Self { server: side("server", 1), client: side("client", 2), wire: None };
        for side in [&link.server, &link.client] {
            ip(&format!("netns add {}", side.netns))?;
        }
        link.wire = Some(start_wire(&link.server, &link.client, one_way)?);
        for Side { netns, v4, v6 } in [&link.server, &link.client] {
            ip(&format!("-n {netns} link set lo up"))?;
            ip(&format!("-n {netns} addr add {v4}/24 dev {DEVICE}"))?;
            ip(&format!("-n {netns} link set {DEVICE} txqueuelen 10000 up"))?;
            // Without duplicate address detection, which would keep the address unusable for a second.
            ip(&format!("-n {netns} -6 addr add {v6}/64 dev {DEVICE} nodad"))?;
        }
        Ok(link)
    }
}

impl Drop for Link {
    fn drop(&mut self) {
        if let Some(mut wire) = self.wire.take() {
            // The end of its input is its end; the devices go with it.
            drop(wire.stdin.take());
            let _ = wire.wait();
        }
        for side in [&self.server, &self.client] {
            let _ = ip(&format!("netns del {}", side.netns));
        }
    }
}

fn start_wire(a: &Side, b: &Side, one_way: Duration) -> Result<Child, String> {
    let system = "/usr/bin/python3";
    let python = if Path::new(system).exists() { system } else { "python3" };
    let mut child = Command::new(python)
        .args([
            "-I",
            "-S",
            "-c",
            WIRE,
            DEVICE,
            &one_way.as_secs_f64().to_string(),
            &a.netns,
            &b.netns,
        ])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .map_err(|error| format!("{python} could not be started: {error}"))?;
    let mut line = String::new();
    if let Some(stdout) = child.stdout.as_mut() {
        let _ = BufReader::new(stdout).read_line(&mut line);
    }
    if line.trim() == "ready" {
        return Ok(child);
    }
    let output = child.wait_with_output().map_err(|error| error.to_string())?;
    let error = String::from_utf8_lossy(&output.stderr);
    Err(format!(
        "no TUN device: {}",
        error.lines().last().unwrap_or("the wire ended without a word")
    ))
}

/// Removes the namespaces of test processes that are gone.
fn sweep() {
    let Ok(entries) = std::fs::read_dir("/var/run/netns") else { return };
    for name in entries.filter_map(|entry| entry.ok()?.file_name().into_string().ok()) {
        let pid =
            name.strip_prefix(PREFIX).and_then(|rest| rest.split('-').next()?.parse::<u32>().ok());
        if pid.is_some_and(|pid| !Path::new(&format!("/proc/{pid}")).exists()) {
            let _ = ip(&format!("netns del {name}"));
        }
    }
}

fn ip(arguments: &str) -> Result<(), String> {
    let output = Command::new("ip")
        .args(arguments.split(' '))
        .output()
        .map_err(|error| format!("the command `ip` could not be started: {error}"))?;
    if output.status.success() {
        return Ok(());
    }
    Err(format!("`ip {arguments}` failed: {}", String::from_utf8_lossy(&output.stderr).trim()))
}
