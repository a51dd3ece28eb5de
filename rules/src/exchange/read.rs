//! Exchanges as JSON.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::Value;

use super::fields::{Fields, Unreadable, integer, text};
use super::{Base64, Bytes, Endpoint, Exchange, Moment, Request, Response, http_1_1};
use crate::eval::UnixNanos;
use crate::http::time::parse_rfc3339;

/// How headers can be written.
const HEADERS: &str = "`[[\"name\", \"value\"], …]` or `{\"name\": \"value\", …}`";

impl Exchange {
    /// Reads an exchange.
    ///
    /// # Errors
    /// When something in it can't be used: what and where.
    pub fn read(value: &Value) -> Result<Self, Unreadable> {
        let known = ["id", "time", "interrogation", "client", "server", "request", "response"];
        let fields = Fields::new(value, "an exchange", &known)?;
        Ok(Self {
            id: fields.get("id").cloned().unwrap_or_default(),
            time: fields.optional("time", moment)?,
            interrogation: fields.optional("interrogation", text)?,
            client: fields.optional("client", endpoint)?.unwrap_or_default(),
            server: fields.optional("server", endpoint)?.unwrap_or_default(),
            request: fields.required("request", request)?,
            response: fields.optional("response", response)?,
        })
    }
}

impl<'de> Deserialize<'de> for Exchange {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::read(&Value::deserialize(deserializer)?).map_err(serde::de::Error::custom)
    }
}

/// A moment: seconds since 1970, or RFC 3339.
///
/// # Errors
/// For what is neither.
pub fn moment(value: &Value) -> Result<Moment, Unreadable> {
    let read = match value {
        // A cast saturates and takes NaN as 0.
        Value::Number(number) => {
            number.as_f64().map(|seconds| Moment(UnixNanos((seconds * 1e3).round() as u64 * 1_000_000)))
        }
        Value::String(text) => parse_rfc3339(text).map(|nanos| Moment(UnixNanos(nanos))),
        _ => None,
    };
    read.ok_or_else(|| {
        Unreadable::new("a time is seconds since 1970, or text such as \"2026-03-01T12:00:00Z\"")
    })
}

fn endpoint(value: &Value) -> Result<Endpoint, Unreadable> {
    let fields = Fields::new(value, "an end of a connection", &["address", "port"])?;
    Ok(Endpoint {
        address: fields.optional("address", text)?.unwrap_or_default(),
        port: fields.optional("port", integer)?.unwrap_or_default(),
    })
}

fn request(value: &Value) -> Result<Request, Unreadable> {
    let known = ["method", "uri", "protocol", "headers", "body", "body_base64"];
    let fields = Fields::new(value, "a request", &known)?;
    let (body, body_base64) = body(&fields)?;
    Ok(Request {
        method: fields.required("method", bytes)?,
        uri: fields.required("uri", bytes)?,
        protocol: fields.optional("protocol", bytes)?.unwrap_or_else(http_1_1),
        headers: fields.optional("headers", headers)?.unwrap_or_default(),
        body,
        body_base64,
    })
}

fn response(value: &Value) -> Result<Response, Unreadable> {
    let known = ["status", "protocol", "headers", "body", "body_base64"];
    let fields = Fields::new(value, "a response", &known)?;
    let (body, body_base64) = body(&fields)?;
    Ok(Response {
        status: fields.required("status", integer)?,
        protocol: fields.optional("protocol", bytes)?.unwrap_or_else(http_1_1),
        headers: fields.optional("headers", headers)?.unwrap_or_default(),
        body,
        body_base64,
    })
}

/// The two ways to give a body, of which one is used.
fn body(fields: &Fields<'_>) -> Result<(Bytes, Base64), Unreadable> {
    if fields.get("body").is_some() && fields.get("body_base64").is_some() {
        return Err(Unreadable::new("`body` and `body_base64` say the same; give one of them"));
    }
    let plain = fields.optional("body", |value| {
        let json = value.is_object() && value.get("base64").is_none() || value.is_array();
        if json {
            return Err(Unreadable::expected("a string, also for a body that is JSON itself", value));
        }
        bytes(value)
    })?;
    Ok((plain.unwrap_or_default(), fields.optional("body_base64", base64)?.unwrap_or_default()))
}

/// Pairs in an array, or an object with one value, or an array of values, for each name.
fn headers(value: &Value) -> Result<Vec<(Bytes, Bytes)>, Unreadable> {
    match value {
        Value::Array(pairs) => {
            let read =
                |(number, pair)| header(pair).map_err(|problem| problem.within(&format!("[{number}]")));
            pairs.iter().enumerate().map(read).collect()
        }
        Value::Object(fields) => {
            let mut headers = Vec::new();
            for (name, value) in fields {
                let values = match value {
                    Value::Array(values) => values.as_slice(),
                    one => std::slice::from_ref(one),
                };
                for value in values {
                    let value = bytes(value).map_err(|problem| problem.within(name))?;
                    headers.push((Bytes(name.clone().into_bytes()), value));
                }
            }
            Ok(headers)
        }
        _ => Err(Unreadable::expected(HEADERS, value)),
    }
}

fn header(value: &Value) -> Result<(Bytes, Bytes), Unreadable> {
    match value.as_array().map(Vec::as_slice) {
        Some([name, value]) => Ok((
            bytes(name).map_err(|problem| problem.within("[0]"))?,
            bytes(value).map_err(|problem| problem.within("[1]"))?,
        )),
        _ => Err(Unreadable::new(format!("no header; headers are {HEADERS}"))),
    }
}

fn bytes(value: &Value) -> Result<Bytes, Unreadable> {
    match value {
        Value::String(text) => Ok(Bytes(text.clone().into_bytes())),
        Value::Object(_) => {
            let fields = Fields::new(value, "a value in base64", &["base64"])?;
            fields.required("base64", base64).map(|bytes| Bytes(bytes.0))
        }
        Value::Number(number) => {
            Err(Unreadable::new(format!("expected a string, found a number; write \"{number}\"")))
        }
        _ => Err(Unreadable::expected("a string, or {\"base64\": \"…\"} for what is not UTF-8", value)),
    }
}

fn base64(value: &Value) -> Result<Base64, Unreadable> {
    let text = text(value)?;
    STANDARD.decode(text).map(Base64).map_err(|error| Unreadable::new(format!("not base64: {error}")))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn request_of(request: &Value) -> Result<Request, String> {
        let read = Exchange::read(&json!({ "request": request }));
        read.map(|exchange| exchange.request).map_err(|problem| problem.to_string())
    }

    #[test]
    fn headers_are_pairs_or_an_object() {
        let pair = |name: &str, value: &str| (Bytes(name.into()), Bytes(value.into()));
        for (headers, expected) in [
            (json!([["Host", "a"], ["Accept", "b"]]), vec![pair("Host", "a"), pair("Accept", "b")]),
            (json!({ "Host": "a" }), vec![pair("Host", "a")]),
            (json!({ "Cookie": ["a=1", "b=2"] }), vec![pair("Cookie", "a=1"), pair("Cookie", "b=2")]),
            (json!({ "Host": { "base64": "YQ==" } }), vec![pair("Host", "a")]),
            (json!({}), vec![]),
            (Value::Null, vec![]),
        ] {
            let read = request_of(&json!({ "method": "GET", "uri": "/", "headers": headers }));
            assert_eq!(read.unwrap().headers, expected, "{headers}");
        }
    }

    #[test]
    fn what_cannot_be_used_is_said_with_its_path() {
        for (exchange, expected) in [
            (json!([]), "expected an exchange, which is an object, found an array"),
            (json!({}), "the field `request` is missing"),
            (json!({ "reqest": {} }), "an exchange has no field `reqest`; did you mean `request`?"),
            (json!({ "request": { "method": "GET" } }), "`request`: the field `uri` is missing"),
            (
                json!({ "request": { "method": "GET", "url": "/" } }),
                "`request`: a request has no field `url`; did you mean `uri`?",
            ),
            (
                json!({ "request": { "method": "GET", "uri": "/", "headers": [["Host", 1]] } }),
                "`request.headers[0][1]`: expected a string, found a number; write \"1\"",
            ),
            (
                json!({ "request": { "method": "GET", "uri": "/", "headers": [["Host"]] } }),
                "`request.headers[0]`: no header; headers are `[[\"name\", \"value\"], …]` or `{\"name\": \
                 \"value\", …}`",
            ),
            (
                json!({ "request": { "method": "GET", "uri": "/", "headers": "Host: a" } }),
                "`request.headers`: expected `[[\"name\", \"value\"], …]` or `{\"name\": \"value\", …}`, found a \
                 string",
            ),
            (
                json!({ "request": { "method": "GET", "uri": "/", "headers": { "Host": ["a", true] } } }),
                "`request.headers.Host`: expected a string, or {\"base64\": \"…\"} for what is not UTF-8, found a \
                 boolean",
            ),
            (
                json!({ "request": { "method": "GET", "uri": "/", "body": { "a": 1 } } }),
                "`request.body`: expected a string, also for a body that is JSON itself, found an object",
            ),
            (
                json!({ "request": { "method": "GET", "uri": "/", "body": "", "body_base64": "" } }),
                "`request`: `body` and `body_base64` say the same; give one of them",
            ),
            (
                json!({ "request": { "method": "GET", "uri": "/", "body_base64": "?" } }),
                "`request.body_base64`: not base64: Invalid symbol 63, offset 0.",
            ),
            (
                json!({ "request": { "method": "GET", "uri": "/" }, "client": { "port": 70_000 } }),
                "`client.port`: expected an integer from 0 to 65535, found 70000",
            ),
            (
                json!({ "request": { "method": "GET", "uri": "/" }, "response": { "status": "200" } }),
                "`response.status`: expected an integer from 0 to 65535, found a string",
            ),
            (
                json!({ "request": { "method": "GET", "uri": "/" }, "time": "noon" }),
                "`time`: a time is seconds since 1970, or text such as \"2026-03-01T12:00:00Z\"",
            ),
        ] {
            let problem = Exchange::read(&exchange).unwrap_err().to_string();
            assert_eq!(problem, expected, "{exchange}");
        }
    }

    #[test]
    fn a_body_gets_a_length_where_it_has_none() {
        let length = |request: &Value| -> Vec<String> {
            let mut request = request_of(request).unwrap();
            request.add_content_length();
            let values =
                request.headers.iter().filter(|(name, _)| name.0.eq_ignore_ascii_case(b"content-length"));
            values.map(|(_, value)| String::from_utf8(value.0.clone()).unwrap()).collect()
        };
        let post = |more: Value| {
            let mut request = json!({ "method": "POST", "uri": "/" });
            request.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
            length(&request)
        };
        assert_eq!(post(json!({ "body": "a=1" })), ["3"]);
        assert_eq!(post(json!({ "body_base64": "/w==" })), ["1"]);
        assert_eq!(post(json!({ "body": "a=1", "headers": { "content-LENGTH": "5" } })), ["5"]);
        for more in [
            json!({}),
            json!({ "body": "" }),
            json!({ "body": "a=1", "headers": { "Transfer-Encoding": "chunked" } }),
            json!({ "body": "a=1", "protocol": "HTTP/2.0" }),
        ] {
            assert_eq!(post(more.clone()), [""; 0], "{more}");
        }
    }

    #[test]
    fn lines_that_are_no_json() {
        use crate::exchange::fields::line;

        for (text, expected) in [
            ("nonsense", "not JSON at column 2: expected ident"),
            (
                "{",
                "the JSON ends too early, at column 1; each line holds a whole object, as `jq -c .` writes it",
            ),
            ("{\"a\":1} x", "not JSON at column 9: trailing characters"),
        ] {
            assert_eq!(line(text).unwrap_err().to_string(), expected, "{text}");
        }
    }
}
