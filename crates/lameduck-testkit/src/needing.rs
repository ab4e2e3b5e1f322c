//! Tests that need a program which not every machine has.

use libtest_mimic::Trial;

use crate::missing::Missing;
use crate::places::in_ci;
use crate::tool::Tool;

/// A test for a test program without cargo's own harness. Where one of the tools is missing it is counted as ignored
/// and says which packages it needs; on the CI machines (`CI=true`) it fails instead.
#[must_use]
pub fn needing(tools: &[Tool], name: &str, case: impl FnOnce() + Send + 'static) -> Trial {
    let missing = tools.iter().filter_map(|tool| tool.find().err()).collect();
    trial(missing, in_ci(), name, case)
}

fn trial(
    missing: Vec<Missing>,
    in_ci: bool,
    name: &str,
    case: impl FnOnce() + Send + 'static,
) -> Trial {
    let first = missing.first().copied();
    // It fails for who runs ignored tests, too.
    let trial = Trial::test(name, move || match first {
        Some(missing) => Err(missing.into()),
        None => {
            case();
            Ok(())
        }
    });
    if first.is_none() {
        return trial;
    }
    let packages: Vec<&str> = missing.iter().map(|Missing(tool)| tool.package()).collect();
    trial.with_kind(format!("needs {}", packages.join(", "))).with_ignored_flag(!in_ci)
}

#[cfg(test)]
mod tests {
    use super::trial;
    use crate::missing::Missing;
    use crate::tool::Tool;

    #[test]
    fn the_packages_are_named() {
        let missing = vec![Missing(Tool::Nats), Missing(Tool::Postgres)];
        let trial = trial(missing, false, "a_case", || ());
        assert_eq!(trial.kind(), "needs nats-server, postgresql");
    }

    #[test]
    fn nothing_is_ignored_on_ci() {
        let trial = |in_ci| trial(vec![Missing(Tool::Nats)], in_ci, "a_case", || ());
        assert!(trial(false).has_ignored_flag() && !trial(true).has_ignored_flag());
    }
}
