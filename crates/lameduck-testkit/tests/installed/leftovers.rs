//! None of them leaves a process or a directory behind, however its test ends.

use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::{Path, PathBuf};
use std::time::Duration;

use lameduck_testkit::{
    Chromium, Nats, Postgres, Proc, Redis, Server, Signal, Tool, eventually, needing, pause,
};
use libtest_mimic::Trial;

/// Which program this test program is to start, if it is run as a child.
const CHILD: &str = "TESTKIT_INSTALLED";
const LIMIT: Duration = Duration::from_secs(10);

/// What a program may leave behind.
struct Traces {
    processes: Vec<u32>,
    folder: PathBuf,
}

/// A program that runs until this is dropped, and its traces.
type Started = (Box<dyn Send>, Traces);

pub(crate) fn trials() -> Vec<Trial> {
    type Start = fn() -> Started;
    let programs: [(&str, Tool, Start); 4] = [
        ("postgres", Tool::Postgres, postgres),
        ("redis", Tool::Redis, redis),
        ("nats", Tool::Nats, nats),
        ("chromium", Tool::Chromium, chromium),
    ];
    let trials = programs.into_iter().flat_map(|(name, tool, start)| {
        let case = |suffix: &str, case: fn(&'static str, Start)| {
            needing(&[tool], &format!("{name}_{suffix}"), move || case(name, start))
        };
        [
            case("leaves_nothing_behind", |_, start| drop_leaves_nothing(start)),
            case("leaves_nothing_behind_a_panic", |_, start| panic_leaves_nothing(start)),
            case("leaves_nothing_behind_a_killed_test", |name, _| kill_leaves_nothing(name)),
        ]
    });
    trials.collect()
}

fn postgres() -> Started {
    let postgres = Postgres::start().unwrap();
    let traces = look(postgres.server(), postgres.folder());
    assert!(traces.processes.len() > 3, "its helpers run: {:?}", traces.processes);
    (Box::new(postgres), traces)
}

fn redis() -> Started {
    let redis = Redis::start().unwrap();
    let traces = look(redis.server(), redis.folder());
    (Box::new(redis), traces)
}

fn nats() -> Started {
    let nats = Nats::start().unwrap();
    let traces = look(nats.server(), nats.folder());
    (Box::new(nats), traces)
}

fn chromium() -> Started {
    let chromium = Chromium::start().unwrap();
    let _ = chromium.open("data:text/html,hello");
    let mut traces = look(chromium.server(), chromium.folder());
    assert!(traces.processes.len() > 3, "its helpers run: {:?}", traces.processes);
    // Those that left its group and its family, too.
    traces.processes.extend(all_that_name(&traces.folder));
    (Box::new(chromium), traces)
}

/// The process and all that descend from it.
fn look(server: &Server, folder: &Path) -> Traces {
    let mut processes = vec![server.pid()];
    let mut next = 0;
    while next < processes.len() {
        processes.extend(Proc::of(processes[next]).children());
        next += 1;
    }
    assert!(folder.is_dir());
    Traces { processes, folder: folder.to_owned() }
}

/// The processes that have a folder's path among their arguments.
fn all_that_name(folder: &Path) -> Vec<u32> {
    let name = folder.to_str().unwrap();
    let names = |pid: &u32| {
        std::fs::read(format!("/proc/{pid}/cmdline"))
            .is_ok_and(|line| String::from_utf8_lossy(&line).contains(name))
    };
    let entries = std::fs::read_dir("/proc").unwrap();
    entries
        .filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok())
        .filter(names)
        .collect()
}

fn nothing_is_left(Traces { processes, folder }: &Traces) {
    for &process in processes {
        assert!(eventually(LIMIT, || !Proc::of(process).runs()), "{process} of {processes:?}");
    }
    assert!(eventually(LIMIT, || !folder.exists()), "{} is there", folder.display());
    // Who removes the folder has its name, too.
    let left = || all_that_name(folder).into_iter().find(|&pid| Proc::of(pid).runs());
    assert!(eventually(LIMIT, || left().is_none()), "{:?} names {}", left(), folder.display());
}

fn drop_leaves_nothing(start: fn() -> Started) {
    let (program, traces) = start();
    drop(program);
    assert!(!traces.folder.exists(), "{} is there", traces.folder.display());
    nothing_is_left(&traces);
}

fn panic_leaves_nothing(start: fn() -> Started) {
    let mut left = None;
    let panic = catch_unwind(AssertUnwindSafe(|| {
        let (_program, traces) = start();
        left = Some(traces);
        panic!("on purpose");
    }));
    assert_eq!(*panic.unwrap_err().downcast::<&str>().unwrap(), "on purpose");
    nothing_is_left(&left.unwrap());
}

/// This test program again, as a child that starts the program and is killed.
fn kill_leaves_nothing(name: &str) {
    let me = std::env::current_exe().unwrap();
    let child = Server::command(me).env(CHILD, name).start();
    child.wait_for_stdout(";", 6 * LIMIT);
    let printed = child.stdout();
    let (folder, processes) = printed.trim_end_matches(";\n").split_once('|').unwrap();
    let processes: Vec<u32> = processes.split(' ').map(|pid| pid.parse().unwrap()).collect();
    let traces = Traces { processes, folder: folder.into() };
    assert!(Proc::of(traces.processes[0]).runs() && traces.folder.exists());
    child.signal(Signal::KILL);
    nothing_is_left(&traces);
}

/// What the child does; true if this is one.
pub(crate) fn start_and_wait_to_be_killed() -> bool {
    let Ok(name) = std::env::var(CHILD) else { return false };
    let (_program, Traces { processes, folder }) = match &*name {
        "postgres" => postgres(),
        "redis" => redis(),
        "nats" => nats(),
        "chromium" => chromium(),
        other => panic!("no program {other}"),
    };
    let processes: Vec<String> = processes.iter().map(u32::to_string).collect();
    println!("{}|{};", folder.display(), processes.join(" "));
    std::io::stdout().flush().unwrap();
    pause(6 * LIMIT);
    true
}
