//! A new certificate without a stop: the files are replaced, SIGHUP has them read again.

use std::fs;

use lameduck_testkit::{Certificate, Client, Server, ServerCommand, Signal, example};

use crate::target::{SECOND, answered, clean, start, stop};

fn command(certificate: &Certificate) -> ServerCommand {
    Server::command(example("target"))
        .port()
        .env("TLS_CERT", certificate.certificate())
        .env("TLS_KEY", certificate.key())
}

/// The certificate that a new client is shown; it is served as well.
fn shown(server: &Server) -> Vec<u8> {
    let mut client = Client::connect_tls(server.addr()).unwrap();
    client.get("/").unwrap();
    answered(&mut client);
    client.certificate().expect("a handshake")
}

#[test]
fn sighup_has_new_handshakes_use_the_new_certificate_and_old_connections_go_on() {
    let mut certificate = Certificate::new();
    let server = start(command(&certificate));
    let before = certificate.der().to_vec();
    let mut old = Client::connect_tls(server.addr()).unwrap();
    old.get("/").unwrap();
    answered(&mut old);
    assert_eq!(old.certificate().as_deref(), Some(&before[..]));

    certificate.renew();
    // Nothing happens by itself.
    assert_eq!(shown(&server), before);
    server.signal(Signal::HUP);
    server.wait_for_stderr("certificate read again", 5 * SECOND);
    assert_ne!(certificate.der(), before);
    assert_eq!(shown(&server), certificate.der());
    old.get("/").unwrap();
    answered(&mut old);
    stop(&server);
    clean(&server);
}

#[test]
fn what_is_wrong_with_the_files_is_logged_and_the_old_certificate_goes_on() {
    let mut certificate = Certificate::new();
    let other = Certificate::new();
    let server = start(command(&certificate));
    let old = certificate.der().to_vec();
    let (cert, key) = (certificate.certificate(), certificate.key());
    let secret = fs::read_to_string(&key).unwrap();
    let wrongs: [(&dyn Fn(), String); 4] = [
        (&|| fs::write(&key, fs::read(other.key()).unwrap()).unwrap(), {
            let (key, cert) = (key.display(), cert.display());
            format!("the private key in {key} does not belong to the certificate in {cert}; name")
        }),
        (&|| fs::write(&key, "").unwrap(), format!("{} holds no private key", key.display())),
        (
            &|| fs::write(&cert, &secret).unwrap(),
            format!("{} holds no certificate", cert.display()),
        ),
        (&|| fs::remove_file(&cert).unwrap(), format!("cannot read {}: No such", cert.display())),
    ];
    for (spoil, said) in wrongs {
        spoil();
        server.signal(Signal::HUP);
        server.wait_for_stderr(&said, 5 * SECOND);
        assert_eq!(shown(&server), old, "after {said}");
    }
    certificate.renew();
    server.signal(Signal::HUP);
    server.wait_for_stderr("certificate read again", 5 * SECOND);
    assert_eq!(shown(&server), certificate.der());
    stop(&server);
    clean(&server);
    let log = server.transcript();
    assert!(log.contains("ERROR") && log.contains("the old one goes on serving"), "{log}");
    let in_base64 = secret.lines().nth(1).unwrap();
    assert!(!log.contains(in_base64), "the log quotes the private key");
}

#[test]
fn a_service_whose_certificate_cannot_be_used_does_not_start() {
    let certificate = Certificate::new();
    fs::write(certificate.key(), "-----BEGIN PRIVATE KEY-----\nno base64!\n").unwrap();
    let exit = command(&certificate).start().wait_exit(10 * SECOND);
    assert_eq!(exit.code, Some(1));
    let said = format!("{} is no valid PEM file", certificate.key().display());
    assert!(exit.stderr.contains(&said), "{}", exit.stderr);
}
