//! What one stage of a test leaves to the next: cookies and redirects.

use anyhow::{Context as _, ensure};

use super::check::Reply;
use super::yaml::Input;

/// The state between the stages of a test.
#[derive(Debug, Default)]
pub(super) struct Session {
    /// `name=value` each.
    cookies: Vec<String>,
    previous: Option<Reply>,
}

impl Session {
    /// The cookies that answers have set.
    pub(super) fn cookies(&self) -> &[String] {
        &self.cookies
    }

    /// The input with its target replaced when it follows a redirect.
    ///
    /// # Errors
    /// When there is none to follow.
    pub(super) fn follow(&self, input: &Input) -> anyhow::Result<Input> {
        let mut input = input.clone();
        if input.follow_redirect {
            let previous =
                self.previous.as_ref().context("follow_redirect: no stage before it was answered")?;
            ensure!(
                matches!(previous.status, 300..=303 | 307 | 308),
                "follow_redirect: the stage before it got status {}",
                previous.status
            );
            let location = previous.values("location").next().context("follow_redirect: no Location")?;
            input.uri = Some(target(&location, input.uri.as_deref().unwrap_or("/")));
        }
        Ok(input)
    }

    /// Takes an answer down.
    pub(super) fn take(&mut self, input: &Input, reply: Option<&Reply>) {
        self.previous = reply.cloned();
        let Some(reply) = reply.filter(|_| input.save_cookie) else { return };
        for cookie in reply.values("set-cookie") {
            let pair = cookie.split(';').next().unwrap_or_default().trim().to_owned();
            let name = |pair: &str| pair.split('=').next().unwrap_or_default().to_owned();
            self.cookies.retain(|known| name(known) != name(&pair));
            self.cookies.push(pair);
        }
    }
}

/// The request target that a `Location` stands for, which may be relative to `base`.
fn target(location: &str, base: &str) -> String {
    let location = location.split('#').next().unwrap_or_default();
    if let Some((_, after)) = location.split_once("://") {
        return after.find(['/', '?']).and_then(|at| after.get(at..)).map_or_else(
            || "/".to_owned(),
            |rest| if rest.starts_with('?') { format!("/{rest}") } else { rest.to_owned() },
        );
    }
    if location.starts_with('/') {
        return location.to_owned();
    }
    let path = base.split('?').next().unwrap_or_default();
    let folder = path.rfind('/').and_then(|end| path.get(..=end)).unwrap_or("/");
    if location.starts_with('?') { format!("{path}{location}") } else { format!("{folder}{location}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(status: u16, headers: &[(&str, &str)]) -> Reply {
        let headers = headers.iter().map(|(n, v)| ((*n).to_owned(), v.as_bytes().to_vec())).collect();
        Reply { status, headers, raw: Vec::new() }
    }

    #[test]
    fn targets() {
        for (location, expected) in [
            ("http://a.example/x?y#z", "/x?y"),
            ("http://a.example", "/"),
            ("http://a.example?q", "/?q"),
            ("/x", "/x"),
            ("x", "/a/x"),
            ("?q=1", "/a/b?q=1"),
        ] {
            assert_eq!(target(location, "/a/b?c"), expected, "{location}");
        }
    }

    #[test]
    fn cookies_and_redirects() {
        let mut session = Session::default();
        let saving = Input { save_cookie: true, ..Input::default() };
        session.take(&saving, Some(&reply(200, &[("Set-Cookie", "a=1; Path=/"), ("set-cookie", "b=2")])));
        session.take(&saving, Some(&reply(302, &[("set-cookie", "a=3"), ("Location", "/next")])));
        assert_eq!(session.cookies(), ["b=2", "a=3"]);
        let following = Input { follow_redirect: true, ..Input::default() };
        assert_eq!(session.follow(&following).unwrap().uri.as_deref(), Some("/next"));
        session.take(&Input::default(), Some(&reply(200, &[("set-cookie", "c=1")])));
        assert_eq!(session.cookies().len(), 2);
        assert!(session.follow(&following).is_err());
        assert_eq!(session.follow(&Input::default()).unwrap().uri, None);
    }
}
