//! Clients that abuse HTTP/2: floods of frames that cost them nothing, streams that they do not read, connections
//! kept alive by control frames alone. Each meets a limit of h2's or of lameduck's; the others are served.

#![allow(missing_docs, reason = "a test program")]

mod fixture;
#[path = "target/frames.rs"]
#[allow(dead_code, reason = "shared with other tests")]
mod frames;
mod siege;

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use lameduck_testkit::{Client, Ending, Signal, eventually, pause};

use fixture::{SECOND, fixture, serving};
use frames::{
    DATA, END_STREAM, GOAWAY, HEADERS, Next, PING, PREFACE, RST_STREAM, RawHttp2, SETTINGS,
};
use siege::{Attacker, MIB, ROOM, Siege};

const CONTINUATION: u8 = 9;
const END_HEADERS: u8 = 4;
/// RFC 9113, section 7.
const NO_ERROR: u32 = 0;
const ENHANCE_YOUR_CALM: u32 = 11;
/// h2's default for a server of hyper.
const STREAMS: usize = 200;

const fn ms(time: u64) -> Duration {
    Duration::from_millis(time)
}

fn frame(kind: u8, flags: u8, stream: u32, payload: &[u8]) -> Vec<u8> {
    let length = u32::try_from(payload.len()).unwrap().to_be_bytes();
    let mut bytes = vec![length[1], length[2], length[3], kind, flags];
    bytes.extend(stream.to_be_bytes());
    bytes.extend(payload);
    bytes
}

/// The head of a request as a block of literals (RFC 7541, section 6.2.2).
fn block(method: &str, path: &str) -> Vec<u8> {
    let fields =
        [(":method", method), (":scheme", "http"), (":path", path), (":authority", "test")];
    let mut block = Vec::new();
    for (name, value) in fields {
        block.push(0);
        for text in [name, value] {
            block.push(u8::try_from(text.len()).unwrap());
            block.extend(text.as_bytes());
        }
    }
    block
}

fn request(stream: u32, method: &str, path: &str, ends: bool) -> Vec<u8> {
    let flags = END_HEADERS | if ends { END_STREAM } else { 0 };
    frame(HEADERS, flags, stream, &block(method, path))
}

/// Fields for a block, as many as one frame holds.
fn fields() -> Vec<u8> {
    let field = b"\0\x01x\x01y";
    field.repeat(16_384 / field.len())
}

/// A connection with its preface and SETTINGS; `window`: of each stream.
fn open(attacker: &Attacker, window: u32) -> Option<Client> {
    let mut client = attacker.connect()?.limit(SECOND);
    let window = [&[0, 4][..], &window.to_be_bytes()].concat();
    client.send(&[PREFACE, &*frame(SETTINGS, 0, 0, &window)].concat()).ok()?;
    Some(client)
}

/// A flood of frames: what comes first, what comes again and again, and the reason in the GOAWAY that ends it.
#[derive(Clone, Copy)]
struct Flood {
    name: &'static str,
    first: fn() -> Vec<u8>,
    again: fn(u32) -> Vec<u8>,
    reason: u32,
}

/// Streams that are opened and reset at once, so that no limit of open streams holds (CVE-2023-44487).
const RAPID_RESET: Flood = Flood {
    name: "rapid reset",
    first: Vec::new,
    again: |round| {
        let streams = (0..50).map(|n| 2 * (round * 50 + n) + 1);
        let cancel = 8_u32.to_be_bytes();
        streams
            .flat_map(|id| {
                [request(id, "GET", "/hang", true), frame(RST_STREAM, 0, id, &cancel)].concat()
            })
            .collect()
    },
    reason: ENHANCE_YOUR_CALM,
};

/// Frames that cost nothing, more than a hundred of them at a time.
const FLOODS: [Flood; 5] = [
    // A head that never ends (CVE-2024-27316), with something in it and without.
    Flood {
        name: "CONTINUATION",
        first: || frame(HEADERS, 0, 1, &block("GET", "/")),
        again: |_| frame(CONTINUATION, 0, 1, &fields()),
        reason: ENHANCE_YOUR_CALM,
    },
    Flood {
        name: "empty CONTINUATION",
        first: || frame(HEADERS, 0, 1, &block("GET", "/")),
        again: |_| frame(CONTINUATION, 0, 1, b"").repeat(100),
        reason: ENHANCE_YOUR_CALM,
    },
    Flood {
        name: "empty DATA",
        first: || request(1, "POST", "/echo", false),
        again: |_| frame(DATA, 0, 1, b"").repeat(100),
        reason: ENHANCE_YOUR_CALM,
    },
    // These only the idle timeout ends.
    Flood {
        name: "SETTINGS",
        first: Vec::new,
        again: |_| frame(SETTINGS, 0, 0, b"").repeat(100),
        reason: NO_ERROR,
    },
    Flood {
        name: "PING",
        first: Vec::new,
        again: |_| frame(PING, 0, 0, &[7; 8]).repeat(100),
        reason: NO_ERROR,
    },
];

/// How a flood went.
#[derive(Default)]
struct Flooded {
    read: Vec<u8>,
    /// Whether the server has ended the connection.
    ended: bool,
}

impl Flooded {
    /// The reason in the last GOAWAY, if one was read.
    fn reason(&self) -> Option<u32> {
        let mut rest = &*self.read;
        let mut reason = None;
        while let [a, b, c, kind, _, _, _, _, _, payload @ ..] = rest {
            let length = usize::from(*a) << 16 | usize::from(*b) << 8 | usize::from(*c);
            let payload = payload.get(..length)?;
            if *kind == GOAWAY {
                reason = Some(u32::from_be_bytes(payload.get(4..8)?.try_into().ok()?));
            }
            rest = &rest[9 + length..];
        }
        reason
    }
}

impl Flood {
    /// Floods one connection, reading what comes if `reads`, until the server ends it, for 30 s at most.
    fn run(&self, attacker: &Attacker, reads: bool) -> Flooded {
        let mut flooded = Flooded::default();
        let Some(mut client) = open(attacker, 65_535) else { return flooded };
        if !reads {
            // Or the kernel takes much of what nobody reads.
            client.socket().set_recv_buffer_size(4096).expect("an option of every socket");
        }
        let _ = client.send(&(self.first)());
        let end = Instant::now() + 30 * SECOND;
        for round in 0.. {
            if attacker.is_over() || Instant::now() > end {
                break;
            }
            let _ = client.send(&(self.again)(round));
            if reads {
                match client.ending(ms(1)) {
                    Ending::Bytes(more) => flooded.read.extend(more),
                    Ending::Open => {}
                    Ending::Eof | Ending::Reset => flooded.ended = true,
                }
            } else {
                flooded.ended = client.send_failed();
            }
            if flooded.ended {
                break;
            }
            // A flood, and yet not all the processor time there is: that is what any client can take. Who reads nothing
            // sends less, or the kernel's buffers are full and the server no longer reads.
            pause(ms(if reads { 2 } else { 10 }));
        }
        flooded
    }

    /// The server ends it, with the GOAWAY that is for it, which only those see who read.
    fn is_ended(&self, addr: SocketAddr, reads: bool) {
        let began = Instant::now();
        let flooded = self.run(&Attacker::alone(addr), reads);
        let (name, took, read) = (self.name, began.elapsed(), flooded.read.len());
        println!("{name}, read: {reads}: ended after {took:?}, {read} bytes");
        assert!(flooded.ended, "{name}, read: {reads}: it goes on");
        assert_eq!(flooded.reason(), reads.then_some(self.reason), "{name}, read: {reads}");
    }
}

#[test]
fn a_rapid_reset_is_told_to_calm_down_and_disturbs_nobody() {
    let mut siege = Siege::of(&[]);
    RAPID_RESET.is_ended(siege.server.addr(), true);
    RAPID_RESET.is_ended(siege.server.addr(), false);
    siege.attack(2, 100, |attacker| drop(RAPID_RESET.run(attacker, true)));
    siege.attack(1, 1, |attacker| drop(RAPID_RESET.run(attacker, false)));
    siege.holds(16 * MIB);
    siege.stop(0).within(2 * SECOND).nothing_stuck();
}

#[test]
fn floods_of_frames_that_cost_nothing_are_ended_and_disturb_nobody() {
    let mut siege = Siege::of(&["idle-timeout=1000"]);
    let addr = siege.server.addr();
    let calmed = || FLOODS.iter().filter(|flood| flood.reason == ENHANCE_YOUR_CALM);
    std::thread::scope(|scope| {
        FLOODS.iter().for_each(|flood| drop(scope.spawn(|| flood.is_ended(addr, true))));
        calmed().for_each(|flood| drop(scope.spawn(|| flood.is_ended(addr, false))));
    });
    for flood in FLOODS {
        siege.attack(1, if flood.reason == ENHANCE_YOUR_CALM { 30 } else { 1 }, move |attacker| {
            flood.run(attacker, true);
            attacker.wait(ms(10));
        });
    }
    siege.attack(1, 1, move |attacker| {
        calmed().for_each(|flood| drop(flood.run(attacker, false)));
    });
    // A connection's own buffers, and the window of 1 MiB that a body may fill.
    siege.holds(8 * MIB);
    siege.stop(0).within(4 * SECOND).nothing_stuck();
}

#[test]
fn floods_whose_answers_nobody_reads_end_a_while_after_the_idle_timeout() {
    let server = serving(fixture(&["idle-timeout=1000", "http"]));
    pause(ms(200));
    let sockets = || server.proc().sockets();
    let held = sockets();
    let attacker = Attacker::alone(server.addr());
    std::thread::scope(|scope| {
        for flood in FLOODS.iter().filter(|flood| flood.reason == NO_ERROR) {
            scope.spawn(|| flood.run(&attacker, false));
        }
        let began = Instant::now();
        assert!(eventually(SECOND, || sockets() == held + 2), "two connections");
        // The idle timeout, a tick, a second for the PING's answer, and 10 s in which they may read the rest.
        let ended = eventually(18 * SECOND, || sockets() == held);
        println!("ended: {ended}, after {:?}", began.elapsed());
        attacker.end();
        assert!(ended && began.elapsed() > SECOND, "{ended}, after {:?}", began.elapsed());
    });
}

#[test]
fn floods_whose_answers_nobody_reads_hold_a_drain_to_its_deadline_and_disturb_nobody() {
    let mut siege = Siege::of(&["idle-timeout=1000"]);
    for flood in FLOODS.into_iter().filter(|flood| flood.reason == NO_ERROR) {
        siege.attack(1, 1, move |attacker| drop(flood.run(attacker, false)));
    }
    siege.holds(8 * MIB);
    // What they have not got may be the last of a response: each connection waits for that.
    let stopped = siege.stop(75);
    stopped.in_budget();
    assert_eq!(stopped.report["stuck"][0]["doing"], "closing 2 connections without a request");
    assert_eq!(stopped.report["requests"]["cut"], 0, "{}", stopped.report);
}

#[test]
fn a_head_that_never_ends_and_one_with_too_much_in_it_end_alone() {
    let server = serving(fixture(&["http"]));
    let begun = frame(HEADERS, 0, 1, &block("GET", "/"));
    let mut endless = open(&Attacker::alone(server.addr()), 65_535).expect("the server listens");
    endless.send(&begun).unwrap();
    for _ in 0..100 {
        let _ = endless.send(&frame(CONTINUATION, 0, 1, &fields()));
    }
    let end = Instant::now() + 5 * SECOND;
    while !matches!(endless.ending(SECOND), Ending::Eof | Ending::Reset) {
        assert!(Instant::now() < end, "1.6 MB of head are taken");
    }
    let mut http2 = RawHttp2::connect(server.addr());
    let long = "x".repeat(120);
    let names: Vec<String> = (0..125).map(|n| format!("x-{n}")).collect();
    let headers: Vec<(&str, &str)> = names.iter().map(|name| (&**name, &*long)).collect();
    http2.head(1, "GET", "/", &headers, true);
    let last = http2.until("the end of the stream", |frame| frame.ends_stream(1));
    assert_ne!(last.kind, DATA, "125 fields of 120 bytes are served: {last:?}");
    http2.get(3, "/");
    assert_eq!(http2.body(3), b"OK");
}

#[test]
fn a_stream_whose_peer_makes_no_room_is_reset_after_the_idle_timeout_and_others_go_on() {
    let server = serving(fixture(&["idle-timeout=1500", "http"]));
    let mut http2 = RawHttp2::connect(server.addr());
    http2.send(SETTINGS, 0, 0, &[0, 4, 0, 0, 0, 64]);
    let began = Instant::now();
    // One is an endless response, one is whole in a single piece that does not fit, one is quiet of its own accord.
    http2.get(1, "/pour");
    http2.get(5, "/quiet");
    http2.until("the quiet one's piece", |frame| frame.stream == 5 && frame.kind == DATA);
    let mut reset = None;
    for stream in (7..).step_by(2) {
        http2.get(stream, "/");
        assert_eq!(http2.body(stream), b"OK");
        if http2.seen().iter().any(|frame| frame.resets(1)) {
            reset = Some(began.elapsed());
            break;
        }
        assert!(began.elapsed() < 6 * SECOND, "the stream is still there");
        pause(ms(50));
    }
    assert!(reset.expect("a reset") + ms(5) > ms(1_500), "{reset:?}");
    assert!(!http2.seen().iter().any(|frame| frame.resets(5)), "it waits for its handler");
}

#[test]
fn a_reader_that_pauses_with_its_window_closed_gets_its_response_whole_while_draining() {
    // 1. A handler's response is a single piece: hyper and h2 have all of it, and no stream is left to lameduck.
    // 2. Its peer has closed its window, and the drain begins; the GOAWAYs and the PING are exchanged.
    // 3. Nothing waits to be written, so that the connection looks done; h2 still holds most of the response.
    let server = serving(fixture(&["http"]).env("LAMEDUCK_DRAIN", "8s"));
    let mut http2 = RawHttp2::connect(server.addr());
    http2.get(1, "/big?n=200");
    http2.until("the response's begin", |frame| frame.kind == DATA);
    while let Next::Frame(_) = http2.next(ms(200)) {}
    server.signal(Signal::TERM);
    let end = Instant::now() + ms(2_200);
    while Instant::now() < end {
        assert!(!matches!(http2.next(ms(50)), Next::Eof | Next::Reset), "{:?}", http2.seen().len());
    }
    http2.widen(1, 1 << 20);
    assert_eq!(http2.end(3 * SECOND), Next::Eof);
    let data = http2.seen().iter().filter(|frame| frame.kind == DATA);
    assert_eq!(data.map(|frame| frame.payload.len()).sum::<usize>(), 200 * 1024);
    drop(http2);
    let exit = server.wait_exit(10 * SECOND);
    fixture::ended(&exit, 0, "clean");
}

#[test]
fn a_response_that_is_never_read_ends_with_its_connection_although_its_peer_sends_pings() {
    let server = serving(fixture(&["idle-timeout=1000", "http"]));
    let mut http2 = RawHttp2::connect(server.addr());
    http2.get(1, "/big?n=200");
    http2.until("the response's begin", |frame| frame.kind == DATA);
    let began = Instant::now();
    loop {
        http2.send(PING, 0, 0, &[7; 8]);
        if matches!(http2.next(ms(20)), Next::Eof | Next::Reset) {
            break;
        }
        // Idle, then the GOAWAYs and what is left of the response, each with the idle time and a tick or two.
        assert!(began.elapsed() < 8 * SECOND, "{:?}", http2.seen().last());
    }
    assert!(began.elapsed() > SECOND, "{:?}", began.elapsed());
}

#[test]
fn pings_alone_do_not_keep_a_connection() {
    let server = serving(fixture(&["idle-timeout=1000", "http"]));
    let mut http2 = RawHttp2::connect(server.addr());
    http2.get(1, "/");
    assert_eq!(http2.body(1), b"OK");
    let began = Instant::now();
    let ended = loop {
        http2.send(PING, 0, 0, &[7; 8]);
        http2.send(SETTINGS, 0, 0, &[]);
        match http2.next(ms(20)) {
            end @ (Next::Eof | Next::Reset) => break end,
            Next::Frame(_) | Next::Nothing => {}
        }
        assert!(began.elapsed() < 5 * SECOND, "{:?}", http2.seen().last());
    };
    assert_eq!(ended, Next::Eof);
    assert!(began.elapsed() + ms(5) > SECOND, "{:?}", began.elapsed());
    assert!(http2.seen().iter().any(|frame| frame.kind == GOAWAY));
}

#[test]
fn an_upload_of_which_nothing_comes_is_told_408_but_a_grpc_call_may_be_quiet() {
    let server = serving(fixture(&["idle-timeout=1000", "http"]));
    let mut http2 = RawHttp2::connect(server.addr());
    http2.head(1, "POST", "/echo", &[], false);
    http2.head(3, "POST", "/echo", &[("content-type", "application/grpc")], false);
    let began = Instant::now();
    let head = http2.until("an answer", |frame| frame.kind == HEADERS);
    assert_eq!(head.stream, 1);
    let took = began.elapsed();
    assert!(took + ms(5) > SECOND && took < 3 * SECOND + ROOM, "{took:?}");
    let text = http2.body(1);
    assert!(text.starts_with(b"The body of the request did not arrive"), "{text:?}");
    pause(2 * SECOND);
    http2.send(DATA, END_STREAM, 3, b"late");
    assert_eq!(http2.body(3), b"late");
}

#[test]
fn a_peer_that_reads_nothing_at_all_is_cut_after_the_idle_timeout() {
    let server = serving(fixture(&["idle-timeout=1000", "http"]));
    pause(ms(200));
    let held = server.proc().sockets();
    let mut client = open(&Attacker::alone(server.addr()), 1 << 29).expect("the server listens");
    client.send(&frame(8, 0, 0, &(1_u32 << 29).to_be_bytes())).unwrap();
    for stream in 0..20 {
        client.send(&request(2 * stream + 1, "GET", "/pour", true)).unwrap();
    }
    let began = Instant::now();
    assert!(eventually(SECOND, || server.proc().sockets() > held));
    pause(ms(500));
    while server.proc().sockets() > held {
        assert!(began.elapsed() < 6 * SECOND, "the connection is still there");
        pause(ms(50));
    }
    assert!(began.elapsed() > ms(800), "{:?}", began.elapsed());
    // 400 KiB for each stream, and the kernel's own buffers count elsewhere.
    assert!(server.proc().peak() < 20 * 512 * 1024 + 24 * MIB, "{}", server.proc().peak());
}

#[test]
fn endless_streams_that_nobody_reads_disturb_nobody() {
    // It is counted in ticks of a second: streams that began when the drain did are reset before its deadline.
    let mut siege = Siege::of(&["idle-timeout=500"]);
    siege.attack(2, 2, |attacker| {
        let Some(mut client) = open(attacker, 0) else { return };
        for stream in 0..300 {
            let path = if stream % 2 == 0 { "/pour" } else { "/big?n=64" };
            let _ = client.send(&request(2 * stream + 1, "GET", path, true));
        }
        let end = Instant::now() + 6 * SECOND;
        while !attacker.is_over()
            && Instant::now() < end
            && matches!(client.ending(ms(20)), Ending::Open | Ending::Bytes(_))
        {
            let _ = client.send(&frame(PING, 0, 0, &[7; 8]));
        }
    });
    // So many streams a connection, each with a piece of 64 KiB at most.
    siege.holds(2 * STREAMS * 96 * 1024);
    siege.stop(0).in_budget().nothing_stuck();
}

#[test]
fn resets_of_streams_in_the_middle_of_everything_disturb_nobody() {
    let mut siege = Siege::of(&[]);
    siege.attack(2, 20, |attacker| {
        let Some(mut client) = open(attacker, 65_535) else { return };
        let paths = ["/hang", "/pour", "/sleep?ms=5", "/big?n=100", "/"];
        for (index, stream) in (0..40_u32).map(|n| 2 * n + 1).enumerate() {
            let path = paths[index % paths.len()];
            let _ = client.send(&request(stream, "GET", path, true));
            let _ = client.ending(ms(2));
            let _ = client.send(&frame(RST_STREAM, 0, stream, &8_u32.to_be_bytes()));
            if attacker.is_over() {
                return;
            }
        }
        client.reset();
    });
    siege.holds(16 * MIB);
    siege.stop(0).within(2 * SECOND + ms(250)).nothing_stuck();
}
