//! The page that interrogates, and what clients get instead that are no browsers.

use super::answer::ANSWER_HEADER;
use crate::http::escape;
use crate::page;

/// A page for one client.
#[derive(Clone, Copy, Debug)]
pub struct Page<'a> {
    /// The client's token.
    pub token: &'a str,
    /// Zero bits of its proof of work.
    pub difficulty: u8,
    /// Whether the request can simply be made again: it was a GET.
    pub repeatable: bool,
    /// The request's id, which people can quote.
    pub reference: &'a str,
}

/// What the page has beside the common style.
const STYLE: &str = include_str!("page.css");
const SCRIPT: &str = include_str!("page.js");

impl Page<'_> {
    /// The page. It loads nothing from anywhere, and can be read without scripts and styles.
    #[must_use]
    pub fn html(&self) -> String {
        let (nonce, common) = (self.nonce(), page::STYLE);
        let then = if self.repeatable {
            "The page you asked for follows by itself."
        } else {
            "Then please send your request again: it was not passed on."
        };
        let (token, difficulty) = (escape::html(self.token), self.difficulty);
        let (reference, repeatable) = (escape::html(self.reference), self.repeatable);
        format!(
            "<!doctype html>\n\
<html lang=\"en\">\n\
<head>\n\
<meta charset=\"utf-8\">\n\
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">\n\
<meta name=\"robots\" content=\"noindex\">\n\
<meta name=\"color-scheme\" content=\"light dark\">\n\
<title>Checking your browser</title>\n\
<style nonce=\"{nonce}\">\n{common}{STYLE}</style>\n\
</head>\n\
<body>\n\
<main>\n\
<h1>Checking your browser</h1>\n\
<p>Before this site answers, it wants to know that your request comes from a web browser. \
Your browser proves that with a short calculation. {then}</p>\n\
<noscript><p class=\"notice\"><strong>The calculation needs JavaScript, which is switched off.</strong> \
Please switch it on for this site and load the page again.</p></noscript>\n\
<div id=\"check\" hidden data-token=\"{token}\" data-difficulty=\"{difficulty}\" \
data-header=\"{ANSWER_HEADER}\" data-repeatable=\"{repeatable}\">\n\
<progress id=\"progress\" max=\"100\" aria-label=\"Progress of the check\"></progress>\n\
<p id=\"status\" role=\"status\" aria-live=\"polite\">The calculation is running.</p>\n\
<p><button id=\"again\" type=\"button\" hidden>Try again</button></p>\n\
</div>\n\
<p class=\"small\">The check sets one cookie and asks no other site. It sends along the size of your screen, \
your languages, your time zone and the number of processors. \
If it does not work, tell the site&rsquo;s operator this reference: <code>{reference}</code></p>\n\
</main>\n\
<script nonce=\"{nonce}\">\n{SCRIPT}</script>\n\
</body>\n\
</html>\n"
        )
    }

    /// The value of `content-security-policy` that lets the page do what it does and nothing else.
    #[must_use]
    pub fn content_security_policy(&self) -> String {
        let nonce = self.nonce();
        format!(
            "default-src 'none'; script-src 'nonce-{nonce}'; style-src 'nonce-{nonce}'; connect-src 'self'; \
             base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
        )
    }

    /// As random as the token's signature.
    fn nonce(&self) -> &str {
        let at = self.token.len().saturating_sub(24);
        self.token.get(at..).unwrap_or_default()
    }
}

/// The document for clients that did not ask for HTML (RFC 9457): they can't run the page's script.
#[must_use]
pub fn problem(reference: &str) -> String {
    let escaped = escape::json(reference);
    format!(
        "{{\"type\":\"urn:portcullis:interrogation\",\"title\":\"Interrogation required\",\"status\":401,\
         \"detail\":\"This client has to show that it is a browser: open the page in one, and send the cookie \
         that it gets.\",\"request_id\":\"{escaped}\"}}\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_put_in_is_escaped() {
        let page = Page { token: "a\"b", difficulty: 3, repeatable: false, reference: "<script>\"'&" }.html();
        assert!(page.contains("<code>&lt;script&gt;&quot;&#39;&amp;</code>"));
        assert!(page.contains("data-token=\"a&quot;b\" data-difficulty=\"3\""));
        assert!(page.contains("send your request again"));
        assert!(problem("\"\\\n").contains(r#""request_id":"\"\\\u000a""#));
    }

    #[test]
    fn nothing_is_loaded_from_elsewhere() {
        let page = Page { token: "t", difficulty: 1, repeatable: true, reference: "r" };
        let html = page.html();
        for outside in ["http:", "https:", "//", "src=", "<link", "@import", "url("] {
            let found = html.match_indices(outside).map(|(at, _)| &html[at..(at + 60).min(html.len())]);
            // Comments of the script.
            let found: Vec<&str> = found.filter(|text| !text.starts_with("// ")).collect();
            assert!(found.is_empty(), "{outside}: {found:?}");
        }
        assert!(page.content_security_policy().starts_with("default-src 'none'"));
    }
}
