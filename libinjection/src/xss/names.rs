//! The names of tags and attributes that run script.

use crate::scan::Scan;

/// What the value of an attribute can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Danger {
    /// Nothing that matters here.
    None,
    /// It is script or style, or takes part in it.
    Always,
    /// It is a URL, whose scheme decides.
    Url,
    /// It is the name of another attribute, which decides.
    NamesAttribute,
}

/// The longest name looked at. All names in the lists are shorter.
const LONGEST: usize = 48;

/// A name in upper case and without NUL bytes, which Internet Explorer ignores.
pub(super) struct Name {
    letters: [u8; LONGEST],
    length: usize,
    /// Whether the name has more letters.
    cut: bool,
}

impl Name {
    pub(super) fn new(text: &[u8]) -> Self {
        let mut name = Self { letters: [0; LONGEST], length: 0, cut: false };
        let scan = Scan::new(text);
        let mut position = 0;
        while let Some(byte) = scan.at(position) {
            position += 1;
            if byte == 0 {
                continue;
            }
            let Some(place) = name.letters.get_mut(name.length) else {
                name.cut = true;
                break;
            };
            *place = byte.to_ascii_uppercase();
            name.length += 1;
        }
        name
    }

    /// The start of the name.
    fn start(&self) -> &[u8] {
        self.letters.get(..self.length).unwrap_or(&[])
    }

    /// The name, if it may be in a list.
    fn whole(&self) -> &[u8] {
        if self.cut { &[] } else { self.start() }
    }

    pub(super) fn starts_with(&self, prefix: &[u8]) -> bool {
        self.start().starts_with(prefix)
    }

    /// Whether a tag of this name runs script, loads a resource, or changes how the document is read.
    pub(super) fn is_dangerous_tag(&self) -> bool {
        self.starts_with(b"SVG")
            || self.starts_with(b"XSL")
            || matches!(
                self.whole(),
                b"APPLET"
                    | b"BASE"
                    | b"COMMENT"
                    | b"EMBED"
                    | b"FRAME"
                    | b"FRAMESET"
                    | b"HANDLER"
                    | b"IFRAME"
                    | b"IMPORT"
                    | b"ISINDEX"
                    | b"LINK"
                    | b"LISTENER"
                    | b"META"
                    | b"NOSCRIPT"
                    | b"OBJECT"
                    | b"SCRIPT"
                    | b"STYLE"
                    | b"VMLFRAME"
                    | b"XML"
                    | b"XSS"
            )
    }

    /// What the value of an attribute of this name can do.
    pub(super) fn attribute(&self) -> Danger {
        if self.starts_with(b"XMLNS") || self.starts_with(b"XLINK") || self.is_event_handler() {
            return Danger::Always;
        }
        match self.whole() {
            b"DATAFORMATAS" | b"DATASRC" | b"FILTER" | b"STYLE" => Danger::Always,
            b"ATTRIBUTENAME" => Danger::NamesAttribute,
            b"ACTION" | b"BACKGROUND" | b"BY" | b"DYNSRC" | b"FOLDER" | b"FORMACTION" | b"FROM" | b"HANDLER"
            | b"HREF" | b"LOWSRC" | b"POSTER" | b"SRC" | b"TO" | b"VALUES" => Danger::Url,
            _ => Danger::None,
        }
    }

    /// Whether the name is `on` and then starts with the name of an event.
    fn is_event_handler(&self) -> bool {
        let Some(event) = self.start().strip_prefix(b"ON") else { return false };
        // No entry starts with another one, so only the last one not after `event` can be its start.
        let after = EVENTS.partition_point(|name| name.as_bytes() <= event);
        after.checked_sub(1).and_then(|at| EVENTS.get(at)).is_some_and(|name| event.starts_with(name.as_bytes()))
    }
}

/// The names of events, in order. Longer names that start with one of these are left out.
#[rustfmt::skip]
static EVENTS: &[&str] = &[
    "ABORT", "ACTIVATE", "ACTIVE", "ADDSOURCEBUFFER", "ADDSTREAM", "ADDTRACK", "AFTERPRINT",
    "ANIMATIONCANCEL", "ANIMATIONEND", "ANIMATIONITERATION", "ANIMATIONSTART", "APPINSTALLED", "AUDIOEND",
    "AUDIOPROCESS", "AUDIOSTART", "AUTOCOMPLETE", "AUXCLICK", "BACKGROUNDFETCHABORT", "BACKGROUNDFETCHCLICK",
    "BACKGROUNDFETCHFAIL", "BACKGROUNDFETCHSUCCESS", "BEFOREACTIVATE", "BEFORECOPY", "BEFORECUT",
    "BEFOREINPUT", "BEFOREINSTALLPROMPT", "BEFORELOAD", "BEFOREMATCH", "BEFOREPASTE", "BEFOREPRINT",
    "BEFORETOGGLE", "BEFOREUNLOAD", "BEFOREXRSELECT", "BEGIN", "BLOCKED", "BLUR", "BOUNDARY",
    "BUFFEREDAMOUNTLOW", "BUFFEREDCHANGE", "CACHED", "CANCEL", "CANPLAY", "CHANGE", "CHARGINGCHANGE",
    "CHARGINGTIMECHANGE", "CHECKING", "CLICK", "CLOSE", "CLOSING", "COMMAND", "COMPLETE", "COMPOSITIONEND",
    "COMPOSITIONSTART", "COMPOSITIONUPDATE", "CONFIGURATIONCHANGE", "CONNECT",
    "CONTENTVISIBILITYAUTOSTATECHANGE", "CONTEXTLOST", "CONTEXTMENU", "CONTEXTRESTORED", "CONTROLLERCHANGE",
    "COOKIECHANGE", "COORDINATORSTATECHANGE", "COPY", "COUPONCODECHANGED", "CUECHANGE", "CURRENTENTRYCHANGE",
    "CUT", "DATAAVAILABLE", "DATACHANNEL", "DBLCLICK", "DEQUEUE", "DEVICECHANGE", "DEVICEMOTION",
    "DEVICEORIENTATION", "DISCHARGINGTIMECHANGE", "DISCONNECT", "DISPOSE", "DOMACTIVATE",
    "DOMCHARACTERDATAMODIFIED", "DOMCONTENTLOADED", "DOMFOCUSIN", "DOMFOCUSOUT", "DOMNODEINSERTED",
    "DOMNODEREMOVED", "DOMSUBTREEMODIFIED", "DOWNLOADING", "DRAG", "DROP", "DURATIONCHANGE", "EMPTIED",
    "ENCRYPTED", "END", "ENTER", "ERROR", "EXIT", "FETCH", "FINISH", "FOCUS", "FORMCHANGE", "FORMDATA",
    "FORMINPUT", "FREEZE", "FULLSCREENCHANGE", "FULLSCREENERROR", "GAMEPADCONNECTED", "GAMEPADDISCONNECTED",
    "GATHERINGSTATECHANGE", "GESTURECHANGE", "GESTUREEND", "GESTURESCROLLEND", "GESTURESCROLLSTART",
    "GESTURESCROLLUPDATE", "GESTURESTART", "GESTURETAP", "GOTPOINTERCAPTURE", "HASHCHANGE", "ICECANDIDATE",
    "ICECONNECTIONSTATECHANGE", "ICEGATHERINGSTATECHANGE", "INACTIVE", "INPUT", "INSTALL", "INVALID",
    "INVOKE", "KEYDOWN", "KEYPRESS", "KEYSTATUSESCHANGE", "KEYUP", "LANGUAGECHANGE", "LEAVEPICTUREINPICTURE",
    "LEVELCHANGE", "LOAD", "LOSTPOINTERCAPTURE", "MARK", "MERCHANTVALIDATION", "MESSAGE", "MOUSEDOWN",
    "MOUSEENTER", "MOUSELEAVE", "MOUSEMOVE", "MOUSEOUT", "MOUSEOVER", "MOUSEUP", "MOUSEWHEEL", "MUTE",
    "NAVIGATE", "NEGOTIATIONNEEDED", "NEXTTRACK", "NOMATCH", "NOTIFICATIONCLICK", "NOTIFICATIONCLOSE",
    "NOUPDATE", "OBSOLETE", "OFFLINE", "ONLINE", "OPEN", "ORIENTATIONCHANGE", "OVERCONSTRAINED",
    "OVERFLOWCHANGED", "PAGEHIDE", "PAGEREVEAL", "PAGESHOW", "PAGESWAP", "PASTE", "PAUSE",
    "PAYERDETAILCHANGE", "PAYMENTAUTHORIZED", "PAYMENTMETHODCHANGE", "PAYMENTMETHODSELECTED", "PLAY",
    "POINTERCANCEL", "POINTERDOWN", "POINTERENTER", "POINTERLEAVE", "POINTERLOCKCHANGE", "POINTERLOCKERROR",
    "POINTERMOVE", "POINTEROUT", "POINTEROVER", "POINTERRAWUPDATE", "POINTERUP", "POPSTATE", "PREVIOUSTRACK",
    "PROCESSORERROR", "PROGRESS", "PROPERTYCHANGE", "PUSH", "QUALITYCHANGE", "RATECHANGE", "READYSTATECHANGE",
    "REJECTIONHANDLED", "RELEASE", "REMOVE", "REPEAT", "RESET", "RESIZE", "RESOURCETIMINGBUFFERFULL",
    "RESULT", "RESUME", "RTCTRANSFORM", "SCROLL", "SEARCH", "SECURITYPOLICYVIOLATION", "SEEKED", "SEEKING",
    "SELECT", "SHIPPINGADDRESSCHANGE", "SHIPPINGCONTACTSELECTED", "SHIPPINGMETHODSELECTED",
    "SHIPPINGOPTIONCHANGE", "SHOW", "SIGNALINGSTATECHANGE", "SLOTCHANGE", "SOUNDEND", "SOUNDSTART",
    "SOURCECLOSE", "SOURCEENDED", "SOURCEOPEN", "SPEECHEND", "SPEECHSTART", "SQUEEZE", "STALLED", "START",
    "STATECHANGE", "STOP", "STORAGE", "SUBMIT", "SUCCESS", "SUSPEND", "TEXTINPUT", "TIMEOUT", "TIMEUPDATE",
    "TOGGLE", "TONECHANGE", "TOUCHCANCEL", "TOUCHEND", "TOUCHFORCECHANGE", "TOUCHMOVE", "TOUCHSTART", "TRACK",
    "TRANSITIONCANCEL", "TRANSITIONEND", "TRANSITIONRUN", "TRANSITIONSTART", "UNCAPTUREDERROR",
    "UNHANDLEDREJECTION", "UNLOAD", "UNMUTE", "UPDATE", "UPGRADENEEDED", "VALIDATEMERCHANT", "VERSIONCHANGE",
    "VISIBILITYCHANGE", "VOICESCHANGED", "VOLUMECHANGE", "WAITING", "WEBGLCONTEXTCHANGED",
    "WEBGLCONTEXTCREATIONERROR", "WEBGLCONTEXTLOST", "WEBGLCONTEXTRESTORED", "WEBKITANIMATIONEND",
    "WEBKITANIMATIONITERATION", "WEBKITANIMATIONSTART", "WEBKITBEFORETEXTINSERTED", "WEBKITBEGINFULLSCREEN",
    "WEBKITCURRENTPLAYBACKTARGETISWIRELESSCHANGED", "WEBKITENDFULLSCREEN", "WEBKITFULLSCREENCHANGE",
    "WEBKITFULLSCREENERROR", "WEBKITKEYADDED", "WEBKITKEYERROR", "WEBKITKEYMESSAGE",
    "WEBKITMOUSEFORCECHANGED", "WEBKITMOUSEFORCEDOWN", "WEBKITMOUSEFORCEUP", "WEBKITMOUSEFORCEWILLBEGIN",
    "WEBKITNEEDKEY", "WEBKITNETWORKINFOCHANGE", "WEBKITPLAYBACKTARGETAVAILABILITYCHANGED",
    "WEBKITPRESENTATIONMODECHANGED", "WEBKITREGIONOVERSETCHANGE", "WEBKITREMOVESOURCEBUFFER",
    "WEBKITSOURCECLOSE", "WEBKITSOURCEENDED", "WEBKITSOURCEOPEN", "WEBKITSPEECHCHANGE", "WEBKITTRANSITIONEND",
    "WEBKITWILLREVEALBOTTOM", "WEBKITWILLREVEALLEFT", "WEBKITWILLREVEALRIGHT", "WEBKITWILLREVEALTOP", "WHEEL",
    "WRITE", "ZOOM",
];

#[cfg(test)]
mod tests {
    use super::{EVENTS, LONGEST};

    #[test]
    fn events_are_sorted_short_and_free_of_prefixes() {
        for pair in EVENTS.windows(2) {
            assert!(pair[0] < pair[1] && !pair[1].starts_with(pair[0]), "{pair:?}");
        }
        assert!(EVENTS.iter().all(|name| "ON".len() + name.len() <= LONGEST));
    }
}
