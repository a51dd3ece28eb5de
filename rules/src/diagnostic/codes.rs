//! The registry of diagnostic numbers. Numbers are never reused.

use super::Level;
use std::fmt;

macro_rules! codes {
    ($( $(#[$doc:meta])* $code:ident $level:ident $title:literal, )+) => {
        /// Number of a diagnostic: E refuses the policy, W warns, N notes.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
        pub enum Code { $( $(#[$doc])* $code, )+ }

        impl Code {
            /// Every code, in order.
            pub const ALL: &'static [Code] = &[ $( Code::$code, )+ ];

            /// What it is about, in a few words.
            #[must_use]
            pub const fn title(self) -> &'static str {
                match self { $( Code::$code => $title, )+ }
            }

            /// How bad it is.
            #[must_use]
            pub const fn level(self) -> Level {
                match self { $( Code::$code => Level::$level, )+ }
            }

            const fn number(self) -> &'static str {
                match self { $( Code::$code => stringify!($code), )+ }
            }
        }
    };
}

codes! {
    // E01xx: the policy's JSON
    /// The text is not JSON.
    E0101 Error "not JSON",
    /// A value has the wrong type.
    E0102 Error "wrong type",
    /// A field is not known here.
    E0103 Error "unknown field",
    /// A field that must be there is missing.
    E0104 Error "missing field",
    /// A value is not one of those allowed.
    E0105 Error "value not allowed",
    /// A field stands twice in one object.
    E0106 Error "duplicate field",
    /// Fields that exclude each other.
    E0107 Error "conflicting fields",
    /// A value changes nothing where it stands.
    W0108 Warning "without effect",
    /// The policy is larger than a policy can be.
    E0109 Error "policy too large",
    /// A body limit is above what Envoy holds unless told otherwise.
    W0120 Warning "above Envoy's buffer",
    // E02xx: rules, however written
    /// A rule id is used twice.
    E0201 Error "duplicate rule id",
    /// No variable has this name.
    E0202 Error "unknown variable",
    /// No operator has this name.
    E0203 Error "unknown operator",
    /// No transformation has this name.
    E0204 Error "unknown transformation",
    /// An operator's argument can't be used.
    E0205 Error "bad operator argument",
    /// A selector is malformed or the variable takes none.
    E0206 Error "bad selector",
    /// skip_after names nothing that comes later.
    E0207 Error "missing skip target",
    /// A redirect has no URL, or a bad one.
    E0208 Error "bad redirect",
    /// A macro names an unknown variable.
    E0209 Error "unknown macro",
    /// A data file or script can't be had.
    E0210 Error "missing file",
    /// A status is not one an answer can have.
    E0211 Error "bad status",
    /// A rule has no id.
    E0212 Error "missing rule id",
    /// A disabled rule does not exist.
    W0213 Warning "no such rule",
    /// Scripts take a module that runs them.
    W0214 Warning "scripts take another module",
    /// This module has no Lua in it.
    E0215 Error "scripts not available",
    /// What is to be run is no Lua script.
    E0216 Error "not a script",
    /// A script is longer than scripts may be.
    E0217 Error "script too long",
    /// A script is not Lua.
    E0218 Error "script syntax",
    /// A script fails when it is loaded.
    E0219 Error "script fails",
    /// A script has no function to call.
    E0220 Error "script without main",
    /// A database of countries can't be used, or a rule needs one and there is none.
    E0221 Error "bad geo database",
    /// A variable is not there yet in the rule's phase.
    W0222 Warning "not there yet",
    /// A variable holds only a part yet of what it will.
    N0223 Note "partly there",
    /// Rules look at bodies that nothing inspects.
    W0224 Warning "body not inspected",
    /// A condition lists more variables than it may.
    E0225 Error "too many variables",
    /// A condition compares with what its variables never hold.
    W0226 Warning "comparison never holds",
    // E03xx, W04xx, N05xx: SecLang
    /// No directive has this name.
    E0301 Error "unknown directive",
    /// A directive has too few or too many arguments, or they can't be told apart.
    E0302 Error "malformed directive",
    /// A quote or a block is opened and never closed.
    E0303 Error "unterminated text",
    /// A directive's argument is not one of the values it can have.
    E0304 Error "bad directive value",
    /// A directive asks for what a filter can't do.
    E0305 Error "directive not available",
    /// No action has this name.
    E0306 Error "unknown action",
    /// An action list has an empty item, or an action a value too few or too many.
    E0307 Error "malformed action",
    /// An action's value is not one it can have.
    E0308 Error "bad action value",
    /// An action asks for what a filter can't do.
    E0309 Error "action not available",
    /// A rule says `chain` and no rule follows.
    E0310 Error "chain not completed",
    /// An action stands where it can't: in a chain continuation, a default action or an update.
    E0311 Error "action not allowed here",
    /// A file sets the default action of a phase twice.
    E0312 Error "duplicate default action",
    /// A default action has no disruptive action.
    E0313 Error "default action without disruptive action",
    /// A `ctl` option is unknown or its value can't be used.
    E0314 Error "bad ctl",
    /// `setvar`, `expirevar`, `initcol` or `setenv` is malformed or names no collection.
    E0315 Error "bad assignment",
    /// Includes are nested too deep, too many or too long, or go round in a circle.
    E0316 Error "include limit",
    /// Rule sets want the query split at different characters, and they share its arguments.
    E0318 Error "different argument separators",
    /// A rule is left out because it has errors and `SecIgnoreRuleCompilationErrors` is on.
    W0401 Warning "rule left out",
    /// An action does nothing here.
    W0402 Warning "action without effect",
    /// `skipAfter` names nothing that comes later: the rest of the phase is skipped.
    W0403 Warning "missing skip target",
    /// An action that counts once is given twice; the last one counts.
    W0404 Warning "repeated action",
    /// An include pattern matches no file.
    W0405 Warning "empty include",
    /// Uncommented lines belong to a rule whose first line is commented out.
    W0406 Warning "lines swallowed by a comment",
    /// A file ends inside a continued line.
    W0407 Warning "file ends inside a line",
    /// An action comes too late in the transaction to do anything.
    W0408 Warning "action comes too late",
    /// An update has nothing to act on.
    W0409 Warning "update without effect",
    /// SecLang engines disagree about what this means; the message says what it means here.
    W0410 Warning "ambiguous",
    /// What `ctl` is to take away is nowhere.
    W0411 Warning "exclusion fits nothing",
    /// What `ctl` is to take away has run before.
    W0412 Warning "exclusion comes too late",
    /// Rules count on a default that other engines don't have; the message says which one.
    W0420 Warning "default of its own",
    // E07xx, W08xx: risk per client
    /// A number of the risk part is out of its range.
    E0701 Error "risk value out of range",
    /// No classification has this name.
    E0702 Error "unknown classification",
    /// No kill-chain state has this name.
    E0703 Error "unknown state",
    /// A condition of a risk rule lacks what its attribute needs, or its value can't be used.
    E0704 Error "bad criterion",
    /// A group has no conditions.
    E0705 Error "empty group",
    /// An entry of a list can't be used.
    E0706 Error "bad list entry",
    /// Groups are nested too deep.
    E0707 Error "groups nested too deep",
    /// A client would be known by nothing.
    E0708 Error "client without marks",
    /// A country is not two letters, or the source of countries can't be used.
    E0709 Error "bad country",
    /// A key of interrogations can be guessed.
    E0751 Error "weak key",
    /// The interrogation cookie can't have this name.
    E0752 Error "bad cookie name",
    /// A switch is off, so that something never happens.
    W0801 Warning "switched off",
    /// Something about clients is said and the policy has no risk part.
    W0802 Warning "no risk part",
    /// Limits exclude each other, so that one of them is never reached.
    W0803 Warning "out of reach",
    /// A criterion's value is not taken as it stands; the message says how it is read.
    W0804 Warning "read otherwise",
    /// A criterion can't match.
    W0805 Warning "criterion never matches",
    /// A criterion matches whatever comes.
    W0806 Warning "criterion always matches",
    /// A rule about clients changes nothing.
    W0807 Warning "risk rule without effect",
    /// Settings that nothing makes use of.
    W0808 Warning "unused risk settings",
    /// Whoever connects is trusted in something that only proxies should be.
    W0811 Warning "everyone is trusted",
    /// A directive has no effect in a filter.
    N0501 Note "directive without effect",
    /// A body limit is above what Envoy holds unless told otherwise.
    N0502 Note "above Envoy's buffer",
    /// A format is not written; the message says which one is.
    N0503 Note "another format",

    // E05xx, W06xx: network rules
    /// ARMR text that can't be read.
    E0501 Error "malformed ARMR",
    /// An app has no name, a name that another one has, no rules, or a bad version.
    E0502 Error "bad app",
    /// An app doesn't say which version of ARMR it requires, or uses what that version lacks.
    E0503 Error "wrong ARMR version",
    /// A statement, parameter or rule name stands twice.
    E0504 Error "duplicate in ARMR",
    /// A statement or parameter is not known here, or missing.
    E0505 Error "unknown in ARMR",
    /// A network rule is of no kind, or of two.
    E0506 Error "not one kind of rule",
    /// A network rule has no action, two, or one with bad parameters.
    E0507 Error "bad network action",
    /// The address of a network rule can't be used.
    E0508 Error "bad address",
    /// The ports of a network rule can't be used.
    E0509 Error "bad ports",
    /// An API restriction is malformed, or stands beside `allow`.
    E0510 Error "bad API restriction",
    /// The sources of input are malformed, or stand beside something else than `connect`.
    E0511 Error "bad input",
    /// A severity is malformed or out of range.
    E0512 Error "bad network severity",
    /// A rule that detects must log.
    E0513 Error "detection without log",
    /// Two network rules of an app have the same name.
    E0514 Error "duplicate network rule",
    /// ARMR text without a valid app.
    E0515 Error "no valid app",
    /// More addresses than a policy can have.
    E0516 Error "too many network rules",
    /// A key that events can't have.
    E0517 Error "bad event key",
    /// An ARMR app is left out because it is invalid.
    W0601 Warning "app left out",
    /// A network rule can match nothing.
    W0602 Warning "network rule can't match",
    /// A network rule, or a part of it, means nothing in a proxy.
    W0603 Warning "network rule left out",
    /// An ARMR app is left out because there is a higher version of it.
    W0604 Warning "app superseded",
    /// A refusal for all addresses covers IPv4 only.
    W0605 Warning "IPv6 not covered",
    /// A word is not one of those known, and taken as another.
    W0606 Warning "unknown word",
    /// A network rule never governs: others always come before it.
    W0607 Warning "network rule shadowed",
    /// Other implementations have IPv4 only there.
    W0608 Warning "IPv6 in a bind rule",
    /// Connections of blocked clients are to be refused, and some or all of them never are.
    W0610 Warning "blocked clients not refused",
    /// A network rule says something of the client, and nothing comes of it.
    W0611 Warning "network risk without effect",
}

impl fmt::Display for Code {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.number())
    }
}
