//! Feature `sqlx`: closing a pool waits for connections that are checked out, within the time. With PostgreSQL and with
//! SQLite, and with `06_sqlx` as a real process.

use std::time::{Duration, Instant};

use lameduck::{Budget, Outcome, PartReport, PartState, Report, Service, Setup, StopHandle};
use lameduck_testkit::{KeepAlive, Postgres, Tool, eventually, needing};
use libtest_mimic::Trial;
use sqlx::postgres::PgPool;
use sqlx::sqlite::SqlitePool;
use sqlx::{Database, Pool};
use tokio::task::JoinHandle;

use crate::program::{SECOND, ended, part, program, spawn, stopped_under, test};

pub(crate) fn trials() -> Vec<Trial> {
    let tools = [Tool::Postgres];
    vec![
        needing(&tools, "b7_no_connection_to_postgresql_is_left_and_no_visit_is_lost", none_left),
        needing(&tools, "b7_a_postgresql_pool_waits_for_a_connection_that_is_checked_out", || {
            with_postgres(waits);
        }),
        needing(&tools, "a_postgresql_pool_that_cannot_close_is_left_behind_in_time", || {
            with_postgres(is_left_behind);
        }),
        test("b7_a_sqlite_pool_waits_for_a_connection_that_is_checked_out", || with_sqlite(waits)),
        test("a_sqlite_pool_that_cannot_close_is_left_behind_in_time", || {
            with_sqlite(is_left_behind);
        }),
    ]
}

/// Connections of the service.
const CONNECTIONS: &str = "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'visits'";

fn none_left() {
    let postgres = Postgres::start().unwrap();
    let number =
        |sql: &str| -> u64 { postgres.query(sql)[0][0].as_deref().unwrap().parse().unwrap() };
    let url = format!("{}?application_name=visits", postgres.url());
    let mut answered = 0;
    for _ in 0..3 {
        let server = program("06_sqlx").env("DATABASE_URL", &url).start();
        server.ready();
        // More clients than connections: some wait for one as the stop begins.
        let load = KeepAlive::new(server.addr()).clients(20).path("/visit").start();
        load.flowing(20);
        assert_eq!(number(CONNECTIONS), 5);
        let (tally, exit) = stopped_under(load, &server);
        // Each backend ends once it has read our goodbye.
        assert!(eventually(SECOND, || number(CONNECTIONS) == 0), "{}", number(CONNECTIONS));
        assert_eq!((tally.failed(), tally.turned_away), (0, 0), "{tally}");
        assert_eq!(part(&ended(&exit, 0), "db")["state"], "done");
        answered += tally.answered;
    }
    assert_eq!(number("SELECT count(*) FROM visits"), answered);
}

fn with_postgres<F: Future<Output = ()>>(case: impl FnOnce(PgPool) -> F) {
    let postgres = Postgres::start().unwrap();
    let url = postgres.url();
    block_on(async { case(PgPool::connect(&url).await.unwrap()).await });
}

fn with_sqlite<F: Future<Output = ()>>(case: impl FnOnce(SqlitePool) -> F) {
    block_on(async { case(SqlitePool::connect("sqlite::memory:").await.unwrap()).await });
}

async fn waits<DB: Database>(pool: Pool<DB>) {
    let connection = pool.acquire().await.unwrap();
    let (stop, report) = serving(pool.clone()).await;
    let stopped = Instant::now();
    stop.stop("the test is over");
    tokio::time::sleep(Duration::from_millis(400)).await;
    assert!(pool.is_closed(), "nobody gets a connection any more");
    drop(connection);
    let report = report.await.unwrap();
    assert!(stopped.elapsed() >= Duration::from_millis(400));
    assert_eq!(report.outcome, Outcome::Clean, "{report}");
    assert_eq!(db(&report).state, PartState::Done);
    assert_eq!(pool.size(), 0, "it has closed its connections");
}

async fn is_left_behind<DB: Database>(pool: Pool<DB>) {
    let connection = pool.acquire().await.unwrap();
    let (stop, report) = serving(pool).await;
    let stopped = Instant::now();
    stop.stop("the test is over");
    let report = report.await.unwrap();
    let took = stopped.elapsed();
    drop(connection);
    assert!(took >= CLOSE && took < CLOSE + SECOND, "{took:?}");
    assert_eq!(report.outcome, Outcome::Forced, "{report}");
    assert_eq!(db(&report).state, PartState::Abandoned);
    let stuck: Vec<&str> = report.stuck.iter().map(|stuck| stuck.name.as_str()).collect();
    assert_eq!(stuck, ["db"], "{report}");
}

/// How long these pools may take to close.
const CLOSE: Duration = Duration::from_secs(1);

/// A service of nothing but the pool, ready.
async fn serving<DB: Database>(pool: Pool<DB>) -> (StopHandle, JoinHandle<Report>) {
    let budget = Budget { lame_duck: Duration::ZERO, ..Budget::default() };
    let stop = StopHandle::new();
    let (tell, ready) = tokio::sync::oneshot::channel();
    let mut tell = Some(tell);
    let service = Service::new("pool").budget(budget).on_report(|_| ());
    let serving = service.serve(&stop, async move |shop: &mut Setup| {
        let db = shop.resource("db", pool).close_within(CLOSE);
        let ready = move || {
            drop(tell.take());
            async {}
        };
        shop.every("ready", 3600 * SECOND, ready).uses(&db);
        Ok(())
    });
    let report = spawn(serving);
    let _ = ready.await as Result<(), _>;
    (stop, report)
}

#[track_caller]
fn db(report: &Report) -> &PartReport {
    report.parts.iter().find(|part| part.name == "db").expect("the pool is in the report")
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    let runtime =
        tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.unwrap().block_on(work)
}
