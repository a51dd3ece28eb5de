//! What a test's result means in the light of what Envoy does by itself.

use crate::deviations::{Deviation, Observed};

/// What the engine alone makes of a test.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Natively {
    Passed,
    Failed,
    /// It wants what only a server can answer.
    Skipped,
}

/// What came of a test.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Judgement {
    Passed,
    /// It is listed, and Envoy was seen to be the reason.
    Deviates,
    /// It is not listed, and Envoy was seen to be the reason; which is this.
    DeviatesUnlisted(String),
    /// For this reason.
    Failed(String),
}

/// Judges a test. `observed` is what Envoy without the filter did with its request if it failed; `natively` what the
/// engine makes of it alone, where an unlisted test may deviate.
pub(crate) fn judge(
    observed: Option<&Observed>,
    deviation: Option<&Deviation>,
    natively: Option<Natively>,
    listed_may_pass: bool,
) -> Judgement {
    let Some(observed) = observed else {
        return match deviation {
            Some(_) if !listed_may_pass => {
                Judgement::Failed("it passes; take it off integration/ftw/deviations.yaml".to_owned())
            }
            _ => Judgement::Passed,
        };
    };
    if let Some(deviation) = deviation {
        return if deviation.doing.is_proved_by(observed) {
            Judgement::Deviates
        } else {
            let said = &deviation.reason;
            Judgement::Failed(format!("the list says: {said}; but Envoy without the filter {observed}"))
        };
    }
    let proved = match (natively, observed) {
        (Some(Natively::Passed), Observed::Refused(_)) => true,
        (Some(Natively::Passed), Observed::Forwarded(altered)) => !altered.is_empty(),
        // The test wants the server to refuse it.
        (Some(Natively::Skipped), Observed::Forwarded(_)) => true,
        // The test wants another refusal than Envoy's.
        (Some(Natively::Skipped), Observed::Refused(_)) => true,
        (Some(Natively::Failed) | None, _) => false,
    };
    if proved {
        let engine = match natively {
            Some(Natively::Skipped) => "the test wants a server's own refusal",
            _ => "the engine alone passes it",
        };
        Judgement::DeviatesUnlisted(format!("{engine}, and Envoy without the filter {observed}"))
    } else {
        Judgement::Failed(format!("Envoy without the filter {observed}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::deviations::Doing;

    #[test]
    fn only_what_is_proved_deviates() {
        let refused = Observed::Refused(400);
        let whole = Observed::Forwarded(Vec::new());
        let altered = Observed::Forwarded(vec!["referer".to_owned()]);
        let listed =
            Deviation { doing: Doing::Refuses(400), blocking_only: false, reason: "because".to_owned() };
        let failed = |judgement| matches!(judgement, Judgement::Failed(_));
        assert_eq!(judge(None, None, None, false), Judgement::Passed);
        assert!(failed(judge(None, Some(&listed), None, false)));
        assert_eq!(judge(None, Some(&listed), None, true), Judgement::Passed);
        assert_eq!(judge(Some(&refused), Some(&listed), None, false), Judgement::Deviates);
        assert!(failed(judge(Some(&whole), Some(&listed), Some(Natively::Passed), false)));
        // Not listed, and no other tests than the project's.
        assert!(failed(judge(Some(&refused), None, None, false)));
        for (observed, natively, proved) in [
            (&refused, Natively::Passed, true),
            (&altered, Natively::Passed, true),
            (&whole, Natively::Passed, false),
            (&whole, Natively::Skipped, true),
            (&refused, Natively::Failed, false),
            (&altered, Natively::Failed, false),
        ] {
            let judgement = judge(Some(observed), None, Some(natively), false);
            assert_eq!(
                matches!(judgement, Judgement::DeviatesUnlisted(_)),
                proved,
                "{observed:?} {natively:?}"
            );
        }
    }
}
