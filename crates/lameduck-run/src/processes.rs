//! Who descends from whom, as `/proc` has it at a moment.

use std::collections::HashMap;
use std::fs;

/// All processes that can be seen: each with its parent and its process group.
#[derive(Debug, Default)]
pub(crate) struct Processes(HashMap<i32, Kin>);

#[derive(Clone, Copy, Debug)]
struct Kin {
    parent: i32,
    group: i32,
}

impl Processes {
    /// Those of this moment.
    pub(crate) fn now() -> Self {
        let Ok(entries) = fs::read_dir("/proc") else { return Self::default() };
        let pids = entries.flatten().filter_map(|entry| entry.file_name().to_str()?.parse().ok());
        Self(pids.filter_map(|pid| Some((pid, Kin::of(pid)?))).collect())
    }

    /// Whether `pid` is `root`, in its process group, or below it.
    pub(crate) fn belongs(&self, pid: i32, root: i32) -> bool {
        let mut at = pid;
        // No tree is deeper than there are processes.
        for _ in 0..=self.0.len() {
            let Some(kin) = self.0.get(&at) else { return at == root };
            if at == root || kin.group == root {
                return true;
            }
            at = kin.parent;
        }
        false
    }

    /// `root` and all that belong to it.
    pub(crate) fn below(&self, root: i32) -> Vec<i32> {
        self.0.keys().copied().filter(|pid| self.belongs(*pid, root)).collect()
    }
}

impl Kin {
    fn of(pid: i32) -> Option<Self> {
        let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
        Self::read(&stat)
    }

    /// pid (name) state ppid pgrp …: the name may hold anything, so from its last parenthesis on.
    fn read(stat: &str) -> Option<Self> {
        let mut fields = stat.rsplit_once(") ")?.1.split(' ').skip(1);
        let parent = fields.next()?.parse().ok()?;
        Some(Self { parent, group: fields.next()?.parse().ok()? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kin(parent: i32, group: i32) -> Kin {
        Kin { parent, group }
    }

    #[test]
    fn one_belongs_by_its_group_or_by_its_ancestors() {
        let all = [(10, kin(1, 10)), (11, kin(10, 11)), (12, kin(11, 12)), (13, kin(1, 10))];
        let all = Processes(all.into_iter().chain([(20, kin(1, 20))]).collect());
        for pid in [10, 11, 12, 13] {
            assert!(all.belongs(pid, 10), "{pid}");
        }
        assert!(!all.belongs(20, 10) && !all.belongs(99, 10) && !all.belongs(1, 10));
        let mut below = all.below(10);
        below.sort_unstable();
        assert_eq!(below, [10, 11, 12, 13]);
    }

    #[test]
    fn a_loop_of_parents_that_a_race_made_ends() {
        let all = Processes([(10, kin(11, 1)), (11, kin(10, 1))].into());
        assert!(!all.belongs(10, 5));
    }

    #[test]
    fn a_name_may_hold_parentheses_and_spaces() {
        let kin = Kin::read("42 (a) b) S 7 40 40 0").unwrap();
        assert_eq!((kin.parent, kin.group), (7, 40));
        assert!(Kin::read("").is_none());
    }

    #[test]
    fn this_process_is_below_its_parent() {
        let (me, parent) = (std::process::id(), std::os::unix::process::parent_id());
        assert!(Processes::now().belongs(me.cast_signed(), parent.cast_signed()));
    }
}
