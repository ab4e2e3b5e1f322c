//! `shop` serves, `shop demo` shows what a stop loses.

use std::env;
use std::process::ExitCode;

use lameduck::{Service, Setup};
use shop::arguments::{Arguments, HELP};
use shop::receipts::mail_receipts;
use shop::routes::router;
use shop::settings::Settings;
use shop::shop::Shop;
use shop::store::Store;
use shop::{demo, logging};
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

fn serve() -> ExitCode {
    logging::start();
    Service::new("shop").version(env!("CARGO_PKG_VERSION")).run(async |shop: &mut Setup| {
        let settings = Settings::from_environment()?;
        let store = Store::open(&settings.database_url).await?;
        let db = shop.resource("db", store.pool());
        let recovery = store.recover().await?;
        info!("{recovery}");

        let mailing = store.clone();
        let mail = |queue| mail_receipts(mailing, recovery.owed, queue);
        let receipts = shop.worker("receipts", 1_000, mail).uses(&db);

        let routes = router(Shop { store, receipts, payment_delay: settings.payment_delay });
        let public = shop.http("public", settings.address, routes);
        if let Some(address) = public.local_addr() {
            info!("listening on http://{address}");
        }
        Ok(())
    })
}
