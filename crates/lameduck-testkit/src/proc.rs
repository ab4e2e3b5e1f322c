//! What `/proc` says about a process.

use std::fs;
use std::path::PathBuf;
use std::time::Duration;

/// A process, looked at from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Proc(u32);

impl Proc {
    /// The process with this id.
    #[must_use]
    pub fn of(pid: u32) -> Self {
        Self(pid)
    }

    /// The processes that run in this process group, the oldest first.
    #[must_use]
    pub fn of_group(group: u32) -> Vec<Self> {
        let Ok(entries) = fs::read_dir("/proc") else { return Vec::new() };
        let mut found: Vec<(u64, u32)> = entries
            .filter_map(|entry| {
                let pid: u32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
                let fields = Self(pid).fields()?;
                // The 3rd, 5th and 22nd of all (proc(5)): the state, the process group, when it started.
                let field = |number: usize| fields.split(' ').nth(number - 3);
                let runs = !["Z", "X"].contains(&field(3)?);
                let (of, started) = (field(5)?.parse::<u32>().ok()?, field(22)?.parse().ok()?);
                (runs && of == group).then_some((started, pid))
            })
            .collect();
        found.sort_unstable();
        found.into_iter().map(|(_, pid)| Self(pid)).collect()
    }

    /// Its id.
    #[must_use]
    pub fn pid(&self) -> u32 {
        self.0
    }

    /// True while it runs: a process that ended and was not yet waited for doesn't.
    #[must_use]
    pub fn runs(&self) -> bool {
        self.state().is_some_and(|state| state != 'Z' && state != 'X')
    }

    /// How many descriptors it has open; 0 once it has ended.
    #[must_use]
    pub fn descriptors(&self) -> usize {
        fs::read_dir(self.path("fd")).map_or(0, Iterator::count)
    }

    /// How many of its descriptors are sockets.
    #[must_use]
    pub fn sockets(&self) -> usize {
        let Ok(entries) = fs::read_dir(self.path("fd")) else { return 0 };
        entries
            .filter_map(|entry| fs::read_link(entry.ok()?.path()).ok())
            .filter(|target| target.to_string_lossy().starts_with("socket:"))
            .count()
    }

    /// How many threads it has; 0 once it has ended.
    #[must_use]
    pub fn threads(&self) -> usize {
        if self.runs() { fs::read_dir(self.path("task")).map_or(0, Iterator::count) } else { 0 }
    }

    /// Its resident memory in bytes; 0 once it has ended.
    #[must_use]
    pub fn resident(&self) -> usize {
        self.memory("VmRSS:")
    }

    /// The most resident memory that it ever had, in bytes; 0 once it has ended.
    #[must_use]
    pub fn peak(&self) -> usize {
        self.memory("VmHWM:")
    }

    fn memory(&self, name: &str) -> usize {
        let status = fs::read_to_string(self.path("status")).unwrap_or_default();
        let kib = status
            .lines()
            .find_map(|line| line.strip_prefix(name)?.trim().strip_suffix(" kB")?.parse().ok());
        kib.unwrap_or(0_usize) * 1024
    }

    /// The processor time that it has used, in user and kernel mode, to 10 ms; 0 once it was waited for.
    #[must_use]
    pub fn processor_time(&self) -> Duration {
        let fields = self.fields().unwrap_or_default();
        // The 14th and 15th of all, in ticks of a hundredth of a second (proc(5), USER_HZ).
        let ticks = fields.split(' ').skip(11).take(2).filter_map(|text| text.parse::<u64>().ok());
        Duration::from_millis(ticks.sum::<u64>() * 10)
    }

    /// The processes that it started and that still run.
    #[must_use]
    pub fn children(&self) -> Vec<u32> {
        let Ok(tasks) = fs::read_dir(self.path("task")) else { return Vec::new() };
        let mut children: Vec<u32> = tasks
            .filter_map(|task| fs::read_to_string(task.ok()?.path().join("children")).ok())
            .flat_map(|list| {
                list.split_whitespace().filter_map(|pid| pid.parse().ok()).collect::<Vec<u32>>()
            })
            .filter(|&pid| Self::of(pid).runs())
            .collect();
        children.sort_unstable();
        children
    }

    /// The state's letter.
    fn state(&self) -> Option<char> {
        self.fields()?.chars().next()
    }

    /// What `stat` holds from its third field on, the state: what follows the name in parentheses, which may itself hold
    /// any character.
    fn fields(&self) -> Option<String> {
        let stat = fs::read_to_string(self.path("stat")).ok()?;
        stat.rsplit_once(") ").map(|(_, fields)| fields.to_owned())
    }

    fn path(&self, what: &str) -> PathBuf {
        PathBuf::from(format!("/proc/{}/{what}", self.0))
    }
}
