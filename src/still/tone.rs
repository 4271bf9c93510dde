//! HDR pictures for screens: PQ and HLG to the curve and primaries that images have when they say nothing.
//!
//! A simple way, in 8 bits, which does for a small still and is no more than that: light by SMPTE ST 2084 or ARIB STD-B67,
//! in units of the white of BT.2408 (203 cd/m²), the brightest of three channels by Reinhard's curve up to 1000 cd/m²,
//! BT.2020 to BT.709 by its matrix (BT.2087), then the curve of sRGB (IEC 61966-2-1).

use crate::media::Color;

/// SDR white in HDR, cd/m² (ITU-R BT.2408).
const WHITE: f32 = 203.0;

/// What is shown as full white, cd/m².
const PEAK: f32 = 1000.0;

/// BT.2020 to BT.709, linear (ITU-R BT.2087).
const TO_709: [[f32; 3]; 3] = [[1.6605, -0.5876, -0.0728], [-0.1246, 1.1329, -0.0083], [-0.0182, -0.1006, 1.1187]];

#[derive(Clone, Copy, PartialEq, Eq)]
enum HdrCurve {
    Pq,
    Hlg,
}

/// Maps pictures of one kind.
pub(super) struct ToScreen {
    curve: HdrCurve,
    wide: bool,
    /// Light by code value; of HLG the scene's.
    light: [f32; 256],
    /// sRGB by light in 4096 steps.
    code: Vec<u8>,
}

impl ToScreen {
    /// What a picture of this colour needs; `None` for what screens show as it is.
    pub(super) fn of<'a>(color: &Color, kept: &'a mut Option<ToScreen>) -> Option<&'a ToScreen> {
        let curve = match color.transfer.0 {
            16 => HdrCurve::Pq,
            18 => HdrCurve::Hlg,
            _ => return None,
        };
        let wide = color.primaries.0 == 9 || !color.primaries.is_specified();
        if kept.as_ref().is_none_or(|kept| (kept.curve, kept.wide) != (curve, wide)) {
            *kept = Some(ToScreen::new(curve, wide));
        }
        kept.as_ref()
    }

    fn new(curve: HdrCurve, wide: bool) -> Self {
        let mut light = [0.0; 256];
        for (code, light) in light.iter_mut().enumerate() {
            let value = code as f32 / 255.0;
            *light = match curve {
                HdrCurve::Pq => pq(value) / WHITE,
                HdrCurve::Hlg => hlg(value),
            };
        }
        let code = (0..=4095).map(|step| (srgb(step as f32 / 4095.0) * 255.0).round() as u8).collect();
        ToScreen { curve, wide, light, code }
    }

    pub(super) fn map(&self, bytes: &mut [u8]) {
        for dot in bytes.as_chunks_mut::<3>().0 {
            let mut rgb = dot.map(|code| self.light[usize::from(code)]);
            if self.curve == HdrCurve::Hlg {
                // The display's gamma of 1.2 at 1000 cd/m² (ITU-R BT.2100).
                let luma = 0.2627 * rgb[0] + 0.678 * rgb[1] + 0.0593 * rgb[2];
                let gain = luma.max(1e-6).powf(0.2) * PEAK / WHITE;
                rgb = rgb.map(|v| v * gain);
            }
            let most = rgb.iter().fold(0.0f32, |a, b| a.max(*b));
            let down = if most > 0.0 { reinhard(most) / most } else { 0.0 };
            rgb = rgb.map(|v| v * down);
            if self.wide {
                rgb = TO_709.map(|row| row[0] * rgb[0] + row[1] * rgb[1] + row[2] * rgb[2]);
            }
            *dot = rgb.map(|v| self.code[(v.clamp(0.0, 1.0) * 4095.0).round() as usize]);
        }
    }
}

/// From light in units of white to 0 to 1, with the peak at 1 (Reinhard et al. 2002, equation 4).
fn reinhard(x: f32) -> f32 {
    let peak = PEAK / WHITE;
    (x * (1.0 + x / (peak * peak)) / (1.0 + x)).min(1.0)
}

/// cd/m² (SMPTE ST 2084).
fn pq(value: f32) -> f32 {
    let (m1, m2) = (2610.0 / 16384.0, 2523.0 / 4096.0 * 128.0);
    let (c1, c2, c3) = (3424.0 / 4096.0, 2413.0 / 4096.0 * 32.0, 2392.0 / 4096.0 * 32.0);
    let power = value.powf(1.0 / m2);
    ((power - c1).max(0.0) / (c2 - c3 * power)).powf(1.0 / m1) * 10_000.0
}

/// Light of the scene, 0 to 1 (ARIB STD-B67).
fn hlg(value: f32) -> f32 {
    let (a, b, c) = (0.178_832_77, 0.284_668_92, 0.559_910_7);
    if value <= 0.5 { value * value / 3.0 } else { (((value - c) / a).exp() + b) / 12.0 }
}

fn srgb(light: f32) -> f32 {
    if light <= 0.003_130_8 { light * 12.92 } else { 1.055 * light.powf(1.0 / 2.4) - 0.055 }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn curves_are_those_of_their_standards() {
        // ST 2084: 100 cd/m² is 0.508, 1000 is 0.752, all is 10 000.
        for (value, nits) in [(0.508, 100.0), (0.7518, 1000.0), (1.0, 10_000.0)] {
            assert!((pq(value) / nits - 1.0).abs() < 0.01, "{value}: {}", pq(value));
        }
        assert!((hlg(1.0) - 1.0).abs() < 1e-3 && (hlg(0.5) - 1.0 / 12.0).abs() < 1e-4);
        assert!((reinhard(PEAK / WHITE) - 1.0).abs() < 1e-5);
    }

    #[test]
    fn greys_stay_grey_and_in_their_order() {
        for curve in [HdrCurve::Pq, HdrCurve::Hlg] {
            let screen = ToScreen::new(curve, true);
            let mut last = 0;
            for code in 0..=255u8 {
                let mut dot = [code; 3];
                screen.map(&mut dot);
                assert!(dot[0].abs_diff(dot[1]) <= 1 && dot[1].abs_diff(dot[2]) <= 1, "{code}: {dot:?}");
                assert!(dot[1] >= last, "{code}: {dot:?}");
                last = dot[1];
            }
            assert_eq!(last, 255);
        }
    }
}
