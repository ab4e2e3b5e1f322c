//! Every verdict can fail: for each case there is a server that misbehaves, and the case must say so.
//!
//! ```text
//! cargo test -p lameduck-probe --test faults                 all of them
//! cargo test -p lameduck-probe --test faults -- idle         those whose name holds `idle`
//! ```
//! 1. The server is this program itself, started with `--serve FAULT` ([`server`]); without a fault it stops as it
//!    should, and passes the case: so it is the fault that is found, and nothing else.
//! 2. A case without a row in [`FAULTS`] is a failure.

mod fault;
mod server;
mod table;

use std::process::ExitCode;
use std::sync::Arc;
use std::time::Duration;

use lameduck_probe::{
    Case, CaseResult, Routes, ServerCommand, Setup, Signal, Verdict, all_cases, run_case,
};
use libtest_mimic::{Arguments, Failed, Trial};

use self::fault::Fault;
use self::table::{FAULTS, Want};

/// What the servers of these tests take at most to stop.
const GRACE: Duration = Duration::from_secs(2);

fn main() -> ExitCode {
    let mut words = std::env::args().skip(1);
    if words.next().as_deref() == Some("--serve") {
        return server::serve(words.next().as_deref(), words.next().as_deref(), GRACE);
    }
    let mut arguments = Arguments::from_args();
    // They mostly wait.
    arguments.test_threads.get_or_insert(6);
    let mut trials =
        vec![Trial::test("every_case_has_a_server_that_fails_it", every_case_is_there)];
    // To close a listener without loss takes more than this small server does; lameduck's target passes it.
    for case in all_cases().into_iter().filter(|case| case.group() != "load") {
        trials
            .push(Trial::test(format!("{} passes_without_a_fault", case.id), move || passes(case)));
    }
    for (id, fault, want) in FAULTS {
        let name = format!("{id} finds_{}", fault.name());
        trials.push(Trial::test(name, move || finds(id, *fault, *want)));
    }
    libtest_mimic::run(&arguments, trials).exit_code()
}

fn every_case_is_there() -> Result<(), Failed> {
    let lacking: Vec<_> = all_cases()
        .into_iter()
        .map(|case| case.id)
        .filter(|id| !FAULTS.iter().any(|row| row.0 == *id))
        .collect();
    if lacking.is_empty() {
        Ok(())
    } else {
        Err(format!("no server fails {}", lacking.join(", ")).into())
    }
}

fn passes(case: &'static Case) -> Result<(), Failed> {
    let result = judged(case, None);
    if result.judgement.verdict == Verdict::Pass { Ok(()) } else { Err(shown(&result)) }
}

fn finds(id: &str, fault: Fault, want: Want) -> Result<(), Failed> {
    let case = all_cases().into_iter().find(|case| case.id == id).ok_or("there is no such case")?;
    let result = judged(case, Some(fault));
    if want.is(result.judgement.verdict) { Ok(()) } else { Err(shown(&result)) }
}

fn judged(case: &'static Case, fault: Option<Fault>) -> CaseResult {
    let me = std::env::current_exe().expect("a program knows itself").display().to_string();
    let fault = fault.map_or("none", Fault::name);
    let words = [me.as_str(), "--serve", fault, "{port2}"].map(str::to_owned).to_vec();
    let ready = "http://127.0.0.1:{port2}/".to_owned();
    let setup = Setup {
        command: ServerCommand::new(words, Some(ready)).expect("a program"),
        routes: Routes::default(),
        signal: Signal::TERM,
        grace: GRACE,
        rtt: Duration::from_millis(40),
        start_limit: Duration::from_secs(20),
    };
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.expect("a runtime").block_on(run_case(&Arc::new(setup), case))
}

fn shown(result: &CaseResult) -> Failed {
    format!("{:?}\n{:#?}", result.judgement, result.record).into()
}
