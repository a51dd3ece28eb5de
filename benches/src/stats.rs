//! Medians, spreads and means of samples.

use serde::Serialize;

/// A sample's middle and how far it spreads: the 10th and the 90th percentile.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize)]
pub struct Spread {
    /// The 10th percentile.
    pub low: f64,
    /// The median.
    pub median: f64,
    /// The 90th percentile.
    pub high: f64,
}

impl Spread {
    /// Of a sample in any order; zero when there is none.
    #[must_use]
    pub fn of(sample: &[f64]) -> Self {
        Self {
            low: percentile(sample, 10.0),
            median: percentile(sample, 50.0),
            high: percentile(sample, 90.0),
        }
    }
}

/// The value below which `percent` of the sample lie, interpolated; zero when there is no sample.
#[must_use]
pub fn percentile(sample: &[f64], percent: f64) -> f64 {
    let mut sorted = sample.to_vec();
    sorted.sort_by(f64::total_cmp);
    let place = percent / 100.0 * sorted.len().saturating_sub(1) as f64;
    let at = |place: f64| sorted.get(place as usize).copied().unwrap_or(0.0);
    let (below, above) = (at(place.floor()), at(place.ceil()));
    below + (above - below) * place.fract()
}

/// The geometric mean; zero when there is no sample.
#[must_use]
pub fn geometric_mean(sample: &[f64]) -> f64 {
    if sample.is_empty() {
        return 0.0;
    }
    (sample.iter().map(|value| value.ln()).sum::<f64>() / sample.len() as f64).exp()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn near(a: f64, b: f64) -> bool {
        (a - b).abs() < 1e-9
    }

    #[test]
    fn percentiles_are_interpolated() {
        let sample = [4.0, 1.0, 3.0, 2.0];
        assert!(near(percentile(&sample, 50.0), 2.5));
        assert!(near(percentile(&sample, 0.0), 1.0));
        assert!(near(percentile(&sample, 100.0), 4.0));
        let spread = Spread::of(&[5.0; 3]);
        assert!(near(spread.low, 5.0) && near(spread.median, 5.0) && near(spread.high, 5.0));
        assert!(near(percentile(&[], 50.0), 0.0));
    }

    #[test]
    fn ratios_have_a_geometric_mean() {
        assert!(near(geometric_mean(&[1.0, 4.0, 16.0]), 4.0));
        assert!(near(geometric_mean(&[]), 0.0));
    }
}
