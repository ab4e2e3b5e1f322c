//! Requests that are under way when the signal comes and fit well into the grace.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::sleep;

use crate::blocked::Blocked;
use crate::case::{Case, Level};
use crate::demand::Demand;
use crate::record::Role;
use crate::routes::Need;
use crate::stage::Stage;

const RULE: &str =
    "RFC 9112, section 9.6: a server that wants to close answers what it has received first";
const WHOLE: &[Demand] =
    &[Demand::Answered(Role::InFlight), Demand::ExitInGrace, Demand::CleanCode];

pub(super) const CASES: &[Case] = &[
    Case {
        id: "in-flight/request",
        title: "A request whose handler runs at the signal is answered",
        level: Level::Must,
        why: "It is the first thing that a graceful stop is for: the client's work is done, and it is told so.",
        rule: RULE,
        needs: &[Need::Sleep],
        alone: false,
        runs: 1,
        demands: WHOLE,
        drive: |stage| Box::pin(requests(stage, 1)),
    },
    Case {
        id: "in-flight/many",
        title: "Fifty requests whose handlers run at the signal are all answered",
        level: Level::Must,
        why: "One may get through by luck; a busy server has many.",
        rule: RULE,
        needs: &[Need::Sleep],
        alone: false,
        runs: 1,
        demands: WHOLE,
        drive: |stage| Box::pin(requests(stage, 50)),
    },
    Case {
        id: "in-flight/prompt",
        title: "It ends within a quarter of a second of the last response",
        level: Level::Should,
        why: "A fixed sleep or a slow poll is paid by every deploy, and by every test that starts the server.",
        rule: "Kubernetes waits for the process, not for its last request",
        needs: &[Need::Sleep],
        alone: true,
        runs: 1,
        demands: &[
            Demand::Answered(Role::InFlight),
            Demand::ExitAfterLastResponse(250),
            Demand::CleanCode,
        ],
        drive: |stage| Box::pin(requests(stage, 1)),
    },
    Case {
        id: "in-flight/close",
        title: "The last response on a connection says `Connection: close`",
        level: Level::Should,
        why: "Without it the client may send its next request on a connection that is about to end, and lose it.",
        rule: "RFC 9112, section 9.6: a server that is going to close SHOULD send the close option",
        needs: &[Need::Sleep],
        alone: false,
        runs: 1,
        demands: &[
            Demand::Answered(Role::InFlight),
            Demand::SaysClose(Role::InFlight),
            Demand::CleanCode,
        ],
        drive: |stage| Box::pin(requests(stage, 1)),
    },
    Case {
        id: "in-flight/upload",
        title: "A request whose body is still on its way at the signal is read to its end and answered",
        level: Level::Must,
        why: "Uploads take long, so a deploy meets them often, and repeating them is dear.",
        rule: RULE,
        needs: &[Need::Echo],
        alone: false,
        runs: 1,
        demands: WHOLE,
        drive: |stage| Box::pin(upload(stage)),
    },
    Case {
        id: "in-flight/stream",
        title: "A response that is being streamed at the signal comes to its end",
        level: Level::Must,
        why: "A download that breaks off is repeated from its start, or worse: taken for whole.",
        rule: RULE,
        needs: &[Need::Stream],
        alone: false,
        runs: 1,
        demands: WHOLE,
        drive: |stage| Box::pin(stream(stage)),
    },
    Case {
        id: "in-flight/slow-reader",
        title: "A response that its client reads slowly comes to its end",
        level: Level::Must,
        why: "To the server the response may look sent while most of it still lies in buffers.",
        rule: "RFC 9112, section 9.6: closing too early destroys what the peer has not read yet",
        needs: &[Need::Echo],
        alone: false,
        runs: 1,
        demands: WHOLE,
        drive: |stage| Box::pin(slow_reader(stage)),
    },
    Case {
        id: "in-flight/continue",
        title: "A request that waits for `100 Continue` at the signal goes on",
        level: Level::Should,
        why: "Such a request is under way although its body was not sent yet.",
        rule: "RFC 9110, section 10.1.1: the server answers 100 or a final status",
        needs: &[Need::Echo],
        alone: false,
        runs: 1,
        demands: WHOLE,
        drive: |stage| Box::pin(waits_for_continue(stage)),
    },
    Case {
        id: "in-flight/slow-handler",
        title: "A handler that takes three quarters of the grace is given them",
        level: Level::Must,
        why: "The grace is what the operator allows; a server that gives up earlier loses what there was time for.",
        rule: RULE,
        needs: &[Need::Sleep],
        alone: false,
        runs: 1,
        demands: WHOLE,
        drive: |stage| Box::pin(slow_handler(stage)),
    },
    Case {
        id: "in-flight/unread-upload",
        title: "A client whose body nobody reads gets its response, and no reset while it sends on",
        level: Level::Must,
        why: "A kernel that closes over unread bytes sends a reset, and most clients' kernels then throw the response away unread.",
        rule: "RFC 9112, section 9.6: a server half-closes and reads on, since a reset may destroy its response",
        needs: &[Need::Sleep],
        alone: false,
        runs: 1,
        demands: &[
            Demand::Answered(Role::InFlight),
            Demand::Closed(Role::InFlight),
            Demand::ExitInGrace,
            Demand::CleanCode,
        ],
        drive: |stage| Box::pin(unread_upload(stage)),
    },
    Case {
        id: "in-flight/broken-off",
        title: "Clients that break off in the middle cost neither the others' answers nor the time of the end",
        level: Level::Must,
        why: "During a deploy clients lose patience and phones lose their network; who else is in flight must not pay for it.",
        rule: "RFC 9112, section 9.5: a connection may end at any time, and each side has to cope",
        needs: &[Need::Sleep, Need::Stream, Need::Echo],
        alone: false,
        runs: 1,
        demands: WHOLE,
        drive: |stage| Box::pin(broken_off(stage)),
    },
];

async fn requests(stage: Stage, count: usize) -> Result<(), Blocked> {
    let ms = stage.work() + 150;
    handlers(stage, count, ms).await
}

async fn slow_handler(stage: Stage) -> Result<(), Blocked> {
    let grace = u64::try_from(stage.setup().grace.as_millis()).unwrap_or(u64::MAX);
    handlers(stage, 1, (grace / 4).saturating_mul(3)).await
}

async fn handlers(stage: Stage, count: usize, ms: u64) -> Result<(), Blocked> {
    let mut server = stage.start().await?;
    let mut clients = stage.warm_many(&stage.near(&server), Role::InFlight, count).await?;
    let path = stage.path(Need::Sleep, ms);
    join_all(clients.iter_mut().map(|client| client.get(&path))).await;
    stage.settle().await;
    stage.stop(&mut server);
    join_all(clients.iter_mut().map(async |client| drop(client.response().await))).await;
    stage.end(server).await;
    Ok(())
}

async fn upload(stage: Stage) -> Result<(), Blocked> {
    const PIECES: u32 = 10;
    let mut server = stage.start().await?;
    let mut client = stage.connect(&stage.near(&server), Role::InFlight).await?;
    let piece = vec![b'x'; 20_000];
    let path = stage.path(Need::Echo, 0);
    client.post(&path, piece.len() * PIECES as usize, "").await;
    client.send(&piece).await;
    stage.settle().await;
    stage.stop(&mut server);
    for _ in 1..PIECES {
        sleep(Duration::from_millis(stage.work()) / PIECES).await;
        client.send(&piece).await;
    }
    client.response().await;
    stage.end(server).await;
    Ok(())
}

async fn stream(stage: Stage) -> Result<(), Blocked> {
    let mut server = stage.start().await?;
    let mut client = stage.connect(&stage.near(&server), Role::InFlight).await?;
    client.get(&stage.setup().routes.path(Need::Stream, stage.work() / 20, 20)).await;
    if !client.wait_for("chunk 0001", Duration::from_secs(5)).await {
        return Err(Blocked::setup("the stream did not begin"));
    }
    stage.stop(&mut server);
    client.response().await;
    stage.end(server).await;
    Ok(())
}

/// 6 MB, more than the kernel buffers. (A server's send buffer grows to 4 MB, the client has one of 400 KB: a smaller
/// one would make hundreds of turns between the two processes of it, and on a busy machine each turn takes its time.)
async fn slow_reader(stage: Stage) -> Result<(), Blocked> {
    const PIECE: usize = 64 * 1024;
    let mut server = stage.start().await?;
    let dial = stage.near(&server).receive_buffer(200 * 1024);
    let mut client = stage.connect(&dial, Role::InFlight).await?;
    let body = vec![b'x'; 6 << 20];
    client.post(&stage.path(Need::Echo, 0), body.len(), "").await;
    client.send(&body).await;
    if !client.wait_for("\r\n\r\n", Duration::from_secs(5)).await {
        return Err(Blocked::setup("the response did not begin"));
    }
    stage.stop(&mut server);
    let pause = Duration::from_millis(stage.work()) / 40;
    client.response_slowly(40, PIECE, pause).await;
    stage.end(server).await;
    Ok(())
}

async fn waits_for_continue(stage: Stage) -> Result<(), Blocked> {
    let mut server = stage.start().await?;
    let mut client = stage.connect(&stage.near(&server), Role::InFlight).await?;
    client.post(&stage.path(Need::Echo, 0), 5, "Expect: 100-continue\r\n").await;
    stage.settle().await;
    stage.stop(&mut server);
    sleep(Duration::from_millis(50)).await;
    // A client may send the body without it too, after a while (RFC 9110, section 10.1.1).
    client.wait_for("\r\n\r\n", Duration::from_millis(500)).await;
    client.send(b"hello").await;
    client.response().await;
    stage.end(server).await;
    Ok(())
}

/// A GET whose body never ends: hardly any handler of a GET reads one. For 200 ms behind the response the client still
/// sends, as one does that has not read it yet.
async fn unread_upload(stage: Stage) -> Result<(), Blocked> {
    const PAUSE: Duration = Duration::from_millis(20);
    let mut server = stage.start().await?;
    let mut client = stage.connect(&stage.near(&server), Role::InFlight).await?;
    let path = stage.path(Need::Sleep, stage.work() + 150);
    let head = format!("GET {path} HTTP/1.1\r\nHost: probe\r\nContent-Length: 1000000000\r\n\r\n");
    let piece = vec![b'x'; 4_000];
    client.ask(&format!("GET {path} (with a body)"), head.as_bytes()).await;
    client.send(&piece).await;
    stage.settle().await;
    stage.stop(&mut server);
    let pieces = stage.left().as_millis() / PAUSE.as_millis();
    let pieces = u32::try_from(pieces).unwrap_or(u32::MAX);
    client.response_while_sending(&piece, PAUSE, pieces, 10).await;
    stage.end(server).await;
    Ok(())
}

/// One breaks off in its handler, one in its upload, one in its response; five others have requests in flight.
async fn broken_off(stage: Stage) -> Result<(), Blocked> {
    let mut server = stage.start().await?;
    let dial = stage.near(&server);
    let path = stage.path(Need::Sleep, stage.work() + 150);
    let mut others = stage.warm_many(&dial, Role::InFlight, 5).await?;
    let mut waiting = stage.connect(&dial, Role::Setup).await?;
    let mut uploading = stage.connect(&dial, Role::Setup).await?;
    let mut reading = stage.connect(&dial, Role::Setup).await?;
    reading.get(&stage.setup().routes.path(Need::Stream, stage.work() / 20, 20)).await;
    if !reading.wait_for("chunk 0000", Duration::from_secs(5)).await {
        return Err(Blocked::setup("the stream did not begin"));
    }
    waiting.get(&path).await;
    uploading.post(&stage.path(Need::Echo, 0), 1_000_000, "").await;
    uploading.send(&[b'x'; 10_000]).await;
    join_all(others.iter_mut().map(|client| client.get(&path))).await;
    stage.settle().await;
    stage.stop(&mut server);
    for client in [waiting, uploading, reading] {
        sleep(Duration::from_millis(50)).await;
        client.break_off();
    }
    join_all(others.iter_mut().map(async |client| drop(client.response().await))).await;
    stage.end(server).await;
    Ok(())
}
