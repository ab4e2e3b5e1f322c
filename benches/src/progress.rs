//! The order of a part's rounds, and a line on standard error for each.

use crate::kind::Kind;

/// Calls `measure` for each kind, once a round, every other round backwards. The values by kind, in the kinds' order.
pub(crate) fn alternate<T, E>(
    what: &str,
    rounds: usize,
    kinds: &[Kind],
    mut measure: impl FnMut(Kind) -> Result<T, E>,
) -> Result<Vec<(Kind, Vec<T>)>, E> {
    let mut values: Vec<(Kind, Vec<T>)> = kinds.iter().map(|&kind| (kind, Vec::new())).collect();
    for round in 0..rounds {
        eprintln!("{what}: round {} of {rounds}", round + 1);
        let mut places: Vec<usize> = (0..kinds.len()).collect();
        if round % 2 == 1 {
            places.reverse();
        }
        for place in places {
            let (kind, values) = &mut values[place];
            values.push(measure(*kind)?);
        }
    }
    Ok(values)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_other_round_goes_backwards_and_values_stay_with_their_kind() {
        let mut order = Vec::new();
        let kinds = [Kind::Lameduck, Kind::Auto, Kind::Go];
        let values = alternate("test", 2, &kinds, |kind| {
            order.push(kind);
            Ok::<_, ()>(order.len())
        });
        assert_eq!(order, [kinds[0], kinds[1], kinds[2], kinds[2], kinds[1], kinds[0]]);
        let expected = vec![(kinds[0], vec![1, 6]), (kinds[1], vec![2, 5]), (kinds[2], vec![3, 4])];
        assert_eq!(values, Ok(expected));
    }
}
