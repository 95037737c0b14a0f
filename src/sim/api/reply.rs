//! Answers.

use bytes::Bytes;
use futures::{Stream, StreamExt as _};
use http::header::{CONTENT_TYPE, HeaderValue, RETRY_AFTER, WARNING};
use http::{Response, StatusCode};
use http_body::Frame;
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt as _, Full, StreamBody};
use serde_json::Value;

use crate::sim::refusal::Refusal;

/// The body of an answer: whole, or a stream of a watch.
pub type Body = UnsyncBoxBody<Bytes, std::convert::Infallible>;

/// The connection broke before there was an answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("connection reset by the simulated API server")]
pub struct Reset;

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const TEXT: HeaderValue = HeaderValue::from_static("text/plain; charset=utf-8");

/// What stands before each text of a `Warning` header (RFC 7234).
const WARNING_CODE: &str = "299 - ";

pub(super) fn json(code: u16, value: &Value) -> Response<Body> {
    typed(code, JSON, value.to_string())
}

pub(super) fn text(code: u16, text: &str) -> Response<Body> {
    typed(code, TEXT, text.to_owned())
}

fn typed(code: u16, kind: HeaderValue, body: String) -> Response<Body> {
    let mut answer = Response::new(Full::from(body).boxed_unsync());
    *answer.status_mut() = StatusCode::from_u16(code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    answer.headers_mut().insert(CONTENT_TYPE, kind);
    answer
}

/// Answers with an OpenAPI v2 document in protobuf that says no more than its version.
pub(super) fn old_openapi() -> Response<Body> {
    const KIND: HeaderValue =
        HeaderValue::from_static("application/com.github.proto-openapi.spec.v2.v1.0+protobuf");
    // The first field, a text of three letters.
    typed(200, KIND, "\n\u{3}2.0".to_owned())
}

pub(super) fn refused(refusal: &Refusal) -> Response<Body> {
    let mut answer = json(refusal.code, &refusal.status());
    if let Some(seconds) = refusal.retry_after() {
        answer.headers_mut().insert(RETRY_AFTER, seconds.into());
    }
    answer
}

/// Answers with one JSON document a line, as long as `lines` go on.
pub(super) fn lines(lines: impl Stream<Item = Value> + Send + 'static) -> Response<Body> {
    let frames = lines.map(|line| Ok(Frame::data(Bytes::from(format!("{line}\n")))));
    let mut answer = Response::new(StreamBody::new(frames).boxed_unsync());
    answer.headers_mut().insert(CONTENT_TYPE, JSON);
    answer
}

/// Adds warnings that people read.
pub(super) fn warn(answer: &mut Response<Body>, warnings: &[String]) {
    for warning in warnings {
        let quoted = warning.replace('\\', "\\\\").replace('"', "\\\"");
        let text = format!("{WARNING_CODE}\"{quoted}\"");
        if let Ok(value) = HeaderValue::from_str(&text) {
            answer.headers_mut().append(WARNING, value);
        }
    }
}
