//! Stand-in for `lifecycle.shield(..)` until the library has it.

/// Runs `work` to its end, also when the caller is gone.
pub async fn shield<T: Send + 'static>(
    _name: &'static str,
    work: impl Future<Output = T> + Send + 'static,
) -> Result<T, tokio::task::JoinError> {
    #[expect(clippy::disallowed_methods, reason = "stands in for lameduck, which tracks it")]
    tokio::spawn(work).await
}
