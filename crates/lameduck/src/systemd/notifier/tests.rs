//! Against a real datagram socket in the manager's place.

use std::os::unix::net::UnixDatagram;

use super::*;

fn manager(name: &str) -> (UnixDatagram, Notifier, std::path::PathBuf) {
    let path = std::env::temp_dir().join(format!("lameduck-notify-{name}-{}", std::process::id()));
    let manager = UnixDatagram::bind(&path).unwrap();
    manager.set_nonblocking(true).unwrap();
    let notifier = Notifier::to(Some(Channel::open(path.as_os_str()).unwrap()), None, Vec::new());
    (manager, notifier, path)
}

fn received(manager: &UnixDatagram) -> Option<String> {
    let mut buffer = [0; 4096];
    let count = manager.recv(&mut buffer).ok()?;
    Some(String::from_utf8_lossy(&buffer[..count]).into_owned())
}

#[test]
fn what_finds_no_room_waits_in_its_order_and_nobody_waits_for_it() {
    let (manager, mut notifier, path) = manager("full");
    let mut filled = 0;
    while notifier.waiting.is_empty() {
        notifier.say(&[Message::Watchdog]);
        filled += 1;
        assert!(filled < 100_000, "it never fills");
    }
    let again = notifier.look(Instant::now(), Phase::Ready, None);
    assert!(again.is_some(), "it comes again");
    let mut all = Vec::new();
    while let Some(text) = received(&manager) {
        all.push(text);
        notifier.say(&[]);
    }
    assert_eq!(all.pop().as_deref(), Some("READY=1\nSTATUS=ready"));
    assert_eq!(all.len(), filled);
    assert!(notifier.take_warnings().is_empty());
    std::fs::remove_file(path).unwrap();
}

#[test]
fn a_manager_that_is_gone_is_one_line_of_the_log() {
    let (manager, mut notifier, path) = manager("gone");
    drop(manager);
    std::fs::remove_file(path).unwrap();
    notifier.reloading();
    notifier.main_pid(12);
    notifier.take_over();
    let warnings = notifier.take_warnings();
    assert_eq!(warnings.len(), 1, "{warnings:?}");
    assert!(warnings[0].starts_with("the service manager cannot be told how the service is"));
}

#[cfg(target_os = "linux")]
#[test]
fn an_abstract_name_is_reached() {
    use std::os::linux::net::SocketAddrExt as _;
    let name = format!("lameduck-notify-{}", std::process::id());
    let address = std::os::unix::net::SocketAddr::from_abstract_name(&name).unwrap();
    let manager = UnixDatagram::bind_addr(&address).unwrap();
    let channel = Channel::open(format!("@{name}").as_ref()).unwrap();
    let mut notifier = Notifier::to(Some(channel), None, Vec::new());
    notifier.hold_back();
    notifier.look(Instant::now(), Phase::Ready, None);
    notifier.take_over();
    assert_eq!(received(&manager), Some(format!("MAINPID={}", std::process::id())));
}
