//! What Envoy shows of an exchange: properties and headers.

use std::collections::BTreeMap;

use crate::exchange::{Exchange, Fields};

pub(crate) fn is_grpc(headers: &Fields) -> bool {
    headers.iter().any(|(name, value)| {
        name == "content-type"
            && value
                .strip_prefix(b"application/grpc")
                .is_some_and(|rest| rest.is_empty() || rest.starts_with(b"+"))
    })
}

pub(crate) fn properties(exchange: &Exchange, context: u32, now: u64) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let number = |n: u64| n.to_le_bytes().to_vec();
    let request = &exchange.request;
    let mut known: BTreeMap<Vec<u8>, Vec<u8>> = [
        ("source\0address", exchange.client.to_string().into_bytes()),
        ("source\0port", number(exchange.client.port().into())),
        ("destination\0address", exchange.server.to_string().into_bytes()),
        ("destination\0port", number(exchange.server.port().into())),
        ("connection\0id", number(context.into())),
        ("request\0id", request_id(exchange, context)),
        ("request\0time", number(now)),
        ("request\0protocol", request.protocol.clone().into_bytes()),
        ("request\0method", request.method.clone().into_bytes()),
        ("request\0path", request.target.clone().into_bytes()),
        ("request\0host", request.authority.clone().into_bytes()),
    ]
    .into_iter()
    .map(|(path, value)| (path.as_bytes().to_vec(), value))
    .collect();
    known.extend(exchange.properties.iter().map(|(path, value)| (path.as_bytes().to_vec(), value.clone())));
    known
}

/// The request's id: what it says itself, else one made from the context's number.
fn request_id(exchange: &Exchange, context: u32) -> Vec<u8> {
    let given = exchange.request.headers.iter().find(|(name, _)| name == "x-request-id");
    given.map_or_else(
        || format!("00000000-0000-4000-8000-{context:012x}").into_bytes(),
        |(_, value)| value.clone(),
    )
}

/// The headers as Envoy shows them.
pub(crate) fn request_headers(exchange: &Exchange, context: u32) -> Fields {
    let request = &exchange.request;
    let mut fields: Fields = [
        (":authority", &request.authority),
        (":path", &request.target),
        (":method", &request.method),
        (":scheme", &"http".to_owned()),
    ]
    .into_iter()
    .filter(|(_, value)| !value.is_empty())
    .map(|(name, value)| (name.to_owned(), value.clone().into_bytes()))
    .collect();
    fields.extend(request.headers.iter().cloned());
    if !request.headers.iter().any(|(name, _)| name == "x-request-id") {
        fields.push(("x-request-id".to_owned(), request_id(exchange, context)));
    }
    fields
}
