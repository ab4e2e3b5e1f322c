//! Shops as real processes, and what their database holds.
#![allow(dead_code, unreachable_pub, reason = "several test programs share it, each using a part")]

pub mod buyers;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use lameduck_testkit::{Client, Failure, Postgres, Response, Server, eventually, free_port};
use serde_json::{Value, json};
use shop::store::{Audit, Store};
use tempfile::TempDir;

/// How long anything may take that has no limit of its own.
pub const LIMIT: Duration = Duration::from_secs(20);

/// Where databases come from.
#[derive(Clone)]
pub enum Databases {
    Sqlite,
    /// Databases of one cluster, which goes with the last of them.
    Postgres(Arc<Postgres>),
}

impl Databases {
    /// A cluster of its own.
    pub fn postgres() -> Self {
        Self::Postgres(Arc::new(Postgres::start().unwrap()))
    }

    /// An empty one.
    pub fn another(&self) -> Database {
        let folder = tempfile::tempdir().unwrap();
        let url = match self {
            Self::Sqlite => {
                format!("sqlite:{}?mode=rwc", folder.path().join("shop.db").display())
            }
            Self::Postgres(cluster) => {
                static NUMBER: AtomicUsize = AtomicUsize::new(1);
                let name = format!("shop{}", NUMBER.fetch_add(1, Ordering::Relaxed));
                cluster.query(&format!("CREATE DATABASE {name}"));
                let url = cluster.url();
                format!("{}/{name}", url.strip_suffix("/postgres").unwrap())
            }
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Database { folder, url, runtime, from: self.clone() }
    }
}

/// A database of its own, gone with the value.
pub struct Database {
    folder: TempDir,
    url: String,
    runtime: tokio::runtime::Runtime,
    from: Databases,
}

/// What a database holds.
#[derive(Debug, PartialEq, Eq)]
pub struct Books {
    pub audit: Audit,
    pub receipts: i64,
    pub payments: i64,
}

impl Database {
    /// One in SQLite.
    pub fn new() -> Self {
        Databases::Sqlite.another()
    }

    /// A folder for whatever uses the database.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }

    pub fn url(&self) -> &str {
        &self.url
    }

    /// Looks into the database itself, whether or not a shop runs on it.
    pub fn books(&self) -> Books {
        self.with_store(async |store| Books {
            audit: store.audit().await.unwrap(),
            receipts: count(store, "SELECT count(*) FROM receipts").await,
            payments: count(store, "SELECT count(*) FROM payments").await,
        })
    }

    /// Asks for a number.
    pub fn number(&self, sql: &'static str) -> i64 {
        self.with_store(async |store| count(store, sql).await)
    }

    fn with_store<T>(&self, work: impl AsyncFnOnce(&Store) -> T) -> T {
        self.runtime.block_on(async {
            let store = Store::open(&self.url).await.unwrap();
            let done = work(&store).await;
            store.close().await;
            done
        })
    }

    /// Asserts that so many purchases are whole: debited, paid, recorded, their receipts mailed; and that there is no
    /// other.
    #[track_caller]
    pub fn assert_whole(&self, purchases: i64) {
        let whole = Audit { debits: purchases, purchases, torn: 0 };
        assert_eq!(self.books(), Books { audit: whole, receipts: purchases, payments: purchases });
    }

    /// What the wallets paid, what was taken, recorded and settled: one sum.
    #[track_caller]
    pub fn assert_one_sum(&self) {
        const EACH: i64 = 1_000_000_000;
        let number = |sql| self.number(sql);
        let wallets = number("SELECT count(*) FROM wallets") * EACH;
        let paid = wallets - number("SELECT CAST(sum(balance) AS BIGINT) FROM wallets");
        for sum in [
            "SELECT CAST(sum(amount) AS BIGINT) FROM debits",
            "SELECT CAST(sum(amount) AS BIGINT) FROM payments",
            "SELECT CAST(sum(price) AS BIGINT) FROM purchases",
            "SELECT CAST(sum(total) AS BIGINT) FROM settlements",
        ] {
            assert_eq!(number(sum), paid, "{sum}");
        }
    }

    /// Does `work` while nobody else can create tables, or on SQLite write at all.
    pub fn locked<T>(&self, work: impl FnOnce() -> T) -> T {
        let (begin, lock) = match self.from {
            Databases::Sqlite => ("BEGIN IMMEDIATE", "SELECT 1"),
            Databases::Postgres(_) => ("BEGIN", "SELECT pg_advisory_xact_lock(7310000)"),
        };
        let store = self.runtime.block_on(Store::open(&self.url)).unwrap();
        let mut held = self.runtime.block_on(store.pool().begin_with(begin)).unwrap();
        self.runtime.block_on(sqlx::query(lock).execute(&mut *held)).unwrap();
        let done = work();
        self.runtime.block_on(held.rollback()).unwrap();
        self.runtime.block_on(store.close());
        done
    }
}

async fn count(store: &Store, sql: &'static str) -> i64 {
    sqlx::query_scalar(sql).fetch_one(&store.pool()).await.unwrap()
}

/// A shop that serves. Dropped, it is killed.
pub struct Shop {
    pub server: Server,
    pub admin: SocketAddr,
}

impl Shop {
    /// Starts one, and waits until it is ready.
    pub fn start(database: &Database, environment: &[(&str, &str)]) -> Self {
        let shop = Self::starting(database, environment);
        shop.wait_until_ready();
        shop
    }

    /// Waits until `/readyz` says so.
    #[track_caller]
    pub fn wait_until_ready(&self) {
        let ready = eventually(LIMIT, || self.admin("/readyz") == Some(200));
        assert!(ready, "not ready\n{}", self.server.transcript());
    }

    /// Starts one. Without a lame duck, unless the environment says otherwise.
    pub fn starting(database: &Database, environment: &[(&str, &str)]) -> Self {
        Self::starting_at([free_port(), free_port()], database, environment)
    }

    /// Starts one on those ports, the second for the admin listener.
    pub fn starting_at(
        [public, admin]: [u16; 2],
        database: &Database,
        environment: &[(&str, &str)],
    ) -> Self {
        let [public, admin] =
            [public, admin].map(|port| SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
        let command = Server::command(env!("CARGO_BIN_EXE_shop"))
            .cwd(database.folder())
            .env("DATABASE_URL", database.url())
            .env("SHOP_ADDR", public.to_string())
            .env("SHOP_PAYMENT_DELAY", "200ms")
            .env("LAMEDUCK_ADMIN", admin.to_string())
            .env("LAMEDUCK_LAME_DUCK", "0s");
        let command =
            environment.iter().fold(command, |command, (key, value)| command.env(key, value));
        Self { server: command.addr(public).start(), admin }
    }

    pub fn connect(&self) -> Client {
        Client::connect(self.server.addr()).unwrap().limit(LIMIT)
    }

    /// The status of an admin endpoint; none if nobody answers.
    pub fn admin(&self, path: &str) -> Option<u16> {
        let mut client = Client::connect(self.admin).ok()?.limit(LIMIT);
        client.get(path).ok()?;
        client.read_response().ok().map(|response| response.status)
    }

    pub fn get(&self, path: &str) -> Response {
        let mut client = self.connect();
        client.get(path).unwrap();
        client.read_response().unwrap()
    }

    /// A wallet that never empties.
    pub fn with_wallet(self, owner: &str) -> Self {
        let mut client = self.connect();
        post(&mut client, "/wallets", &json!({ "owner": owner, "balance": 1_000_000_000 }))
            .unwrap();
        assert_eq!(client.read_response().unwrap().status, 201);
        self
    }

    /// Buyers with a connection each who have ordered a coffee from `owner`'s wallet and wait for the answer.
    pub fn buyers(&self, owner: &str, count: usize) -> Vec<Client> {
        let order = json!({ "owner": owner, "item": "coffee" });
        let mut buyers: Vec<Client> = (0..count).map(|_| self.connect()).collect();
        for buyer in &mut buyers {
            post(buyer, "/purchases", &order).unwrap();
        }
        buyers
    }

    /// Waits until `yes` says so of the books.
    #[track_caller]
    pub fn eventually(&self, database: &Database, yes: impl Fn(&Books) -> bool) {
        let came = eventually(LIMIT, || yes(&database.books()));
        assert!(came, "{:?}\n{}", database.books(), self.server.transcript());
    }
}

/// Sends a JSON body.
pub fn post(client: &mut Client, path: &str, body: &Value) -> Result<(), Failure> {
    let body = body.to_string();
    let head = format!(
        "POST {path} HTTP/1.1\r\nHost: shop\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n",
        body.len()
    );
    client.send((head + &body).as_bytes())
}

/// The JSON of an answer.
pub fn json_of(response: &Response) -> Value {
    serde_json::from_slice(&response.body)
        .unwrap_or_else(|_| panic!("{}: {:?} is no JSON", response.status, response.text()))
}
