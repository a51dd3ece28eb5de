//! The words of risk rules.

macro_rules! words {
    ($(#[$type_doc:meta])* $ty:ident { $( $(#[doc = $doc:literal])+ $variant:ident $name:literal, )+ }) => {
        $(#[$type_doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
        pub enum $ty { $( $(#[doc = $doc])+ $variant, )+ }

        impl $ty {
            /// All of them, in the order of the documentation.
            pub const ALL: &'static [Self] = &[ $( Self::$variant, )+ ];

            /// The name as it is written in policies and records.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $( Self::$variant => $name, )+ }
            }

            /// What it means, in a few words.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $( Self::$variant => concat!($($doc),+), )+ }
            }
        }
    };
}

words! {
    /// The kind of attack that a rule finds.
    Classification {
        /// The kind of attack is not known.
        Undefined "Undefined",
        /// SQL in a form or another input.
        SqlInjection "SqlInjection",
        /// A script that would run in the user's context.
        Xss "XSS",
        /// The server is made to include somebody else's content or code.
        Rfi "RFI",
        /// A session of somebody else is taken over.
        SessionHijacking "SessionHijacking",
        /// The server is made to serve files that were not meant to be served.
        DirTraversal "DirTraversal",
        /// Encodings that hide commands or code.
        Evasion "Evasion",
        /// Signs of known malware.
        TrojanActivity "TrojanActivity",
        /// Data of server or application leak.
        InfoDisclosure "InfoDisclosure",
        /// Executable code is uploaded or run.
        ExecutableCode "ExecutableCode",
        /// Passwords of known accounts are guessed.
        PasswordGuessing "PasswordGuessing",
        /// Default, weak or leaked passwords are tried.
        PasswordSpraying "PasswordSpraying",
        /// Stolen pairs of user and password are tried.
        CredentialStuffing "CredentialStuffing",
        /// Forms, comments or reviews are used for promotion.
        FormSpam "FormSpam",
        /// The server's operating system is found out.
        OsDetection "OSDetection",
        /// Pages or contents are listed for abuse.
        ContentEnumeration "ContentEnumeration",
        /// Components of the content management system are listed.
        PluginEnumeration "PluginEnumeration",
        /// Valid users are collected.
        UsernameEnumeration "UsernameEnumeration",
        /// Processor or memory are used up.
        ResourceExhaustion "ResourceExhaustion",
        /// Bandwidth is used up.
        TrafficFlood "TrafficFlood",
        /// Suspiciously many requests or bytes.
        HighVolume "HighVolume",
        /// The client causes ever more errors.
        ErrorRate "ErrorRate",
        /// A known vulnerability is exploited.
        KnownVulnerability "KnownVulnerability",
        /// Acts on behalf of a user who is logged in.
        Csrf "CSRF",
        /// Rights are gained that were not granted.
        EscalationOfPrivilege "EscalationOfPrivilege",
        /// Code that gives access to application or server.
        WebShell "WebShell",
        /// Unwanted bots, spiders, scrapers.
        BadBot "BadBot",
        /// Commands are run on the server.
        CommandInjection "CommandInjection",
        /// The server's resources are used for mining.
        CryptoMining "CryptoMining",
        /// Known tools of attackers.
        Toolkit "Toolkit",
        /// Known botnets or infected hosts.
        BotnetActivity "BotnetActivity",
        /// Fraud through the application's own logic.
        BusinessLogicAbuse "BusinessLogicAbuse",
        /// The server is made to include its own files.
        Lfi "LFI",
        /// Known bad code that is meant for the user's context.
        MaliciousInclude "MaliciousInclude",
        /// The technology in use is found out.
        SoftwareDetection "SoftwareDetection",
        /// A program is at work, not a person.
        ProgrammaticAccess "ProgrammaticAccess",
        /// A rule of the business that fits no other kind.
        CustomerRule "CustomerRule",
    }
}

words! {
    /// What a client is after: the stages of an attack, in their order.
    KillChain {
        /// Collects basic data.
        Reconnaissance "Reconnaissance",
        /// Looks for contents and known weaknesses.
        Scanning "Scanning",
        /// Finds possible weak points.
        WebApplicationMapping "WebApplicationMapping",
        /// Tries to get access without a right to it.
        BruteForceAttack "BruteForceAttack",
        /// Disturbs availability.
        DenialOfService "DenialOfService",
        /// Uses a weakness.
        Exploitation "Exploitation",
        /// Settles on a compromised server.
        MalwareCommunication "MalwareCommunication",
    }
}

impl Classification {
    /// What helps where a name is not known.
    pub(crate) const HELP: &'static str =
        "use one of the 37 names, such as `SqlInjection`; without one it is `CustomerRule`";

    /// Looks a name up, regardless of case.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|one| one.name().eq_ignore_ascii_case(name))
    }
}

impl KillChain {
    /// The name in words: `Brute Force Attack`.
    #[must_use]
    pub const fn spaced(self) -> &'static str {
        match self {
            Self::Reconnaissance => "Reconnaissance",
            Self::Scanning => "Scanning",
            Self::WebApplicationMapping => "Web Application Mapping",
            Self::BruteForceAttack => "Brute Force Attack",
            Self::DenialOfService => "Denial of Service",
            Self::Exploitation => "Exploitation",
            Self::MalwareCommunication => "Malware Communication",
        }
    }

    /// Looks a name up in either spelling, regardless of case; `Recon` and `BruteForce` are known as well.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        let bare: String = name.chars().filter(|c| !matches!(c, ' ' | '_' | '-')).collect();
        match bare.to_ascii_lowercase().as_str() {
            "recon" => Some(Self::Reconnaissance),
            "bruteforce" => Some(Self::BruteForceAttack),
            _ => Self::ALL.iter().copied().find(|one| one.name().eq_ignore_ascii_case(&bare)),
        }
    }

    /// 1 to 7.
    #[must_use]
    pub const fn rank(self) -> u8 {
        self as u8 + 1
    }

    /// The stage with a rank.
    #[must_use]
    pub fn of_rank(rank: u8) -> Option<Self> {
        Self::ALL.get(usize::from(rank).checked_sub(1)?).copied()
    }
}

words! {
    /// What a risk rule does to the client, beside adding to its score.
    RiskAction {
        /// Nothing else.
        Track "track",
        /// The exchange is refused.
        Block "block",
        /// The client's answers are slowed down.
        Tarpit "tarpit",
        /// The client has to pass a challenge.
        Interrogate "interrogate",
    }
}

words! {
    /// How a client stands.
    Standing {
        /// It is watched, like every client.
        Watched "watched",
        /// It is blocked for a time.
        Blocked "blocked",
        /// It is blocked for good, by its third block.
        BlockedForGood "blocked_for_good",
        /// It is on the deny list.
        DenyListed "deny_listed",
        /// It is on the allow list.
        AllowListed "allow_listed",
    }
}
