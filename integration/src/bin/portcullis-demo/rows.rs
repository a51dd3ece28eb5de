//! The demo's requests and what should come of them.

use portcullis_integration::{Body, End, Exchange, Request};

/// A request with its expectation.
pub(crate) struct Row {
    /// What it is an example of.
    pub(crate) shows: &'static str,
    pub(crate) request: Request,
    pub(crate) expected: Happening,
}

/// What came of a request, or should.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Happening {
    /// The client's view: a status, a status with a location, or no answer.
    pub(crate) answer: String,
    /// The rules that were logged.
    pub(crate) rules: Vec<u64>,
    /// How many requests the backend counted.
    pub(crate) hits: usize,
}

/// One row per phase and per resolution.
pub(crate) fn rows() -> Vec<Row> {
    let scanner = |target: &str| Request::get(target).header("user-agent", "Evil-Scanner/2.0");
    vec![
        row("no rule", Request::get("/"), "200", None, 1),
        row("phase 1, deny", scanner("/"), "403", Some(1001), 0),
        row("phase 2, deny", Request::form("/login", "user=1%27+OR+%271%27%3D%271"), "403", Some(1006), 0),
        row("phase 3, deny", Request::get("/debug"), "502", Some(1007), 1),
        row("phase 4, deny", Request::get("/report"), "403", Some(1008), 1),
        row("phase 5, pass", Request::get("/status/404"), "404", Some(1009), 1),
        row("pass", Request::get("/api/v1/users"), "200", Some(1005), 1),
        row("allow", scanner("/healthz"), "200", None, 1),
        row("redirect", Request::get("/old-shop/cart"), "302 to https://shop.example.com/", Some(1002), 0),
        row("drop", Request::get("/.git/config"), "no answer", Some(1003), 0),
        row("default_action", Request::new("TRACE", "/"), "403", Some(1004), 0),
    ]
}

fn row(shows: &'static str, request: Request, answer: &str, rule: Option<u64>, hits: usize) -> Row {
    let expected = Happening { answer: answer.to_owned(), rules: rule.into_iter().collect(), hits };
    Row { shows, request, expected }
}

impl Happening {
    /// What came of this exchange.
    pub(crate) fn of(exchange: &Exchange) -> Self {
        let reply = &exchange.reply;
        let answer = match (reply.status, reply.end) {
            (None, _) => "no answer".to_owned(),
            (Some(status), End::Complete) => match reply.header("location") {
                Some(location) => format!("{status} to {location}"),
                None => status.to_string(),
            },
            (Some(status), _) => format!("{status}, cut off"),
        };
        Self { answer, rules: exchange.rules(), hits: exchange.reached.len() }
    }

    pub(crate) fn rule_text(&self) -> String {
        let rules: Vec<String> = self.rules.iter().map(u64::to_string).collect();
        if rules.is_empty() { "-".to_owned() } else { rules.join(", ") }
    }

    pub(crate) fn backend_text(&self) -> String {
        if self.hits == 1 { "1 hit".to_owned() } else { format!("{} hits", self.hits) }
    }
}

impl Row {
    /// The request in a few words.
    pub(crate) fn request_text(&self) -> String {
        let request = &self.request;
        let mut text = format!("{} {}", request.method, request.target);
        if let Some(agent) = user_agent(request) {
            text.push_str(&format!(" as {agent}"));
        }
        if let Body::Whole(body) = &request.body {
            text.push_str(&format!(" with {}", String::from_utf8_lossy(body)));
        }
        text
    }

    /// The request as a command line.
    pub(crate) fn curl(&self, url: &str) -> String {
        let request = &self.request;
        let mut line = "curl -i".to_owned();
        if !matches!(request.method.as_str(), "GET" | "POST") {
            line.push_str(&format!(" -X {}", request.method));
        }
        if let Some(agent) = user_agent(request) {
            line.push_str(&format!(" -A '{agent}'"));
        }
        if let Body::Whole(body) = &request.body {
            line.push_str(&format!(" -d '{}'", String::from_utf8_lossy(body)));
        }
        format!("{line} {url}{}", request.target)
    }
}

fn user_agent(request: &Request) -> Option<String> {
    let (_, value) = request.headers.iter().find(|(name, _)| name == "user-agent")?;
    Some(String::from_utf8_lossy(value).into_owned())
}
