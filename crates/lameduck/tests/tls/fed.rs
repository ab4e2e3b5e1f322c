//! Connections that are no sockets of lameduck's own, encrypted.

use std::sync::Arc;
use std::time::Duration;

use lameduck::{Outcome, Service, Setup, StopHandle, Tls};
use lameduck_testkit::Certificate;
use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
use tokio::sync::mpsc::unbounded_channel;
use tokio_rustls::TlsConnector;
use tokio_rustls::rustls::pki_types::ServerName;
use tokio_rustls::rustls::{ClientConfig, RootCertStore};

use crate::target::SECOND;

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn connections_from_any_async_io_are_encrypted_and_drained_too() {
    let certificate = Certificate::new();
    let tls = Tls::from_pem_files(certificate.certificate(), certificate.key()).unwrap();
    let (give, take) = unbounded_channel::<DuplexStream>();
    let feed =
        futures_util::stream::unfold(take, async |mut take| Some((take.recv().await?, take)));
    let sleep = axum::routing::get(async || {
        tokio::time::sleep(Duration::from_millis(400)).await;
        "slept"
    });
    let router = axum::Router::new().route("/sleep", sleep);
    let stop = StopHandle::new();
    let handle = stop.clone();
    let budget = lameduck::Budget { lame_duck: Duration::ZERO, ..lameduck::Budget::default() };
    let service = Service::new("guest").budget(budget);
    #[expect(clippy::disallowed_methods, reason = "this runtime is the test's")]
    let task = tokio::task::spawn(async move {
        let setup = async move |setup: &mut Setup| {
            drop(setup.http_from("pipes", feed, router).tls(&tls));
            Ok(())
        };
        service.serve(&handle, setup).await
    });

    let mut roots = RootCertStore::empty();
    roots.add(certificate.der().to_vec().into()).unwrap();
    let config = ClientConfig::builder().with_root_certificates(roots).with_no_client_auth();
    let (near, far) = duplex(1024);
    give.send(far).expect("the service takes connections");
    let name = ServerName::try_from("localhost").unwrap();
    let connector = TlsConnector::from(Arc::new(config));
    let handshake = tokio::time::timeout(5 * SECOND, connector.connect(name, near)).await;
    let mut client = handshake.expect("in time").expect("a handshake");
    client.write_all(b"GET /sleep HTTP/1.1\r\nHost: test\r\n\r\n").await.unwrap();
    tokio::time::sleep(Duration::from_millis(150)).await;
    stop.stop("enough");
    let mut answer = String::new();
    let read = tokio::time::timeout(5 * SECOND, client.read_to_string(&mut answer)).await;
    read.expect("in time").expect("all of it, and close_notify");
    assert!(answer.starts_with("HTTP/1.1 200") && answer.ends_with("slept"), "{answer}");
    assert!(answer.to_lowercase().contains("connection: close"), "{answer}");
    let report = tokio::time::timeout(5 * SECOND, task).await.expect("in time").expect("a report");
    assert_eq!(report.outcome, Outcome::Clean, "{report}");
}
