//! PURE: colour metadata that contradicts itself, by ITU-T H.273 and the systems that use its code points.
#![deny(unsafe_code)]

use super::finding::{FindingKind, QualityFinding};
use crate::media::{Color, ColorRange, HdrStatic, Matrix, Primaries, Transfer, VideoInfo};

/// BT.2020 primaries and matrices, those of BT.601, and the primaries that PQ and HLG are used with.
const BT2020: Primaries = Primaries(9);
const BT2020_MATRICES: [Matrix; 2] = [Matrix(9), Matrix(10)];
const BT709: Primaries = Primaries(1);
const BT601: [Primaries; 2] = [Primaries(5), Primaries(6)];
const BT601_MATRICES: [Matrix; 2] = [Matrix(5), Matrix(6)];
const WIDE: [Primaries; 3] = [BT2020, Primaries(11), Primaries(12)];

/// Transfers of BT.2020 that are no HDR, and linear light.
const BT2020_TRANSFERS: [Transfer; 3] = [Transfer(8), Transfer(14), Transfer(15)];

/// What pictures say of their colour.
#[derive(Clone, Debug, Default)]
pub(super) struct SaidColor {
    /// By the first picture, the container's word where the bitstream has none.
    pub(super) color: Color,
    pub(super) hdr: HdrStatic,
    /// Bits a sample.
    pub(super) depth: u8,
    /// Whether the format is Y'CbCr.
    pub(super) is_yuv: bool,
    /// By the bitstream alone.
    pub(super) bitstream: Color,
}

/// What is found in the colour of the first picture and in the container's word of it.
pub(super) fn color_findings(said: &SaidColor, container: &VideoInfo) -> Vec<QualityFinding> {
    let mut messages = contradictions(said);
    messages.extend(unlike(&container.color, &said.bitstream));
    let finding = |message: String| QualityFinding::new(FindingKind::Color, None, 1.0, message);
    messages.into_iter().map(finding).collect()
}

/// A picture from which on the colour is described as another; the first was described as `before`.
pub(super) fn color_change(before: &Color, now: &Color, from_s: f64, to_s: f64) -> QualityFinding {
    let message = format!("the colour is described as {}, before as {}", words(now), words(before));
    QualityFinding::new(FindingKind::Color, Some((from_s, to_s)), 1.0, message)
}

fn words(color: &Color) -> String {
    let range = match color.range {
        ColorRange::Unspecified => "unspecified",
        ColorRange::Limited => "limited",
        ColorRange::Full => "full",
    };
    let (primaries, transfer, matrix) = (color.primaries.name(), color.transfer.name(), color.matrix.name());
    format!("{primaries}/{transfer}/{matrix} {range} range")
}

fn contradictions(said: &SaidColor) -> Vec<String> {
    let SaidColor { color, hdr, depth, is_yuv, .. } = said;
    let Color { primaries, transfer, matrix, .. } = *color;
    let (p, t, m) = (primaries.name(), transfer.name(), matrix.name());
    let mut out = Vec::new();
    let mut say = |is: bool, message: String| out.extend(is.then_some(message));
    say(
        primaries == BT2020 && transfer.is_specified() && !transfer.is_hdr() && !BT2020_TRANSFERS.contains(&transfer),
        format!("the primaries are bt2020, the transfer is {t}"),
    );
    say(
        transfer.is_hdr() && primaries.is_specified() && !WIDE.contains(&primaries),
        format!("the transfer is {t}, the primaries are {p}"),
    );
    say(transfer.is_hdr() && !primaries.is_specified(), format!("the transfer is {t}, the primaries are not said"));
    say(
        primaries == BT2020 && (matrix == Matrix::BT709 || BT601_MATRICES.contains(&matrix)),
        format!("the primaries are bt2020, the matrix is {m}"),
    );
    say(
        BT2020_MATRICES.contains(&matrix) && primaries.is_specified() && !WIDE.contains(&primaries),
        format!("the matrix is {m}, the primaries are {p}"),
    );
    say(
        (primaries == BT709 && BT601_MATRICES.contains(&matrix))
            || (BT601.contains(&primaries) && matrix == Matrix::BT709),
        format!("the primaries are {p}, the matrix is {m}"),
    );
    say(*is_yuv && matrix == Matrix(0), "the matrix is that of RGB, the picture is Y'CbCr".to_owned());
    say(transfer == Transfer::PQ && *depth < 10, format!("the transfer is {t}, at {depth} bits a sample"));
    let has_hdr = hdr.mastering_display.is_some() || hdr.content_light.is_some();
    say(
        has_hdr && transfer.is_specified() && !transfer.is_hdr(),
        format!("there is HDR10 metadata, the transfer is {t}"),
    );
    if let Some(light) = hdr.content_light {
        say(
            light.max_cll > 0 && light.max_fall > light.max_cll,
            format!("MaxFALL {} is above MaxCLL {}", light.max_fall, light.max_cll),
        );
    }
    if let Some(display) = hdr.mastering_display {
        let (least, most) = (display.min_luminance.as_f64(), display.max_luminance.as_f64());
        say(most > 0.0 && least >= most, format!("the mastering display is from {least} to {most} cd/m²"));
    }
    out
}

/// Where container and bitstream both say something and not the same.
fn unlike(container: &Color, bitstream: &Color) -> Vec<String> {
    let mut out = Vec::new();
    let mut compare = |what: &str, said: (bool, bool), one: String, other: String| {
        if said.0 && said.1 && one != other {
            out.push(format!("the container says {what} {one}, the bitstream {other}"));
        }
    };
    let (c, b) = (container, bitstream);
    let both = (c.primaries.is_specified(), b.primaries.is_specified());
    compare("primaries", both, c.primaries.name(), b.primaries.name());
    let both = (c.transfer.is_specified(), b.transfer.is_specified());
    compare("transfer", both, c.transfer.name(), b.transfer.name());
    let known = |m: Matrix| m != Matrix::UNSPECIFIED;
    compare("matrix", (known(c.matrix), known(b.matrix)), c.matrix.name(), b.matrix.name());
    let known = |r: ColorRange| r != ColorRange::Unspecified;
    let name = |r: ColorRange| if r == ColorRange::Full { "full".to_owned() } else { "limited".to_owned() };
    compare("range", (known(c.range), known(b.range)), name(c.range), name(b.range));
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::ContentLight;

    fn said(primaries: u8, transfer: u8, matrix: u8, depth: u8) -> SaidColor {
        let color = Color {
            primaries: Primaries(primaries),
            transfer: Transfer(transfer),
            matrix: Matrix(matrix),
            ..Color::default()
        };
        SaidColor { color, depth, is_yuv: true, ..SaidColor::default() }
    }

    #[test]
    fn systems_that_are_in_use_do_not_contradict_themselves() {
        let fine = [
            (1, 1, 1, 8),
            (5, 6, 5, 8),
            (6, 6, 6, 8),
            (6, 1, 6, 8),
            (9, 14, 9, 10),
            (9, 16, 9, 10),
            (9, 18, 9, 10),
            (9, 18, 9, 8),
            (12, 16, 9, 10),
            (2, 2, 2, 8),
            (2, 2, 1, 8),
            (1, 13, 1, 8),
        ];
        for (p, t, m, depth) in fine {
            assert_eq!(contradictions(&said(p, t, m, depth)), Vec::<String>::new(), "{p}/{t}/{m}");
        }
    }

    #[test]
    fn systems_that_do_not_go_together_are_named() {
        let wrong = [
            ((9, 1, 9, 10), "bt2020, the transfer is bt709"),
            ((1, 16, 1, 10), "smpte2084, the primaries are bt709"),
            ((2, 18, 2, 10), "not said"),
            ((9, 16, 1, 10), "matrix is bt709"),
            ((1, 1, 9, 10), "matrix is bt2020nc"),
            ((1, 1, 6, 8), "matrix is smpte170m"),
            ((5, 6, 1, 8), "bt470bg, the matrix is bt709"),
            ((1, 1, 0, 8), "RGB"),
            ((9, 16, 9, 8), "8 bits"),
        ];
        for ((p, t, m, depth), word) in wrong {
            let found = contradictions(&said(p, t, m, depth));
            assert!(found.iter().any(|message| message.contains(word)), "{p}/{t}/{m}: {found:?}");
        }
        let mut sdr = said(1, 1, 1, 8);
        sdr.hdr.content_light = Some(ContentLight { max_cll: 100, max_fall: 400 });
        assert_eq!(contradictions(&sdr).len(), 2, "HDR10 metadata of SDR, and MaxFALL above MaxCLL");
    }

    #[test]
    fn a_container_that_says_nothing_contradicts_nobody() {
        let (one, other) = (said(1, 1, 1, 8).color, said(9, 16, 9, 10).color);
        assert_eq!(unlike(&Color::default(), &other), Vec::<String>::new());
        assert_eq!(unlike(&one, &one), Vec::<String>::new());
        assert_eq!(unlike(&one, &other).len(), 3);
    }
}
