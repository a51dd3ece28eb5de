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
            b"ACTION" | b"BACKGROUND" | b"BY" | b"DYNSRC" | b"FOLDER" | b"FORMACTION" | b"FROM"
            | b"HANDLER" | b"HREF" | b"LOWSRC" | b"POSTER" | b"SRC" | b"TO" | b"VALUES" => Danger::Url,
            _ => Danger::None,
        }
    }

    /// Whether the name is `on` and the name of an event.
    fn is_event_handler(&self) -> bool {
        let event = self.whole().strip_prefix(b"ON");
        event.is_some_and(|event| EVENTS.binary_search_by_key(&event, |name| name.as_bytes()).is_ok())
    }
}

/// The names of events, in order: those of libinjection and WebKit, of the HTML, SVG and Pointer Events standards,
/// and of older browsers.
#[rustfmt::skip]
static EVENTS: &[&str] = &[
    "ABORT", "ACTIVATE", "ACTIVE", "ADDSOURCEBUFFER", "ADDSTREAM", "ADDTRACK", "AFTERPRINT",
    "AFTERSCRIPTEXECUTE", "AFTERUPDATE", "ANIMATIONCANCEL", "ANIMATIONEND", "ANIMATIONITERATION",
    "ANIMATIONSTART", "APPINSTALLED", "AUDIOEND", "AUDIOPROCESS", "AUDIOSTART", "AUTOCOMPLETE",
    "AUTOCOMPLETEERROR", "AUXCLICK", "BACKGROUNDFETCHABORT", "BACKGROUNDFETCHCLICK", "BACKGROUNDFETCHFAIL",
    "BACKGROUNDFETCHSUCCESS", "BEFOREACTIVATE", "BEFORECOPY", "BEFORECUT", "BEFOREDEACTIVATE",
    "BEFOREEDITFOCUS", "BEFOREINPUT", "BEFOREINSTALLPROMPT", "BEFORELOAD", "BEFOREMATCH", "BEFOREPASTE",
    "BEFOREPRINT", "BEFORESCRIPTEXECUTE", "BEFORETOGGLE", "BEFOREUNLOAD", "BEFOREUPDATE", "BEFOREXRSELECT",
    "BEGIN", "BEGINEVENT", "BLOCKED", "BLUR", "BOUNCE", "BOUNDARY", "BUFFEREDAMOUNTLOW", "BUFFEREDCHANGE",
    "CACHED", "CANCEL", "CANPLAY", "CANPLAYTHROUGH", "CELLCHANGE", "CHANGE", "CHARGINGCHANGE",
    "CHARGINGTIMECHANGE", "CHECKING", "CLICK", "CLOSE", "CLOSING", "COMMAND", "COMPLETE", "COMPOSITIONEND",
    "COMPOSITIONSTART", "COMPOSITIONUPDATE", "CONFIGURATIONCHANGE", "CONNECT", "CONNECTING",
    "CONNECTIONSTATECHANGE", "CONTENTVISIBILITYAUTOSTATECHANGE", "CONTEXTLOST", "CONTEXTMENU",
    "CONTEXTRESTORED", "CONTROLLERCHANGE", "CONTROLSELECT", "COOKIECHANGE", "COORDINATORSTATECHANGE", "COPY",
    "COUPONCODECHANGED", "CUECHANGE", "CURRENTENTRYCHANGE", "CUT", "DATAAVAILABLE", "DATACHANNEL",
    "DATASETCHANGED", "DATASETCOMPLETE", "DBLCLICK", "DEACTIVATE", "DEQUEUE", "DEVICECHANGE", "DEVICEMOTION",
    "DEVICEORIENTATION", "DISCHARGINGTIMECHANGE", "DISCONNECT", "DISPOSE", "DOMACTIVATE",
    "DOMCHARACTERDATAMODIFIED", "DOMCONTENTLOADED", "DOMFOCUSIN", "DOMFOCUSOUT", "DOMNODEINSERTED",
    "DOMNODEINSERTEDINTODOCUMENT", "DOMNODEREMOVED", "DOMNODEREMOVEDFROMDOCUMENT", "DOMSUBTREEMODIFIED",
    "DOWNLOADING", "DRAG", "DRAGEND", "DRAGENTER", "DRAGEXIT", "DRAGLEAVE", "DRAGOVER", "DRAGSTART", "DROP",
    "DURATIONCHANGE", "EMPTIED", "ENCRYPTED", "END", "ENDED", "ENDEVENT", "ENDSTREAMING", "ENTER",
    "ENTERPICTUREINPICTURE", "ERROR", "ERRORUPDATE", "EXIT", "FETCH", "FILTERCHANGE", "FINISH", "FOCUS",
    "FOCUSIN", "FOCUSOUT", "FORMCHANGE", "FORMDATA", "FORMINPUT", "FREEZE", "FULLSCREEN", "FULLSCREENCHANGE",
    "FULLSCREENERROR", "GAMEPADCONNECTED", "GAMEPADDISCONNECTED", "GATHERINGSTATECHANGE", "GESTURECHANGE",
    "GESTUREEND", "GESTURESCROLLEND", "GESTURESCROLLSTART", "GESTURESCROLLUPDATE", "GESTURESTART",
    "GESTURETAP", "GESTURETAPDOWN", "GOTPOINTERCAPTURE", "HASHCHANGE", "HELP", "ICECANDIDATE",
    "ICECANDIDATEERROR", "ICECONNECTIONSTATECHANGE", "ICEGATHERINGSTATECHANGE", "INACTIVE", "INPUT",
    "INPUTSOURCESCHANGE", "INSTALL", "INVALID", "INVOKE", "KEYDOWN", "KEYPRESS", "KEYSTATUSESCHANGE", "KEYUP",
    "LANGUAGECHANGE", "LAYOUTCOMPLETE", "LEAVEPICTUREINPICTURE", "LEVELCHANGE", "LOAD", "LOADEDDATA",
    "LOADEDMETADATA", "LOADEND", "LOADING", "LOADINGDONE", "LOADINGERROR", "LOADSTART", "LOSECAPTURE",
    "LOSTPOINTERCAPTURE", "MARK", "MEDIACOMPLETE", "MEDIAERROR", "MERCHANTVALIDATION", "MESSAGE",
    "MESSAGEERROR", "MOUSEDOWN", "MOUSEENTER", "MOUSELEAVE", "MOUSEMOVE", "MOUSEOUT", "MOUSEOVER", "MOUSEUP",
    "MOUSEWHEEL", "MOVE", "MOVEEND", "MOVESTART", "MOZFULLSCREENCHANGE", "MUTE", "NAVIGATE", "NAVIGATEERROR",
    "NAVIGATESUCCESS", "NEGOTIATIONNEEDED", "NEXTTRACK", "NOMATCH", "NOTIFICATIONCLICK", "NOTIFICATIONCLOSE",
    "NOUPDATE", "OBSOLETE", "OFFLINE", "ONLINE", "OPEN", "ORIENTATIONCHANGE", "OUTOFSYNC", "OVERCONSTRAINED",
    "OVERFLOWCHANGED", "PAGEHIDE", "PAGEREVEAL", "PAGESHOW", "PAGESWAP", "PASTE", "PAUSE",
    "PAYERDETAILCHANGE", "PAYMENTAUTHORIZED", "PAYMENTMETHODCHANGE", "PAYMENTMETHODSELECTED", "PLAY",
    "PLAYING", "POINTERCANCEL", "POINTERDOWN", "POINTERENTER", "POINTERLEAVE", "POINTERLOCKCHANGE",
    "POINTERLOCKERROR", "POINTERMOVE", "POINTEROUT", "POINTEROVER", "POINTERRAWUPDATE", "POINTERUP",
    "POPSTATE", "PREVIOUSTRACK", "PROCESSORERROR", "PROGRESS", "PROMPTACTION", "PROMPTDISMISS",
    "PROPERTYCHANGE", "PUSH", "PUSHNOTIFICATION", "PUSHSUBSCRIPTIONCHANGE", "QUALITYCHANGE", "RATECHANGE",
    "READYSTATECHANGE", "REDO", "REJECTIONHANDLED", "RELEASE", "REMOVE", "REMOVESOURCEBUFFER", "REMOVESTREAM",
    "REMOVETRACK", "REPEAT", "RESET", "RESIZE", "RESIZEEND", "RESIZESTART", "RESOURCETIMINGBUFFERFULL",
    "RESULT", "RESUME", "REVERSE", "ROWENTER", "ROWEXIT", "ROWSDELETE", "ROWSINSERTED", "RTCTRANSFORM",
    "SCROLL", "SCROLLEND", "SCROLLSNAPCHANGE", "SCROLLSNAPCHANGING", "SEARCH", "SECURITYPOLICYVIOLATION",
    "SEEK", "SEEKED", "SEEKING", "SELECT", "SELECTEDCANDIDATEPAIRCHANGE", "SELECTEND", "SELECTIONCHANGE",
    "SELECTSTART", "SHIPPINGADDRESSCHANGE", "SHIPPINGCONTACTSELECTED", "SHIPPINGMETHODSELECTED",
    "SHIPPINGOPTIONCHANGE", "SHOW", "SIGNALINGSTATECHANGE", "SLOTCHANGE", "SNAPCHANGED", "SNAPCHANGING",
    "SOUNDEND", "SOUNDSTART", "SOURCECLOSE", "SOURCEENDED", "SOURCEOPEN", "SPEECHEND", "SPEECHSTART",
    "SQUEEZE", "SQUEEZEEND", "SQUEEZESTART", "STALLED", "START", "STARTED", "STARTSTREAMING", "STATECHANGE",
    "STOP", "STORAGE", "SUBMIT", "SUCCESS", "SUSPEND", "SYNCRESTORED", "TEXTINPUT", "TIMEERROR", "TIMEOUT",
    "TIMEUPDATE", "TIMEZONECHANGE", "TOGGLE", "TONECHANGE", "TOUCHCANCEL", "TOUCHEND", "TOUCHFORCECHANGE",
    "TOUCHMOVE", "TOUCHSTART", "TRACK", "TRACKCHANGE", "TRANSITIONCANCEL", "TRANSITIONEND", "TRANSITIONRUN",
    "TRANSITIONSTART", "UNCAPTUREDERROR", "UNDO", "UNHANDLEDREJECTION", "UNLOAD", "UNMUTE", "UPDATE",
    "UPDATEEND", "UPDATEFOUND", "UPDATEREADY", "UPDATESTART", "UPGRADENEEDED", "URLFLIP", "VALIDATEMERCHANT",
    "VERSIONCHANGE", "VISIBILITYCHANGE", "VOICESCHANGED", "VOLUMECHANGE", "WAITING", "WAITINGFORKEY",
    "WEBGLCONTEXTCHANGED", "WEBGLCONTEXTCREATIONERROR", "WEBGLCONTEXTLOST", "WEBGLCONTEXTRESTORED",
    "WEBKITANIMATIONEND", "WEBKITANIMATIONITERATION", "WEBKITANIMATIONSTART", "WEBKITBEFORETEXTINSERTED",
    "WEBKITBEGINFULLSCREEN", "WEBKITCURRENTPLAYBACKTARGETISWIRELESSCHANGED", "WEBKITENDFULLSCREEN",
    "WEBKITFULLSCREENCHANGE", "WEBKITFULLSCREENERROR", "WEBKITKEYADDED", "WEBKITKEYERROR", "WEBKITKEYMESSAGE",
    "WEBKITMOUSEFORCECHANGED", "WEBKITMOUSEFORCEDOWN", "WEBKITMOUSEFORCEUP", "WEBKITMOUSEFORCEWILLBEGIN",
    "WEBKITNEEDKEY", "WEBKITNETWORKINFOCHANGE", "WEBKITPLAYBACKTARGETAVAILABILITYCHANGED",
    "WEBKITPRESENTATIONMODECHANGED", "WEBKITREGIONOVERSETCHANGE", "WEBKITREMOVESOURCEBUFFER",
    "WEBKITSOURCECLOSE", "WEBKITSOURCEENDED", "WEBKITSOURCEOPEN", "WEBKITSPEECHCHANGE", "WEBKITTRANSITIONEND",
    "WEBKITWILLREVEALBOTTOM", "WEBKITWILLREVEALLEFT", "WEBKITWILLREVEALRIGHT", "WEBKITWILLREVEALTOP", "WHEEL",
    "WRITE", "WRITEEND", "WRITESTART", "ZOOM",
];

#[cfg(test)]
mod tests {
    use super::{EVENTS, LONGEST};

    #[test]
    fn events_are_sorted_and_short() {
        for pair in EVENTS.windows(2) {
            assert!(pair[0] < pair[1], "{pair:?}");
        }
        assert!(EVENTS.iter().all(|name| "ON".len() + name.len() <= LONGEST));
    }
}
