//! `shop` serves, `shop demo` shows what a stop loses.

use std::env;
use std::process::ExitCode;

use lameduck::{Service, Setup};
use shop::arguments::{Arguments, Encryption, HELP};
use shop::receipts::mail_receipts;
use shop::routes::router;
use shop::settings::Settings;
use shop::shop::Shop;
use shop::store::Store;
use shop::{demo, encryption, logging};
use tracing::info;

fn main() -> ExitCode {
    match Arguments::parse(env::args_os().skip(1)) {
        Ok(Arguments::Serve(encryption)) => serve(encryption),
        Ok(Arguments::Demo) => demo::run(),
        Ok(Arguments::Help) => {
            print!("{HELP}");
            ExitCode::SUCCESS
        }
        Err(bad) => {
            eprintln!("shop: {bad}");
            ExitCode::from(2)
        }
    }
}

fn serve(encryption: Encryption) -> ExitCode {
    logging::start();
    Service::new("shop").version(env!("CARGO_PKG_VERSION")).run(async move |shop: &mut Setup| {
        let settings = Settings::from_environment()?;
        let store = Store::open(&settings.database_url).await?;
        let db = shop.resource("db", store.pool());
        let recovery = store.recover().await?;
        info!("{recovery}");

        let mailing = store.clone();
        let mail = move |queue| mail_receipts(mailing.clone(), recovery.owed.clone(), queue);
        let receipts = shop.worker("receipts", 1_000, mail).uses(&db);

        let routes = router(Shop { store, receipts, payment_delay: settings.payment_delay });
        let tls = encryption::certificate(&encryption)?;
        let public = shop.http("public", settings.address, routes);
        let scheme = if tls.is_some() { "https" } else { "http" };
        if let Some(address) = public.local_addr() {
            info!("listening on {scheme}://{address}");
        }
        if let Some(tls) = tls {
            drop(public.tls(&tls));
            if matches!(encryption, Encryption::Files { .. }) {
                // A new certificate without a stop; what goes wrong is logged.
                shop.on_hangup(move || drop(tls.reload()));
            }
        }
        Ok(())
    })
}
