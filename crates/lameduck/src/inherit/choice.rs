//! Which of the inherited sockets a server gets.

/// What is known of an inherited socket when a server asks.
#[derive(Clone, Copy, Debug)]
pub(super) struct Offer<'a> {
    /// What it is called.
    pub(super) name: &'a str,
    /// Whether it listens where the server would.
    pub(super) is_there: bool,
    /// Whether it is the only one that nobody gave a name, so that it may go to whoever comes first.
    pub(super) is_anybodys: bool,
}

/// The place of the socket that the server `wanted` gets, if there is one for it: the one of its name; else the
/// one that listens where it would, whatever its name; else the only one without a name.
///
/// One name may stand for several sockets (a socket unit with several addresses): the address decides among them.
pub(super) fn choose(offers: &[Offer<'_>], wanted: &str) -> Option<usize> {
    let first = |fits: &dyn Fn(&Offer<'_>) -> bool| offers.iter().position(fits);
    first(&|offer| offer.name == wanted && offer.is_there)
        .or_else(|| first(&|offer| offer.name == wanted))
        .or_else(|| first(&|offer| offer.is_there))
        .or_else(|| first(&|offer| offer.is_anybodys))
}

/// Whether `name` was given to a socket by somebody who meant it. systemd calls a socket by its unit where the unit
/// says nothing (`FileDescriptorName=`, systemd.socket(5)).
pub(super) fn is_given(name: &str) -> bool {
    !name.is_empty() && name != "unknown" && !name.ends_with(".socket")
}

#[cfg(test)]
mod tests {
    use super::{Offer, choose, is_given};

    fn offer(name: &str, is_there: bool, is_anybodys: bool) -> Offer<'_> {
        Offer { name, is_there, is_anybodys }
    }

    #[test]
    fn a_server_gets_the_socket_of_its_name_then_of_its_address_then_the_only_one_without_a_name() {
        let table = [
            (vec![], None),
            (vec![offer("public", false, false)], Some(0)),
            (vec![offer("other", true, false), offer("public", false, false)], Some(1)),
            (vec![offer("public", false, false), offer("public", true, false)], Some(1)),
            (vec![offer("public", true, false), offer("public", true, false)], Some(0)),
            (vec![offer("other", false, false), offer("another", true, false)], Some(1)),
            (vec![offer("other", false, false)], None),
            (vec![offer("shop.socket", false, true)], Some(0)),
            (vec![offer("shop.socket", false, true), offer("other", true, false)], Some(1)),
            (vec![offer("a.socket", false, false), offer("b.socket", false, false)], None),
        ];
        for (offers, chosen) in table {
            assert_eq!(choose(&offers, "public"), chosen, "{offers:?}");
        }
    }

    #[test]
    fn the_name_of_a_unit_was_not_given_to_a_socket() {
        for name in ["", "unknown", "shop.socket"] {
            assert!(!is_given(name), "{name}");
        }
        for name in ["public", "admin", "socket"] {
            assert!(is_given(name), "{name}");
        }
    }
}
