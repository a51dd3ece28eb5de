//! The Core Rule Set with ten times as many rules of its kind: each rule with a pattern or a list of phrases is
//! followed by copies with ids and words of their own.
//!
//! The words of a copy are those of other rules with a letter changed: a larger rule set looks for other things in
//! the same ways, and finds no more in harmless traffic.

use std::collections::BTreeSet;

use crate::crs::CoreRuleSet;

/// Letters a word needs at least to be replaced.
const WORD: usize = 4;

impl CoreRuleSet {
    /// With about `times` as many rules. Ids of copies begin at 10,000,000.
    #[must_use]
    pub fn grown(&self, times: usize) -> Self {
        let vocabulary: BTreeSet<String> = self
            .seclang
            .iter()
            .flat_map(|(_, text)| blocks(text))
            .filter(|block| clonable(block))
            .flat_map(|block| operator(&block).map(|(_, pattern, _)| words(pattern)).unwrap_or_default())
            .collect();
        let vocabulary: Vec<String> = vocabulary.into_iter().collect();
        let all: usize = self.seclang.iter().map(|(_, text)| text.matches("\nSecRule ").count()).sum();
        let clonables =
            self.seclang.iter().flat_map(|(_, text)| blocks(text)).filter(|block| clonable(block)).count();
        let copies = (all * (times.max(1) - 1)).div_ceil(clonables.max(1));
        let mut id = 10_000_000;
        let mut seed = 1_usize;
        let seclang = self.seclang.iter().map(|(name, text)| {
            let mut out = String::new();
            for block in blocks(text) {
                out.push_str(&block);
                if clonable(&block) {
                    for _ in 0..copies {
                        id += 1;
                        out.push_str(&copy(&block, id, &vocabulary, &mut seed));
                    }
                }
            }
            (name.clone(), out)
        });
        Self { seclang: seclang.collect(), data: self.data.clone() }
    }

    /// How many `SecRule` it has.
    #[must_use]
    pub fn rules(&self) -> usize {
        self.seclang
            .iter()
            .flat_map(|(_, text)| text.lines())
            .filter(|line| line.starts_with("SecRule "))
            .count()
    }
}

/// Pieces of a file: directives with the lines that continue them, and what is between them.
fn blocks(text: &str) -> Vec<String> {
    let mut blocks = vec![String::new()];
    let mut continued = false;
    for line in text.split_inclusive('\n') {
        // An indented SecRule goes on with a chain.
        if !continued && !line.starts_with([' ', '\t']) {
            blocks.push(String::new());
        }
        if let Some(block) = blocks.last_mut() {
            block.push_str(line);
        }
        continued = line.trim_end().ends_with('\\');
    }
    blocks
}

/// A rule of its own that looks for a pattern or phrases. Chains belong together and are left as they are, as is
/// whatever steers the others.
fn clonable(block: &str) -> bool {
    block.starts_with("SecRule ")
        && (block.contains("\"@rx ") || block.contains("\"@pm "))
        && block.contains("id:9")
        && block.contains("block,")
        && !["chain", "skipAfter", "ctl:", "%{"].iter().any(|word| steers(block, word))
}

/// Whether an action of the block holds the word; texts for the log may hold macros.
fn steers(block: &str, word: &str) -> bool {
    let actions = block.lines().map(str::trim).filter(|line| !line.starts_with("SecRule "));
    actions
        .filter(|line| !line.contains("logdata:") && !line.contains("msg:") && !line.contains("setvar:"))
        .any(|line| line.contains(word))
}

/// The operator's argument and what is around it.
fn operator(block: &str) -> Option<(&str, &str, &str)> {
    let start = block.find("\"@rx ").map(|place| place + 5).or_else(|| Some(block.find("\"@pm ")? + 5))?;
    let (before, rest) = block.split_at_checked(start)?;
    let mut escaped = false;
    let (end, _) = rest.char_indices().find(|(_, letter)| {
        let ends = *letter == '"' && !escaped;
        escaped = *letter == '\\' && !escaped;
        ends
    })?;
    let (argument, after) = rest.split_at_checked(end)?;
    Some((before, argument, after))
}

/// Runs of lower-case letters outside classes, escapes, names and counts; places in bytes.
fn places(pattern: &str) -> Vec<(usize, usize)> {
    let bytes = pattern.as_bytes();
    let mut found = Vec::new();
    let mut place = 0;
    let mut class = false;
    while let Some(byte) = bytes.get(place) {
        match byte {
            b'\\' => {
                // `\x5c`, `\b` and the like; a letter that follows belongs to no word.
                place += if bytes.get(place + 1) == Some(&b'x') { 4 } else { 2 };
                continue;
            }
            b'[' => class = true,
            b']' => class = false,
            b'(' if bytes.get(place + 1) == Some(&b'?') => {
                let end = bytes
                    .iter()
                    .skip(place)
                    .position(|byte| matches!(byte, b':' | b')' | b'=' | b'!' | b'>'));
                place += end.unwrap_or(1);
                continue;
            }
            b'a'..=b'z' if !class => {
                let length = bytes.iter().skip(place).take_while(|byte| byte.is_ascii_lowercase()).count();
                // A count behind the last letter is about that letter alone.
                if length >= WORD {
                    found.push((place, place + length));
                }
                place += length;
                continue;
            }
            _ => {}
        }
        place += 1;
    }
    found
}

fn words(pattern: &str) -> Vec<String> {
    places(pattern).iter().filter_map(|(start, end)| pattern.get(*start..*end).map(str::to_owned)).collect()
}

/// A copy of a rule with this id and with words of the vocabulary.
fn copy(block: &str, id: u32, vocabulary: &[String], seed: &mut usize) -> String {
    let Some((before, pattern, after)) = operator(block) else { return String::new() };
    let mut varied = String::new();
    let mut last = 0;
    for (start, end) in places(pattern) {
        // A multiplicative generator: any fixed order that mixes will do.
        *seed = (*seed * 48_271) % 0x7fff_ffff;
        varied.push_str(pattern.get(last..start).unwrap_or_default());
        let word = vocabulary.get(*seed % vocabulary.len().max(1)).map_or("word", String::as_str);
        varied.push_str(&changed(word, *seed));
        last = end;
    }
    varied.push_str(pattern.get(last..).unwrap_or_default());
    let digits = after.find("id:").map_or(0, |place| place + 3);
    let (head, tail) = after.split_at(digits);
    let tail = tail.trim_start_matches(|letter: char| letter.is_ascii_digit());
    format!("{before}{varied}{head}{id}{tail}")
}

/// A word with a letter changed.
fn changed(word: &str, seed: usize) -> String {
    let mut bytes = word.as_bytes().to_vec();
    let place = (seed / 7) % bytes.len();
    if let Some(letter) = bytes.get_mut(place) {
        *letter = b'a' + (*letter - b'a' + 1 + u8::try_from(seed / 11 % 24).unwrap_or(0)) % 26;
    }
    String::from_utf8(bytes).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    const RULES: &str = "# select\nSecRule ARGS \"@rx (?i)\\bselect[a-z]+\\x22from\\\"whatever\" \\\n    \"id:901001,\\\n    block,\\\n    msg:'%{x}'\"\n\nSecRule ARGS \"@rx exec\" \\\n    \"id:901002,\\\n    block,\\\n    chain\"\n    SecRule ARGS \"@rx other\" \"t:none\"\n";

    #[test]
    fn words_are_outside_syntax() {
        assert_eq!(words(r"(?i)\bselect[abcd]+(?:union|\x64abcde)"), ["select", "union", "abcde"]);
        assert_eq!(words("abc sudo"), ["sudo"]);
    }

    #[test]
    fn copies_have_their_own_ids_and_words() {
        let rules = CoreRuleSet { seclang: vec![("a".to_owned(), RULES.to_owned())], data: Vec::new() };
        let grown = rules.grown(3);
        let text = &grown.seclang[0].1;
        // Two rules of the first level, one of which is copied.
        assert_eq!((rules.rules(), grown.rules()), (2, 6));
        for id in 10_000_001..=10_000_004 {
            assert!(text.contains(&format!("\"id:{id},\\\n    block,")), "{text}");
        }
        assert_eq!(text.matches("id:901002").count(), 1);
        assert_eq!(text.matches("SecRule ARGS \"@rx other\"").count(), 1);
        assert!(text.starts_with(RULES.split_once("\n\nSecRule").unwrap().0), "{text}");
        assert_eq!(text.matches("[a-z]+\\x22from\\\"").count(), 1, "{text}");
    }
}
