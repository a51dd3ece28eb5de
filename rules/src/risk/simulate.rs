//! A client's curve: what its score does over a list of events.

use super::client::{Block, ClientState, Event};
use super::settings::RiskSettings;
use super::vocabulary::Standing;

/// A point of a curve.
#[derive(Clone, Debug, PartialEq)]
pub struct Point {
    /// Milliseconds since 1970.
    pub at: u64,
    /// Place of the event in the list; `None` for a point between events.
    pub event: Option<usize>,
    /// The score, after the event.
    pub score: f32,
    /// How the client stands.
    pub standing: Standing,
    /// The block that began with the event.
    pub block: Option<Block>,
    /// Whether its answers are slowed down.
    pub slowed: bool,
    /// Whether it has to pass a challenge.
    pub challenged: bool,
}

/// Plays events (milliseconds since 1970, event), which are in order, and gives a point for each, and between
/// and after them one for every `step` milliseconds until `end`. At most `most` points.
#[must_use]
pub fn curve(
    settings: &RiskSettings,
    events: &[(u64, Event)],
    step: u64,
    end: u64,
    most: usize,
) -> Vec<Point> {
    let mut state = ClientState::default();
    let mut points = Vec::new();
    let step = step.max(1);
    let mut next = events.first().map_or(0, |(at, _)| *at);
    let fill = |points: &mut Vec<Point>, state: &ClientState, next: &mut u64, until: u64| {
        while *next < until && points.len() < most {
            points.push(point(settings, state, *next, None, None));
            *next = next.saturating_add(step);
        }
    };
    for (place, (at, event)) in events.iter().enumerate() {
        fill(&mut points, &state, &mut next, *at);
        let block = state.take(settings, event, *at).block;
        points.push(point(settings, &state, *at, Some(place), block));
        next = next.max(at.saturating_add(step));
    }
    fill(&mut points, &state, &mut next, end.saturating_add(1));
    points
}

fn point(
    settings: &RiskSettings,
    state: &ClientState,
    at: u64,
    event: Option<usize>,
    block: Option<Block>,
) -> Point {
    Point {
        at,
        event,
        score: state.score_at(&settings.score, at),
        standing: state.standing(at),
        block,
        slowed: state.tarpit(settings, at).is_some(),
        challenged: state.is_challenged(settings, at),
    }
}
