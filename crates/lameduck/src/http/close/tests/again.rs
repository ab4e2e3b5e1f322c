//! What needs a process of its own: another user, or too few descriptors.

use std::net::TcpStream;
use std::thread;
use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::sleep;

use super::{Folder, PATIENCE, address, ask, bind, block_on, serve};
use crate::http::close::close;

/// Runs a test of this binary again, in a process of its own.
fn again(test: &str, prepare: impl FnOnce(&mut std::process::Command)) {
    let mut command = std::process::Command::new("/proc/self/exe");
    command.args([test, "--nocapture"]).env("LAMEDUCK_TEST_AGAIN", "1");
    prepare(&mut command);
    let output = command.output().expect("started");
    let text = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{test}: {}\n{text}\n{errors}", output.status);
    assert!(!text.contains(" 0 passed"), "no such test: {test}\n{text}");
}

fn is_again() -> bool {
    std::env::var_os("LAMEDUCK_TEST_AGAIN").is_some()
}

/// Rules that hold for root may not hold for anybody else, who runs most services.
#[test]
fn all_of_it_as_an_ordinary_user() {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt as _;
    if is_again() || !rustix::process::getuid().is_root() {
        return;
    }
    // The build's folder may be closed to others.
    let folder = Folder::new("nobody");
    std::fs::set_permissions(&folder.0, PermissionsExt::from_mode(0o755)).expect("open to all");
    let program = folder.0.join("tests");
    std::fs::copy("/proc/self/exe", &program).expect("copied");
    std::fs::set_permissions(&program, PermissionsExt::from_mode(0o755)).expect("open to all");
    for tests in ["http::", "http::close::tests::again::connections_wait_for_descriptors"] {
        again(tests, |command| {
            let arguments: Vec<_> = command.get_args().map(ToOwned::to_owned).collect();
            *command = std::process::Command::new(&program);
            command.args(arguments).env("LAMEDUCK_TEST_AGAIN", "1").current_dir("/");
            command.uid(65534).gid(65534);
        });
    }
}

/// Fewer descriptors than waiting connections: they come free as connections end.
#[test]
fn connections_wait_for_descriptors() {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    if !is_again() {
        return again("http::close::tests::again::connections_wait_for_descriptors", |_| {});
    }
    // A limit holds for the whole process: not beside other tests.
    if std::env::args().any(|argument| argument == "http::") {
        return;
    }
    let listener = bind("127.0.0.1:0");
    let at = address(&listener);
    let clients: Vec<TcpStream> =
        (0..40).map(|_| TcpStream::connect(at).expect("established")).collect();
    let closed = block_on(async {
        let incoming = listener.start().expect("registered");
        let open = std::fs::read_dir("/proc/self/fd").expect("readable").count() as u64;
        let maximum = getrlimit(Resource::Nofile).maximum;
        // `open` counts the one that reads the folder; two more, where the sink alone needs three.
        setrlimit(Resource::Nofile, Rlimit { current: Some(open + 1), maximum }).expect("lowered");
        let mut tasks = JoinSet::new();
        let serve_slowly = |connection| {
            tasks.spawn(async {
                sleep(Duration::from_millis(50)).await;
                serve(connection).await;
            });
        };
        let began = cpu_time();
        let client = thread::spawn(|| clients.into_iter().try_for_each(ask));
        let closed = close(incoming, serve_slowly, PATIENCE).await;
        let used = cpu_time() - began;
        assert!(used < closed.took / 2, "it spins: {used:?} in {:?}", closed.took);
        while tasks.join_next().await.is_some() {}
        client.join().expect("no panic").expect("every answer");
        closed
    });
    assert_eq!((closed.accepted, closed.emptied), (40, true), "{closed:?}");
}

/// The processor time that this process has used, in steps of 10 ms (proc_pid_stat(5): fields 14
/// and 15; the second, the program's name, may hold spaces).
fn cpu_time() -> Duration {
    let stat = std::fs::read_to_string("/proc/self/stat").expect("readable");
    let (_, fields) = stat.rsplit_once(')').expect("a name");
    let ticks = fields.split_whitespace().skip(11).take(2);
    let ticks: u64 = ticks.map(|field| field.parse::<u64>().expect("a number")).sum();
    Duration::from_millis(ticks * 10)
}
