//! `shop` serves, `shop demo` shows what a stop loses.

use std::env;
use std::process::ExitCode;

use shop::arguments::{Arguments, HELP};
use shop::receipts::mail_receipts;
use shop::routes::router;
use shop::settings::Settings;
use shop::shop::Shop;
use shop::store::Store;
use shop::{demo, logging};
use tokio::signal::unix::{SignalKind, signal};
use tracing::info;

fn main() -> ExitCode {
    match Arguments::parse(env::args_os().skip(1)) {
        Ok(Arguments::Serve) => serve(),
        Ok(Arguments::Demo) => demo::run(),
        Ok(Arguments::Help) => {
            print!("{HELP}");
            ExitCode::SUCCESS
        }
        Err(unknown) => {
            eprintln!("shop: {unknown}");
            ExitCode::from(2)
        }
    }
}

// Stands in for `Service::new("shop").run(..)` until the library has it.
fn serve() -> ExitCode {
    logging::start();
    let runtime = match tokio::runtime::Runtime::new() {
        Ok(runtime) => runtime,
        Err(error) => {
            eprintln!("shop: cannot start threads: {error}");
            return ExitCode::FAILURE;
        }
    };
    match runtime.block_on(serve_until_signal()) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("shop: {error}");
            ExitCode::FAILURE
        }
    }
}

async fn serve_until_signal() -> Result<(), Box<dyn std::error::Error>> {
    let settings = Settings::from_environment()?;
    let store = Store::open(&settings.database_url).await?;
    let recovery = store.recover().await?;
    info!("{recovery}");

    let (receipts, queue) = tokio::sync::mpsc::channel(1_000);
    #[expect(
        clippy::disallowed_methods,
        reason = "stands in for a worker of lameduck, which tracks it"
    )]
    let worker = tokio::spawn(mail_receipts(store.clone(), recovery.owed, queue));

    let (mut terminate, mut interrupt) =
        (signal(SignalKind::terminate())?, signal(SignalKind::interrupt())?);
    let listener = tokio::net::TcpListener::bind(settings.address).await?;
    info!("listening on http://{}", listener.local_addr()?);
    let shop = Shop { store: store.clone(), receipts, payment_delay: settings.payment_delay };
    axum::serve(listener, router(shop))
        .with_graceful_shutdown(async move {
            tokio::select! { _ = terminate.recv() => {}, _ = interrupt.recv() => {} }
        })
        .await?;
    worker.await?;
    store.close().await;
    Ok(())
}
