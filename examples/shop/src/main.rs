//! `shop` serves, `shop demo` shows what a stop loses.

use std::env;
use std::process::ExitCode;

use lameduck::{OnFailure, Service, Setup};
use shop::arguments::{Arguments, Encryption, HELP};
use shop::completion::complete_torn;
use shop::orders::{Broker, SUBJECT, take_order};
use shop::payments::{Payments, Provider};
use shop::receipts::mail_receipts;
use shop::routes::router;
use shop::settings::Settings;
use shop::settling::settle;
use shop::shop::Shop;
use shop::store::{BUSY_TIMEOUT, Store};
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
        let store = Store::open(settings.database_url.expose()).await?;
        let db = shop.resource("db", store.pool());

        let (payments, provider) = match settings.payment_url {
            Some(endpoint) => (Payments::new(endpoint), None),
            None => {
                let provider = Provider::start(store.clone(), settings.payment_delay).await?;
                let endpoint = provider.endpoint();
                let provider = shop.resource("provider", provider).uses(&db);
                (Payments::new(endpoint), Some(provider))
            }
        };
        let mut payments = shop.resource("payments", payments);
        if let Some(provider) = &provider {
            payments = payments.uses(provider);
        }

        let recovery = store.recover().await?;
        let owed = complete_torn(&store, &payments, recovery).await;

        let mailing = store.clone();
        let mail = move |queue| mail_receipts(mailing.clone(), owed.clone(), queue);
        let receipts = shop.worker("receipts", 1_000, mail).uses(&db);

        let settling = store.clone();
        let _ = shop
            .every("settle", settings.settle_every, move || settle(settling.clone()))
            // The next run settles what this one did not.
            .on_failure(OnFailure::Ignore)
            .beats_within(BUSY_TIMEOUT * 3)
            .uses(&db);

        let till = Shop { store, receipts: receipts.clone(), payments: (*payments).clone() };
        if let Some(url) = &settings.nats_url {
            let broker = shop.resource("broker", Broker::connect(url).await?);
            let orders = broker.orders(url).await?;
            let till = till.clone();
            let _ = shop
                .consume("orders", orders, move |message| take_order(till.clone(), message))
                .concurrency(Broker::AT_ONCE)
                .uses(&broker)
                .uses(&receipts)
                .uses(&payments)
                .uses(&db);
            info!("taking orders from {SUBJECT} on {url}");
        }

        let public = shop
            .http("public", settings.address, router(till))
            .uses(&receipts)
            .uses(&payments)
            .uses(&db);
        let tls = encryption::certificate(&encryption)?;
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
