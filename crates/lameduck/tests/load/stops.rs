//! Stops of one kind, again and again, and what they came to.

use std::collections::VecDeque;
use std::fmt::Write as _;
use std::io::Write as _;
use std::time::Duration;

use lameduck_testkit::{Server, Signal, Tally, eventually, pause};
use serde_json::Value;

use crate::load::Load;

/// How often each case stops its server, if nothing else is said by `LAMEDUCK_RUNS`.
const RUNS: u32 = 3;

/// How many stops later a load's clients are waited for.
const BEHIND: u32 = 6;

/// The longest that a stop may take; the target's whole budget is 6 s.
const LONGEST: Duration = Duration::from_secs(10);

pub(crate) fn runs() -> u32 {
    std::env::var("LAMEDUCK_RUNS").map_or(RUNS, |text| {
        text.parse().unwrap_or_else(|_| {
            panic!("LAMEDUCK_RUNS={text:?} is no number; write it like LAMEDUCK_RUNS=20")
        })
    })
}

/// A case's stops. Clients that wait for a second to be refused do so while the next stop is under way: they are silent.
pub(crate) struct Stops {
    name: String,
    loads: VecDeque<(u32, Box<dyn Load>)>,
    /// What has been counted so far.
    all: Tally,
    kept: VecDeque<(u32, Box<dyn std::any::Any>)>,
    took: Vec<Duration>,
    completed: u64,
    /// What the servers said about their stops.
    reports: Vec<Value>,
}

impl Stops {
    pub(crate) fn of(name: &str) -> Stops {
        Stops {
            name: name.to_owned(),
            loads: VecDeque::new(),
            all: Tally::default(),
            kept: VecDeque::new(),
            took: Vec::new(),
            completed: 0,
            reports: Vec::new(),
        }
    }

    /// Stops `server` under `loads` once `warm` more requests are answered, at another moment of the `round_trip` each
    /// time. Gives the report.
    ///
    /// # Panics
    /// If it doesn't end clean and in time.
    pub(crate) fn stop(
        &mut self,
        server: &Server,
        loads: Vec<Box<dyn Load>>,
        warm: u64,
        round_trip: Duration,
    ) -> Value {
        warm_up(&loads, warm);
        let number = self.took.len() as u32;
        // The golden ratio spreads any number of moments evenly.
        pause(round_trip.mul_f64((f64::from(number) * 0.618).fract()));
        self.end(server, loads).unwrap_or_else(|error| panic!("{}, {error}", self.name))
    }

    /// Stops `server` under `loads` now. Gives the report.
    ///
    /// # Errors
    /// It did not end clean.
    ///
    /// # Panics
    /// If it doesn't end in time.
    pub(crate) fn end(
        &mut self,
        server: &Server,
        loads: Vec<Box<dyn Load>>,
    ) -> Result<Value, String> {
        let number = self.took.len() as u32;
        let at = server.signal(Signal::TERM);
        loads.iter().for_each(|load| load.signalled(at));
        let exit = server.wait_exit(LONGEST);
        self.took.push(exit.at - at);
        let report = exit.report();
        self.completed += report["requests"]["completed"].as_u64().unwrap_or_default();
        self.reports.push(report.clone());
        self.wait_later(number, loads);
        if exit.code == Some(0) && report["outcome"] == "clean" {
            return Ok(report);
        }
        Err(format!("stop {number}: exit code {:?}: {report}", exit.code))
    }

    /// Holds something until the clients have ended: a relay.
    pub(crate) fn keep(&mut self, what: impl std::any::Any) {
        self.kept.push_back((self.took.len() as u32, Box::new(what)));
    }

    /// Counts a stop that somebody else did, under `loads`.
    pub(crate) fn add(&mut self, took: Duration, loads: Vec<Box<dyn Load>>) {
        let number = self.took.len() as u32;
        self.took.push(took);
        self.wait_later(number, loads);
    }

    /// Counts requests that no load made.
    pub(crate) fn answered(&mut self, requests: usize) {
        self.all.answered += requests as u64;
    }

    /// How many there were, and what was counted so far: the clients of the last few stops are still to come.
    #[allow(dead_code, reason = "the soak shows them while it goes on")]
    pub(crate) fn so_far(&self) -> (usize, &Tally) {
        (self.took.len(), &self.all)
    }

    /// Puts loads behind those whose ends are still awaited, and waits for those that should have ended by now: their
    /// threads must not pile up.
    fn wait_later(&mut self, number: u32, loads: Vec<Box<dyn Load>>) {
        self.loads.extend(loads.into_iter().map(|load| (number, load)));
        self.count(number.saturating_sub(BEHIND));
    }

    /// Waits for the loads of the stops before `end` and counts them.
    fn count(&mut self, end: u32) {
        while let Some((number, load)) = self.loads.pop_front_if(|(number, _)| *number < end) {
            let mut tally = load.tally();
            for failure in &mut tally.failures {
                failure.insert_str(0, &format!("stop {number}: "));
            }
            if let (1.., Some(report)) = (tally.failed(), self.reports.get(number as usize)) {
                tally.failures.push(format!("stop {number}: {report}"));
            }
            self.all.add(&tally);
        }
        while self.kept.pop_front_if(|(number, _)| *number < end).is_some() {}
    }

    /// Waits for the clients' ends; prints the figures.
    pub(crate) fn figures(self) -> Figures {
        let figures = self.counted();
        figures.print();
        figures
    }

    /// Waits for the clients' ends.
    pub(crate) fn counted(mut self) -> Figures {
        self.count(u32::MAX);
        let Stops { name, all, mut took, completed, .. } = self;
        took.sort();
        Figures { name, all, took, completed }
    }
}

/// Waits until so many requests are answered: the loads are in full swing.
pub(crate) fn warm_up(loads: &[Box<dyn Load>], requests: u64) {
    let answered = || loads.iter().map(|load| load.answered()).sum::<u64>();
    let flows = eventually(Duration::from_secs(20), || {
        answered() >= requests && loads.iter().all(|load| load.answered() > 0)
    });
    assert!(flows, "{} of {requests} requests answered after 20 s", answered());
}

/// What a case's stops came to.
pub(crate) struct Figures {
    name: String,
    pub(crate) all: Tally,
    /// From the signal to the exit, sorted.
    pub(crate) took: Vec<Duration>,
    completed: u64,
}

impl Figures {
    /// The guarantee: every request got its whole answer, or was refused before a byte of it was sent.
    pub(crate) fn lossless(&self) -> Result<(), String> {
        let Figures { name, all, .. } = self;
        if all.failed() + all.turned_away + all.reset == 0 {
            Ok(())
        } else {
            Err(format!("{name}: {all}"))
        }
    }

    /// A line for people; with `LAMEDUCK_FIGURES=path` a row of Markdown as well.
    fn print(&self) {
        let Figures { name, all, took, completed } = self;
        let ms = |time: Option<&Duration>| time.map_or(0.0, |time| time.as_secs_f64() * 1e3);
        let (median, longest) = (ms(took.get(took.len() / 2)), ms(took.last()));
        println!(
            "{name}: {} stops, median {median:.0} ms, longest {longest:.0} ms; {completed} requests completed in them; \
             {all}",
            took.len()
        );
        let Some(path) = std::env::var_os("LAMEDUCK_FIGURES") else { return };
        let mut row = String::new();
        let _ = writeln!(
            row,
            "| {name} | {} | {} | {} | {} | {} | {} | {} | {median:.0} | {longest:.0} |",
            took.len(),
            all.answered,
            completed,
            all.lost,
            all.reset,
            all.cut,
            all.hung + all.bad + all.turned_away,
        );
        let written = std::fs::OpenOptions::new()
            .create(true)
            .append(true)
            .open(&path)
            .and_then(|mut file| file.write_all(row.as_bytes()));
        if let Err(error) = written {
            panic!("{} (LAMEDUCK_FIGURES) can't be written: {error}", path.display());
        }
    }
}
