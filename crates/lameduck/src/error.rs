//! The error of a setup: one concrete type that any error converts into, so that `?` works in an async
//! closure without annotations.

use std::error::Error as StdError;
use std::fmt;

/// Why a service could not start.
///
/// Any error converts into it by `?`. It does not implement [`std::error::Error`] itself, because a type that
/// did could not have that conversion.
pub struct Error(Box<dyn StdError + Send + Sync>);

impl Error {
    /// An error that says just this.
    pub fn msg(message: impl Into<String>) -> Error {
        Error(message.into().into())
    }
}

impl<E: Into<Box<dyn StdError + Send + Sync>>> From<E> for Error {
    fn from(error: E) -> Error {
        Error(error.into())
    }
}

/// The error and its sources on one line, each said once.
impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut said = one_line(&self.0.to_string());
        let mut source = self.0.source();
        while let Some(error) = source {
            let text = one_line(&error.to_string());
            if !said.contains(&text) {
                said = format!("{said}: {text}");
            }
            source = error.source();
        }
        f.write_str(&said)
    }
}

impl fmt::Debug for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[cfg(test)]
mod tests {
    use super::Error;

    #[derive(Debug, thiserror::Error)]
    #[error("cannot open\n  the database")]
    struct Outer(#[source] std::io::Error);

    #[test]
    fn an_error_is_one_line_with_its_sources() {
        let error = Error::from(Outer(std::io::Error::other("no such file")));
        assert_eq!(error.to_string(), "cannot open the database: no such file");
    }

    #[test]
    fn the_question_mark_converts_any_error() {
        fn parse() -> Result<u8, Error> {
            Ok("300".parse::<u8>()?)
        }
        assert!(parse().unwrap_err().to_string().contains("too large"));
    }
}
