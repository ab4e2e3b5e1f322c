//! The program as a person starts it.

use std::process::{Command, Output};

fn shop(arguments: &[&str], environment: &[(&str, &str)]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_shop"))
        .args(arguments)
        .envs(environment.iter().copied())
        .output()
        .unwrap()
}

/// The exit code, and the one line on standard error.
#[track_caller]
fn refused(output: &Output) -> (Option<i32>, &str) {
    let text = str::from_utf8(&output.stderr).unwrap();
    assert_eq!(text.lines().count(), 1, "{text}");
    (output.status.code(), text.trim_end())
}

#[test]
fn help_goes_to_standard_output() {
    let output = shop(&["--help"], &[]);
    assert!(output.status.success());
    assert!(str::from_utf8(&output.stdout).unwrap().contains("shop demo"));
}

#[test]
fn an_unknown_argument_ends_with_2() {
    let output = shop(&["serve"], &[]);
    assert_eq!(
        refused(&output),
        (Some(2), "shop: unknown argument \"serve\"; usage: shop [demo | --help]")
    );
}

#[test]
fn a_bad_setting_ends_with_1_and_an_example() {
    let output = shop(&[], &[("SHOP_PAYMENT_DELAY", "soon")]);
    let (code, line) = refused(&output);
    assert_eq!(code, Some(1));
    assert!(
        line.contains("SHOP_PAYMENT_DELAY is \"soon\"") && line.contains("SHOP_PAYMENT_DELAY=5s"),
        "{line}"
    );
}

#[test]
fn an_unusable_database_ends_with_1_and_its_name() {
    let output = shop(&[], &[("DATABASE_URL", "sqlite:/missing/shop.db?mode=rwc")]);
    let (code, line) = refused(&output);
    assert_eq!(code, Some(1));
    assert!(
        line.contains("\"sqlite:/missing/shop.db?mode=rwc\": unable to open database file"),
        "{line}"
    );
}
