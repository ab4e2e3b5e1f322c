//! The answers that lameduck gives itself: 503 at a deadline, 408 for a head that never ends, 500 for a
//! handler that failed. A 503 invites to repeat only where that is safe.

use bytes::Bytes;
use http::header::{CONTENT_LENGTH, CONTENT_TYPE, HeaderValue, RETRY_AFTER};
use http::{Method, Response, StatusCode};

const SAFE: &str =
    "The server is stopping and did not process this request. It is safe to repeat.\n";
const REPEATABLE: &str =
    "The server is stopping and did not finish this request. It is safe to repeat.\n";
const UNKNOWN: &str = "The server is stopping and was interrupted in the middle of this request: \
                       its outcome is unknown. Look before repeating it.\n";
const TOO_LONG: &str = "The request took longer than this server allows.\n";
const TOO_LONG_UNKNOWN: &str = "The request took longer than this server allows and was interrupted: its \
                                outcome is unknown. Look before repeating it.\n";
const HEAD_TIMEOUT: &str = "The head of the request did not arrive in time.\n";
const BODY_TIMEOUT: &str = "The body of the request did not arrive in time.\n";
const FAILED: &str = "The request failed.\n";

/// What is known of a request that is answered late.
#[derive(Clone, Copy, Debug)]
pub(super) struct Asked {
    /// Its method is idempotent (RFC 9110, section 9.2.2).
    pub(super) idempotent: bool,
    /// It is a gRPC call.
    pub(super) grpc: bool,
}

/// Whether these are the headers of a gRPC call: `application/grpc`, `application/grpc+proto`. Not
/// `application/grpc-web`, whose clients take a 503 for UNAVAILABLE as it is.
#[cfg(any(feature = "http2", test))]
pub(super) fn is_grpc(headers: &http::HeaderMap) -> bool {
    headers
        .get(CONTENT_TYPE)
        .and_then(|value| value.as_bytes().strip_prefix(b"application/grpc"))
        .is_some_and(|rest| matches!(rest.first(), None | Some(b'+' | b';')))
}

/// Why a request is answered by us.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Why {
    /// The drain deadline.
    Stopping,
    /// Its own time limit, in ordinary life.
    TooLong,
}

/// The 503 for a request; `seen`: whether a handler has seen it.
pub(super) fn unavailable(asked: Asked, seen: bool, why: Why) -> Response<Bytes> {
    let (text, repeat) = match (why, wording(seen, asked.idempotent)) {
        (Why::Stopping, said) => said,
        (Why::TooLong, (_, true)) => (TOO_LONG, true),
        (Why::TooLong, (_, false)) => (TOO_LONG_UNKNOWN, false),
    };
    if asked.grpc {
        // gRPC over HTTP/2, "Trailers-Only": 14 is UNAVAILABLE, 4 DEADLINE_EXCEEDED.
        let (status, message) = match (why, repeat) {
            (Why::Stopping, true) => ("14", "the server is stopping"),
            (Why::Stopping, false) => ("14", "the server is stopping; outcome unknown"),
            (Why::TooLong, _) => ("4", "the request took longer than this server allows"),
        };
        let mut response = Response::new(Bytes::new());
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
        headers.insert("grpc-status", HeaderValue::from_static(status));
        headers.insert("grpc-message", HeaderValue::from_static(message));
        return response;
    }
    let mut response = text_response(StatusCode::SERVICE_UNAVAILABLE, text);
    if repeat {
        response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    }
    response
}

/// The 500 for a handler that panicked or returned an error.
pub(super) fn failed() -> Response<Bytes> {
    text_response(StatusCode::INTERNAL_SERVER_ERROR, FAILED)
}

/// The 408 for a request of whose body nothing more comes.
pub(super) fn body_timeout() -> Response<Bytes> {
    text_response(StatusCode::REQUEST_TIMEOUT, BODY_TIMEOUT)
}

fn text_response(status: StatusCode, text: &'static str) -> Response<Bytes> {
    let mut response = Response::new(Bytes::from_static(text.as_bytes()));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(CONTENT_LENGTH, HeaderValue::from(text.len()));
    response
}

fn wording(seen: bool, idempotent: bool) -> (&'static str, bool) {
    match (seen, idempotent) {
        (false, _) => (SAFE, true),
        (true, true) => (REPEATABLE, true),
        (true, false) => (UNKNOWN, false),
    }
}

/// The bytes of a 503 on HTTP/1.1, where hyper cannot write it: half a head, or a blocked runtime.
/// `method`: of the request that a handler has seen, if one has.
pub(super) fn raw_unavailable(method: Option<&Method>) -> Bytes {
    let (text, repeat) = wording(method.is_some(), method.is_none_or(Method::is_idempotent));
    let retry = if repeat { "retry-after: 1\r\n" } else { "" };
    // The answer to HEAD has no body, whatever its content-length says.
    let body = if method == Some(&Method::HEAD) { "" } else { text };
    raw("503 Service Unavailable", retry, text.len(), body)
}

/// The bytes of the 408 for a head that did not end in time.
pub(super) fn raw_head_timeout() -> Bytes {
    raw("408 Request Timeout", "", HEAD_TIMEOUT.len(), HEAD_TIMEOUT)
}

/// The bytes of the 500 for a service that panicked before it returned a future.
pub(super) fn raw_failed(method: &Method) -> Bytes {
    let body = if method == Method::HEAD { "" } else { FAILED };
    raw("500 Internal Server Error", "", FAILED.len(), body)
}

fn raw(status: &str, more: &str, length: usize, body: &str) -> Bytes {
    let date = jiff::fmt::rfc2822::DateTimePrinter::new()
        .timestamp_to_rfc9110_string(&jiff::Timestamp::now())
        .unwrap_or_default();
    Bytes::from(format!(
        "HTTP/1.1 {status}\r\ndate: {date}\r\nconnection: close\r\n{more}\
         content-type: text/plain; charset=utf-8\r\ncontent-length: {length}\r\n\r\n{body}"
    ))
}

#[cfg(test)]
mod tests {
    use http::HeaderMap;

    use super::*;

    #[test]
    fn only_what_is_safe_to_repeat_is_invited_to() {
        for (method, seen, invited) in [
            (Method::GET, true, true),
            (Method::PUT, true, true),
            (Method::DELETE, true, true),
            (Method::POST, true, false),
            (Method::PATCH, true, false),
            (Method::POST, false, true),
        ] {
            let asked = Asked { idempotent: method.is_idempotent(), grpc: false };
            let response = unavailable(asked, seen, Why::Stopping);
            assert_eq!(response.status(), 503);
            assert_eq!(response.headers().contains_key(RETRY_AFTER), invited, "{method} {seen}");
            let raw = raw_unavailable(seen.then_some(&method));
            let raw = std::str::from_utf8(&raw).unwrap();
            assert_eq!(raw.contains("retry-after: 1\r\n"), invited, "{method} {seen}");
        }
    }

    #[test]
    fn a_grpc_call_is_told_unavailable_in_its_own_protocol() {
        for (why, status) in [(Why::Stopping, "14"), (Why::TooLong, "4")] {
            let response = unavailable(Asked { idempotent: false, grpc: true }, true, why);
            assert_eq!(response.status(), 200);
            assert_eq!(response.headers()["grpc-status"], status);
        }
    }

    #[test]
    fn a_grpc_call_is_known_by_its_content_type() {
        for (content_type, grpc) in [
            ("application/grpc", true),
            ("application/grpc+proto", true),
            ("application/grpc;charset=utf-8", true),
            ("application/grpc-web+proto", false),
            ("application/json", false),
        ] {
            let mut headers = HeaderMap::new();
            headers.insert(CONTENT_TYPE, HeaderValue::from_static(content_type));
            assert_eq!(is_grpc(&headers), grpc, "{content_type}");
        }
        assert!(!is_grpc(&HeaderMap::new()));
    }

    #[test]
    fn the_raw_answers_are_whole_responses() {
        for raw in [raw_unavailable(None), raw_unavailable(Some(&Method::POST)), raw_head_timeout()]
        {
            let text = std::str::from_utf8(&raw).unwrap();
            let (head, body) = text.split_once("\r\n\r\n").unwrap();
            assert!(head.contains(&format!("content-length: {}", body.len())), "{text}");
            assert!(head.contains("connection: close") && head.contains(" GMT"), "{text}");
        }
        let head = raw_unavailable(Some(&Method::HEAD));
        assert!(head.ends_with(b"\r\n\r\n"));
    }
}
