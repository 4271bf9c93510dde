//! The downmix of ITU-R BS.775-3, annex 4, table 2: pure arithmetic.
//!
//! | to | L | R | C | Ls | Rs |
//! |---|---|---|---|---|---|
//! | mono | 0.7071 | 0.7071 | 1 | 0.5 | 0.5 |
//! | stereo, left | 1 | 0 | 0.7071 | 0.7071 | 0 |
//! | stereo, right | 0 | 1 | 0.7071 | 0 | 0.7071 |
//!
//! The LFE is left out of mono and stereo, as the recommendation has it. What its source of five channels does not know comes
//! to those first: two pairs of surrounds at 0.7071 each to the one pair, a centre behind at 0.7071 to both of it (so a single
//! surround is in stereo at 0.5 on either side), others at 0.7071 to what they stand beside. Then all is brought down alike
//! until the coefficients of the loudest output add up to 1: whatever the source, nothing can clip, and the balance stays.
#![deny(unsafe_code)]

use std::f64::consts::FRAC_1_SQRT_2;

use super::speaker::{Speaker, Speaker as S};

/// Left, right, centre, left and right surround, LFE.
type Reference = [f64; 6];

/// Coefficients before they are brought down, and what is left out.
pub(super) struct Coefficients {
    /// A row of all inputs for each output.
    pub(super) matrix: Vec<f64>,
    pub(super) left_out: Vec<Speaker>,
}

/// The coefficients from `source` to mono, stereo or 5.1.
pub(super) fn coefficients(source: &[Speaker], target: &[Speaker]) -> Coefficients {
    let (mut matrix, mut left_out) = (vec![0.0; source.len() * target.len()], Vec::new());
    for (input, speaker) in source.iter().enumerate() {
        let folded = folded(*speaker, source);
        let mut heard = false;
        for (output, to) in target.iter().enumerate() {
            let row = table(*to, target.len());
            let gain: f64 = row.iter().zip(&folded).map(|(a, b)| a * b).sum();
            matrix[output * source.len() + input] = gain;
            heard |= gain > 0.0;
        }
        if !heard {
            left_out.push(*speaker);
        }
    }
    Coefficients { matrix, left_out }
}

/// How many channels a layout has that is mixed down to.
pub(super) fn outputs(layout: &str) -> usize {
    match layout {
        "mono" => 1,
        "stereo" => 2,
        _ => 6,
    }
}

/// Table 2 for one output of so many.
fn table(output: Speaker, outputs: usize) -> Reference {
    const H: f64 = FRAC_1_SQRT_2;
    match (outputs, output) {
        (1, _) => [H, H, 1.0, 0.5, 0.5, 0.0],
        (2, S::FL) => [1.0, 0.0, H, H, 0.0, 0.0],
        (2, S::FR) => [0.0, 1.0, H, 0.0, H, 0.0],
        (_, S::FL) => [1.0, 0.0, 0.0, 0.0, 0.0, 0.0],
        (_, S::FR) => [0.0, 1.0, 0.0, 0.0, 0.0, 0.0],
        (_, S::FC) => [0.0, 0.0, 1.0, 0.0, 0.0, 0.0],
        (_, S::BL) => [0.0, 0.0, 0.0, 1.0, 0.0, 0.0],
        (_, S::BR) => [0.0, 0.0, 0.0, 0.0, 1.0, 0.0],
        (_, S::LFE) => [0.0, 0.0, 0.0, 0.0, 0.0, 1.0],
        _ => [0.0; 6],
    }
}

/// What `speaker` is among the reference's five channels and LFE.
fn folded(speaker: Speaker, source: &[Speaker]) -> Reference {
    const H: f64 = FRAC_1_SQRT_2;
    let has = |s: Speaker| source.contains(&s);
    let pairs = (has(S::SL) || has(S::SR)) && (has(S::BL) || has(S::BR));
    let surround = if pairs { H } else { 1.0 };
    match speaker {
        S::FL => [1.0, 0.0, 0.0, 0.0, 0.0, 0.0],
        S::FR => [0.0, 1.0, 0.0, 0.0, 0.0, 0.0],
        S::FC => [0.0, 0.0, 1.0, 0.0, 0.0, 0.0],
        S::SL | S::BL => [0.0, 0.0, 0.0, surround, 0.0, 0.0],
        S::SR | S::BR => [0.0, 0.0, 0.0, 0.0, surround, 0.0],
        S::BC | S::TBC => [0.0, 0.0, 0.0, H, H, 0.0],
        S::LFE => [0.0, 0.0, 0.0, 0.0, 0.0, 1.0],
        S::LFE2 if !has(S::LFE) => [0.0, 0.0, 0.0, 0.0, 0.0, 1.0],
        S::LFE2 => [0.0, 0.0, 0.0, 0.0, 0.0, H],
        // A stereo downmix that comes beside the channels it was made of adds nothing.
        S::DL | S::DR | S::BIL | S::BIR if has(S::FL) => [0.0; 6],
        S::DL | S::BIL => [1.0, 0.0, 0.0, 0.0, 0.0, 0.0],
        S::DR | S::BIR => [0.0, 1.0, 0.0, 0.0, 0.0, 0.0],
        S::FLC | S::WL | S::TFL | S::BFL => [H, 0.0, 0.0, 0.0, 0.0, 0.0],
        S::FRC | S::WR | S::TFR | S::BFR => [0.0, H, 0.0, 0.0, 0.0, 0.0],
        S::BFC | S::TFC => [0.0, 0.0, H, 0.0, 0.0, 0.0],
        S::TC => [0.5, 0.5, 0.0, 0.0, 0.0, 0.0],
        S::SDL | S::TSL | S::SSL | S::TTL | S::TBL => [0.0, 0.0, 0.0, H, 0.0, 0.0],
        S::SDR | S::TSR | S::SSR | S::TTR | S::TBR => [0.0, 0.0, 0.0, 0.0, H, 0.0],
        _ => [0.0; 6],
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const H: f64 = FRAC_1_SQRT_2;

    #[test]
    fn five_channels_have_the_coefficients_of_the_recommendation() {
        let five = [S::FL, S::FR, S::FC, S::LFE, S::SL, S::SR];
        let stereo = coefficients(&five, &[S::FL, S::FR]);
        assert_eq!(stereo.matrix, [1.0, 0.0, H, 0.0, H, 0.0, 0.0, 1.0, H, 0.0, 0.0, H]);
        assert_eq!(stereo.left_out, [S::LFE]);
        assert_eq!(coefficients(&five, &[S::FC]).matrix, [H, H, 1.0, 0.0, 0.5, 0.5]);
    }

    #[test]
    fn two_pairs_of_surrounds_become_one_and_a_single_one_is_on_both_sides() {
        let seven = [S::FL, S::FR, S::FC, S::LFE, S::BL, S::BR, S::SL, S::SR];
        let five = [S::FL, S::FR, S::FC, S::LFE, S::BL, S::BR];
        let row = |matrix: &[f64], n: usize, inputs: usize| matrix[n * inputs..(n + 1) * inputs].to_vec();
        let mixed = coefficients(&seven, &five);
        assert_eq!(row(&mixed.matrix, 4, 8), [0.0, 0.0, 0.0, 0.0, H, 0.0, H, 0.0]);
        assert_eq!(row(&mixed.matrix, 3, 8), [0.0, 0.0, 0.0, 1.0, 0.0, 0.0, 0.0, 0.0]);
        assert!(mixed.left_out.is_empty());
        let single = coefficients(&[S::FL, S::FR, S::FC, S::BC], &[S::FL, S::FR]);
        assert!((single.matrix[3] - 0.5).abs() < 1e-12 && (single.matrix[7] - 0.5).abs() < 1e-12);
    }
}
