//! Answers of the upstream. Each carries `x-upstream: 1`, so that a test can tell them from Envoy's own. Those
//! that don't come early also say which request of all this was, in `x-upstream-hits`.

use std::convert::Infallible;

use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, Response, StatusCode};
use http_body_util::channel::{Channel, Sender};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full};

/// An answer, whole or streamed.
pub(super) type Answer = Response<UnsyncBoxBody<Bytes, Infallible>>;

/// An answer with a whole body.
pub(super) fn whole(status: u16, media_type: &str, body: impl Into<Bytes>) -> Answer {
    finish(status, media_type, Full::new(body.into()).boxed_unsync())
}

/// A short text.
pub(super) fn text(status: u16, text: impl Into<String>) -> Answer {
    whole(status, "text/plain", text.into())
}

/// An answer whose body is sent bit by bit.
pub(super) fn streamed(media_type: &str) -> (Answer, Sender<Bytes>) {
    let (sender, channel) = Channel::new(1);
    (finish(200, media_type, channel.boxed_unsync()), sender)
}

/// The answer to request number `hits` of all.
pub(super) fn numbered(mut answer: Answer, hits: usize) -> Answer {
    answer.headers_mut().extend(field_map([("x-upstream-hits", hits.to_string().as_bytes())]));
    answer
}

/// A map of the fields that can be expressed.
pub(super) fn field_map<'a>(fields: impl IntoIterator<Item = (&'a str, &'a [u8])>) -> HeaderMap {
    fields
        .into_iter()
        .filter_map(|(name, value)| {
            let name = HeaderName::from_bytes(name.as_bytes()).ok()?;
            Some((name, HeaderValue::from_bytes(value).ok()?))
        })
        .collect()
}

fn finish(status: u16, media_type: &str, body: UnsyncBoxBody<Bytes, Infallible>) -> Answer {
    let mut answer = Response::new(body);
    *answer.status_mut() = StatusCode::from_u16(status).unwrap_or(StatusCode::IM_A_TEAPOT);
    *answer.headers_mut() = field_map([("x-upstream", b"1".as_slice())]);
    if !media_type.is_empty() {
        answer.headers_mut().extend(field_map([("content-type", media_type.as_bytes())]));
    }
    answer
}
