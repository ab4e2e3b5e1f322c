//! The path of a request, kept to name it.

use http::uri::PathAndQuery;

/// Paths of up to so many bytes are copied.
const SHORT: usize = 46;

/// The path of a request, without its query.
///
/// A short one is copied, since keeping hyper's costs more: two atomic operations, and a request that keeps its head's
/// buffer has to be forgotten before the next one is read.
#[derive(Clone, Debug)]
pub(crate) enum Path {
    Short { length: u8, bytes: [u8; SHORT] },
    Long(PathAndQuery),
}

impl Path {
    /// That of a request that has none.
    pub(crate) const NONE: Path = Path::Short { length: 1, bytes: [b'*'; SHORT] };

    #[cfg(any(feature = "http2", test))]
    pub(crate) fn new(path: Option<&PathAndQuery>) -> Path {
        let mut this = Path::NONE;
        this.set(path);
        this
    }

    /// Takes the place of what was there.
    #[inline]
    pub(crate) fn set(&mut self, path: Option<&PathAndQuery>) {
        let Some(path) = path else {
            *self = Path::NONE;
            return;
        };
        let text = path.path().as_bytes();
        if text.len() > SHORT {
            *self = Path::Long(path.clone());
            return;
        }
        if self.is_long() {
            *self = Path::NONE;
        }
        if let Path::Short { length, bytes } = self {
            bytes[..text.len()].copy_from_slice(text);
            *length = u8::try_from(text.len()).unwrap_or(0);
        }
    }

    /// Whether it keeps a request's head in memory.
    pub(crate) fn is_long(&self) -> bool {
        matches!(self, Path::Long(_))
    }

    pub(crate) fn as_str(&self) -> &str {
        match self {
            Path::Short { length, bytes } => {
                let text = bytes.get(..usize::from(*length)).unwrap_or_default();
                std::str::from_utf8(text).unwrap_or_default()
            }
            Path::Long(path) => path.path(),
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn one_that_is_none_is_an_asterisk() {
        assert_eq!(Path::new(None).as_str(), "*");
    }

    proptest! {
        #[test]
        fn it_is_the_path_without_its_query_whatever_was_there_before(
            paths in prop::collection::vec(("/[a-z%/]{0,90}", prop::option::of("[a-z?]{0,60}")), 1..6),
        ) {
            let mut kept = Path::new(None);
            for (path, query) in paths {
                let text = query.map_or_else(|| path.clone(), |query| format!("{path}?{query}"));
                let asked: PathAndQuery = text.parse().unwrap();
                kept.set(Some(&asked));
                prop_assert_eq!(kept.as_str(), &path);
                prop_assert_eq!(kept.is_long(), path.len() > SHORT);
            }
        }
    }
}
