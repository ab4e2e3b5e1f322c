//! A load that its own processor does not limit: connections whose requests wait in the accept queue of a server that
//! stands still, as behind a pause or at a start. Timed is how the server works them off.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use rustix::event::Timespec;
use rustix::event::epoll::{self, CreateFlags, Event, EventData, EventFlags};
use rustix::process::{Pid, Signal, kill_process};

use crate::Failure;
use crate::load::{LAST_REQUEST, Rate, is_whole};
use crate::summary::percentile;

/// Connections that wait: fewer than the queue holds.
pub(crate) const WAITING: usize = 1_000;

/// How long the server works, all bursts together, after the first one, which warms it up.
const MEASURED: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_secs(10);

struct Connection {
    stream: TcpStream,
    answer: Vec<u8>,
}

/// Loads the server with bursts.
pub(crate) fn run(server: SocketAddr, pid: u32) -> Result<Rate, Failure> {
    let pid = i32::try_from(pid).ok().and_then(Pid::from_raw).ok_or("no process")?;
    burst(server, pid)?;
    let (mut worked, mut latencies) = (Duration::ZERO, Vec::new());
    while worked < MEASURED {
        let (took, of_burst) = burst(server, pid)?;
        worked += took;
        latencies.extend(of_burst);
    }
    let requests = latencies.len() + WAITING;
    Ok(Rate {
        per_second: latencies.len() as f64 / worked.as_secs_f64(),
        p99_micros: percentile(&mut latencies, 0.99) as f64 / 1e3,
        requests,
    })
}

/// One burst: how long it took, and each connection's time from the beginning to its end, in nanoseconds.
fn burst(server: SocketAddr, pid: Pid) -> Result<(Duration, Vec<u64>), Failure> {
    let epoll = epoll::create(CreateFlags::CLOEXEC)?;
    kill_process(pid, Signal::STOP)?;
    let waiting = connect(server, &epoll);
    // Whatever happened, it goes on.
    let began = Instant::now();
    kill_process(pid, Signal::CONT)?;
    let mut waiting = waiting?;
    let mut latencies = Vec::with_capacity(WAITING);
    let mut events: Vec<Event> = Vec::with_capacity(WAITING);
    while latencies.len() < WAITING {
        events.clear();
        let limit = Timespec { tv_sec: 0, tv_nsec: 50_000_000 };
        epoll::wait(&epoll, rustix::buffer::spare_capacity(&mut events), Some(&limit))?;
        if began.elapsed() > PATIENCE {
            return Err(format!("{} of {WAITING} were answered in 10 s", latencies.len()).into());
        }
        for event in &events {
            let data = event.data;
            if is_over(&mut waiting[data.u64() as usize])? {
                latencies.push(began.elapsed().as_nanos() as u64);
            }
        }
    }
    Ok((began.elapsed(), latencies))
}

/// Connections that have sent their request.
fn connect(server: SocketAddr, epoll: &std::os::fd::OwnedFd) -> Result<Vec<Connection>, Failure> {
    let connect = |place| {
        let mut stream = TcpStream::connect(server)?;
        stream.write_all(LAST_REQUEST)?;
        stream.set_nonblocking(true)?;
        // Told once: one that is over stays, since closing it here and now would cost the load time.
        let events = EventFlags::IN | EventFlags::ET;
        epoll::add(epoll, &stream, EventData::new_u64(place as u64), events)?;
        Ok(Connection { stream, answer: Vec::with_capacity(512) })
    };
    (0..WAITING).map(connect).collect()
}

/// Reads what is there. Whether the server has answered, and closed.
fn is_over(connection: &mut Connection) -> Result<bool, Failure> {
    let mut bytes = [0; 1024];
    loop {
        match connection.stream.read(&mut bytes) {
            Ok(0) if is_whole(&connection.answer)? => return Ok(true),
            Ok(0) => return Err("the server closed before its answer was whole".into()),
            Ok(count) => connection.answer.extend_from_slice(&bytes[..count]),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(false),
            Err(error) => return Err(error.into()),
        }
    }
}
