//! PostgreSQL.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::panic::catch_unwind;

use lameduck_testkit::{NOBODY, Postgres, Tool, is_root, needing};
use libtest_mimic::Trial;

pub(crate) fn trials() -> Vec<Trial> {
    let tools = [Tool::Postgres];
    vec![
        needing(&tools, "postgres_answers_queries", answers),
        needing(&tools, "postgres_says_what_is_wrong_with_a_query", says_what_is_wrong),
        needing(&tools, "postgres_is_never_run_by_root", never_run_by_root),
        needing(&tools, "clusters_side_by_side_do_not_meet", side_by_side),
    ]
}

fn answers() {
    let postgres = Postgres::start().unwrap();
    postgres.query("CREATE TABLE items (name text); INSERT INTO items VALUES ('tea'), (NULL)");
    let rows = postgres.query("SELECT name, name IS NULL FROM items");
    let text = |text: &str| Some(text.to_owned());
    assert_eq!(rows, [vec![text("tea"), text("f")], vec![None, text("t")]]);
    let port = postgres.query("SHOW port")[0][0].clone().unwrap();
    assert_eq!(postgres.url(), format!("postgres://postgres@127.0.0.1:{port}/postgres"));
}

fn says_what_is_wrong() {
    let postgres = Postgres::start().unwrap();
    let panic = catch_unwind(|| postgres.query("SELECT * FROM nowhere")).unwrap_err();
    assert_eq!(
        panic.downcast_ref::<String>().unwrap(),
        r#"PostgreSQL: SELECT * FROM nowhere: relation "nowhere" does not exist"#
    );
    assert_eq!(postgres.query("SELECT 1").len(), 1, "it goes on");
}

fn never_run_by_root() {
    let postgres = Postgres::start().unwrap();
    let user = |process: &str| fs::metadata(format!("/proc/{process}")).unwrap().uid();
    let expected = if is_root() { NOBODY } else { user("self") };
    assert_eq!(user(&postgres.server().pid().to_string()), expected);
}

fn side_by_side() {
    let [one, other] = [Postgres::start().unwrap(), Postgres::start().unwrap()];
    one.query("CREATE TABLE here ()");
    let find = "SELECT count(*) FROM pg_tables WHERE tablename = 'here'";
    let counts = [&one, &other].map(|postgres| postgres.query(find)[0][0].clone().unwrap());
    assert_eq!(counts, ["1", "0"]);
}
