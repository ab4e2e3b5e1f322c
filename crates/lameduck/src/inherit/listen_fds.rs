//! What the variables of socket activation say (sd_listen_fds(3)). Pure: nothing is opened or looked at here.

use std::ffi::OsString;
use std::os::fd::RawFd;

use crate::Error;

/// The first descriptor that is passed on.
pub(super) const FIRST: RawFd = 3;

/// By which variable a maker of sockets says on which pipe its child can see that it has let them go.
pub(super) const HELD: &str = "LAMEDUCK_LISTENERS_HELD";
pub(super) const HELD_RIGHT: &str = "set it to the reading end of a pipe that ends when the maker of the sockets closes its own, as `lameduck run` does";

/// Reads that variable: the number of the pipe's descriptor.
///
/// # Errors
/// It is no number of a descriptor.
pub(super) fn held(variable: impl Fn(&str) -> Option<OsString>) -> Result<Option<RawFd>, Error> {
    let Some(value) = variable(HELD).filter(|value| !value.is_empty()) else { return Ok(None) };
    let number =
        value.to_str().and_then(|text| text.parse().ok()).filter(|number| *number >= FIRST);
    number.map(Some).ok_or_else(|| {
        Error::msg(format!(
            "{HELD} is {value:?}, which is no descriptor that is passed on; {HELD_RIGHT}"
        ))
    })
}

/// What the environment says of passed-on descriptors.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Said {
    /// Nothing, or that there are none.
    Nothing,
    /// They are for another process: why nothing is taken over, for the log.
    ForAnother(String),
    /// From descriptor 3 on, this process has sockets of these names; empty where one was given none.
    Sockets(Vec<String>),
}

/// Reads `LISTEN_PID`, `LISTEN_FDS` and `LISTEN_FDNAMES`, for the process of this id.
///
/// # Errors
/// Names the variable that cannot be read, and says what would be right.
pub(super) fn read(pid: u32, variable: impl Fn(&str) -> Option<OsString>) -> Result<Said, Error> {
    let number = |name: &str, value: &OsString, right: &str| -> Result<u32, Error> {
        value
            .to_str()
            .and_then(|text| text.parse::<u32>().ok())
            .ok_or_else(|| Error::msg(format!("{name} is {value:?}, which is no number; {right}")))
    };
    // sd_listen_fds(3) takes nothing without the process id, which keeps children from taking what was not theirs.
    let (Some(process), Some(count)) = (variable("LISTEN_PID"), variable("LISTEN_FDS")) else {
        return Ok(Said::Nothing);
    };
    let meant =
        number("LISTEN_PID", &process, "set it to the id of the process that is to listen")?;
    if meant != pid {
        return Ok(Said::ForAnother(format!(
            "LISTEN_FDS is for process {meant}, and this is {pid}: no socket is taken over from it"
        )));
    }
    let right = "set it to how many sockets are passed on, from descriptor 3 on";
    let count = number("LISTEN_FDS", &count, right)?;
    if count == 0 {
        return Ok(Said::Nothing);
    }
    // More than any process may have open: so that no amount of memory is asked for below.
    if count > MOST {
        return Err(Error::msg(format!("LISTEN_FDS is {count}, and {MOST} is the most; {right}")));
    }
    let wanted = usize::try_from(count).unwrap_or(usize::MAX);
    let Some(names) = variable("LISTEN_FDNAMES") else {
        return Ok(Said::Sockets(vec![String::new(); wanted]));
    };
    let names = names.into_string().map_err(|names| {
        Error::msg(format!(
            "LISTEN_FDNAMES is {names:?}, which is no text; write it like LISTEN_FDNAMES=public:admin"
        ))
    })?;
    let names: Vec<String> = names.split(':').map(ToOwned::to_owned).collect();
    if names.len() != wanted {
        return Err(Error::msg(format!(
            "LISTEN_FDNAMES has {} names, and LISTEN_FDS says {count}; give each socket one name, with a colon between \
             two, or leave LISTEN_FDNAMES away",
            names.len()
        )));
    }
    Ok(Said::Sockets(names))
}

/// The most sockets that are taken over.
const MOST: u32 = 1024;

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{HELD, OsString, Said, held, read};

    type Variables<'a> = &'a [(&'a str, &'a str)];

    fn said(variables: Variables<'_>) -> Result<Said, String> {
        let of = |name: &str| variables.iter().find(|(given, _)| *given == name);
        read(34, |name| of(name).map(|(_, value)| (*value).into()))
            .map_err(|error| error.to_string())
    }

    fn sockets(names: &[&str]) -> Result<Said, String> {
        Ok(Said::Sockets(names.iter().map(|name| (*name).to_owned()).collect()))
    }

    #[test]
    fn sockets_are_those_from_descriptor_3_on_if_they_are_for_this_process() {
        let table: [(Variables<'_>, Result<Said, String>); 8] = [
            (&[], Ok(Said::Nothing)),
            (&[("LISTEN_FDS", "1")], Ok(Said::Nothing)),
            (&[("LISTEN_PID", "34")], Ok(Said::Nothing)),
            (&[("LISTEN_PID", "34"), ("LISTEN_FDS", "0")], Ok(Said::Nothing)),
            (&[("LISTEN_PID", "34"), ("LISTEN_FDS", "2")], sockets(&["", ""])),
            (
                &[("LISTEN_PID", "34"), ("LISTEN_FDS", "2"), ("LISTEN_FDNAMES", "public:admin")],
                sockets(&["public", "admin"]),
            ),
            (&[("LISTEN_PID", "34"), ("LISTEN_FDS", "1"), ("LISTEN_FDNAMES", "")], sockets(&[""])),
            (
                &[("LISTEN_PID", "12"), ("LISTEN_FDS", "nonsense")],
                Ok(Said::ForAnother(
                    "LISTEN_FDS is for process 12, and this is 34: no socket is taken over from it"
                        .to_owned(),
                )),
            ),
        ];
        for (variables, right) in table {
            assert_eq!(said(variables), right, "{variables:?}");
        }
    }

    #[test]
    fn a_wrong_value_is_answered_with_its_variable_and_a_right_one() {
        let table: [(Variables<'_>, &str); 6] = [
            (
                &[("LISTEN_PID", "me"), ("LISTEN_FDS", "1")],
                "LISTEN_PID is \"me\", which is no number; set it to the id of the process that is to listen",
            ),
            (
                &[("LISTEN_PID", "34"), ("LISTEN_FDS", "abc")],
                "LISTEN_FDS is \"abc\", which is no number; set it to how many sockets are passed on, from descriptor 3 on",
            ),
            (
                &[("LISTEN_PID", "34"), ("LISTEN_FDS", "-1")],
                "LISTEN_FDS is \"-1\", which is no number; set it to how many sockets are passed on, from descriptor 3 on",
            ),
            (
                &[("LISTEN_PID", "34"), ("LISTEN_FDS", "4000000000")],
                "LISTEN_FDS is 4000000000, and 1024 is the most; set it to how many sockets are passed on, from descriptor 3 on",
            ),
            (
                &[("LISTEN_PID", "34"), ("LISTEN_FDS", "1"), ("LISTEN_FDNAMES", "a:b")],
                "LISTEN_FDNAMES has 2 names, and LISTEN_FDS says 1; give each socket one name, with a colon between two, or leave LISTEN_FDNAMES away",
            ),
            (
                &[("LISTEN_PID", "34"), ("LISTEN_FDS", "3"), ("LISTEN_FDNAMES", "a:b")],
                "LISTEN_FDNAMES has 2 names, and LISTEN_FDS says 3; give each socket one name, with a colon between two, or leave LISTEN_FDNAMES away",
            ),
        ];
        for (variables, message) in table {
            assert_eq!(said(variables).expect_err("wrong"), message, "{variables:?}");
        }
    }

    #[test]
    fn the_pipe_of_the_sockets_maker_is_a_descriptor_or_an_error() {
        let held = |value: &'static str| held(move |_| Some(OsString::from(value)));
        assert_eq!(held("5").unwrap(), Some(5));
        assert_eq!(held("").unwrap(), None);
        for wrong in ["2", "-1", "five", "5 "] {
            let said = held(wrong).unwrap_err().to_string();
            assert!(
                said.starts_with(&format!("{HELD} is {wrong:?}, which is no descriptor")),
                "{said}"
            );
        }
    }

    proptest! {
        #[test]
        fn whatever_they_hold_there_is_a_name_for_each_socket_or_an_error_of_one_line(
            count in "([0-9]{1,12}|\\PC{0,6})",
            names in proptest::option::of("[a-z:.\\PC]{0,20}"),
        ) {
            let mut variables = vec![("LISTEN_PID", "34"), ("LISTEN_FDS", count.as_str())];
            variables.extend(names.as_deref().map(|names| ("LISTEN_FDNAMES", names)));
            match said(&variables) {
                Ok(Said::Sockets(names)) => {
                    prop_assert_eq!(Ok(names.len()), count.parse::<usize>());
                }
                Ok(Said::Nothing) => prop_assert_eq!(count.parse::<u32>(), Ok(0)),
                Ok(Said::ForAnother(_)) => prop_assert!(false, "it is for this process"),
                Err(error) => prop_assert!(!error.contains('\n')),
            }
        }
    }
}
