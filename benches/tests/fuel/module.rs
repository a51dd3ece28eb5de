//! The module in the in-process host, with the Core Rule Set.

use portcullis_benches::crs::CoreRuleSet;
use portcullis_benches::{Recorded, workload};
use portcullis_testhost::{
    Exchange, Host, Module, ModuleFile, Observed, Options, Request, Response, Verdict, When,
    portcullis_module,
};

/// Bytes in which Envoy hands over a body that arrives fast.
const PIECE: usize = 16 * 1024;

/// What everything here needs.
#[derive(Clone)]
pub(crate) struct Found {
    pub(crate) module: Module,
    pub(crate) rules: CoreRuleSet,
    pub(crate) workload: Vec<Recorded>,
}

/// Looks for it; says what is missing.
pub(crate) fn find() -> Result<Found, String> {
    let rules = CoreRuleSet::read().map_err(|error| format!("{error:#}"))?;
    let workload = workload().map_err(|error| error.to_string())?;
    match portcullis_module() {
        ModuleFile::Found(path) => Ok(Found {
            module: Module::from_file(&path).map_err(|error| format!("{error:#}"))?,
            rules,
            workload,
        }),
        ModuleFile::Missing(help) => Err(help),
    }
}

/// Starts a worker.
pub(crate) fn start(module: &Module, policy: &[u8]) -> Result<Host, String> {
    let options = Options { allow_on_headers_stop_iteration: true, ..Options::default() };
    let host = Host::start(module, policy, options).map_err(|error| error.to_string())?;
    match host.start_log().iter().find(|line| line.level >= 4) {
        Some(line) => Err(line.to_string()),
        None => Ok(host),
    }
}

/// Runs an exchange, which must end as it should.
pub(crate) fn judge(host: &mut Host, exchange: &Exchange, attack: bool) -> Result<Observed, String> {
    let observed = host.exchange(exchange);
    let right = match &observed.verdict {
        Verdict::Continued => !attack,
        Verdict::LocalReply { status: 403, .. } => attack,
        _ => false,
    };
    if right { Ok(observed) } else { Err(format!("a wrong verdict: {observed:#?}")) }
}

/// A recorded exchange as the host wants it.
pub(crate) fn exchange(recorded: &Recorded) -> Exchange {
    let from = &recorded.exchange;
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let fields = |headers: &[(portcullis_rules::exchange::Bytes, portcullis_rules::exchange::Bytes)]| {
        let kept = headers.iter().map(|(name, value)| (text(&name.0).to_lowercase(), value.0.clone()));
        kept.filter(|(name, _)| !["host", "connection"].contains(&name.as_str())).collect::<Vec<_>>()
    };
    let pieces = |body: &[u8]| body.chunks(PIECE).map(<[u8]>::to_vec).collect::<Vec<_>>();
    let response = from.response.as_ref().unwrap();
    let host = from.request.headers.iter().find(|(name, _)| name.0.eq_ignore_ascii_case(b"host"));
    Exchange {
        client: format!("{}:{}", from.client.address, from.client.port).parse().unwrap(),
        server: format!("{}:{}", from.server.address, from.server.port).parse().unwrap(),
        request: Request {
            method: text(&from.request.method.0),
            target: text(&from.request.uri.0),
            authority: text(&host.unwrap().1.0),
            protocol: text(&from.request.protocol.0),
            headers: fields(&from.request.headers),
            body: pieces(&from.request.body_base64.0),
            trailers: Vec::new(),
        },
        response: Response {
            status: response.status,
            headers: fields(&response.headers),
            body: pieces(&response.body_base64.0),
            trailers: Vec::new(),
            when: When::Complete,
        },
        properties: Vec::new(),
    }
}
