//! The Dolby Vision configuration record of an AV1 stream.
#![deny(unsafe_code)]

/// Length of a configuration record.
pub const RECORD_BYTES: usize = 24;

/// Level limits: width, and luma samples a second (Dolby Vision Profiles and Levels, table of levels).
const LEVELS: [(u8, u32, u64); 13] = [
    (1, 1280, 22_118_400),
    (2, 1280, 27_648_000),
    (3, 1920, 49_766_400),
    (4, 2560, 62_208_000),
    (5, 3840, 124_416_000),
    (6, 3840, 199_065_600),
    (7, 3840, 248_832_000),
    (8, 3840, 398_131_200),
    (9, 3840, 497_664_000),
    (10, 3840, 995_328_000),
    (11, 7680, 995_328_000),
    (12, 7680, 1_990_656_000),
    (13, 7680, 3_981_312_000),
];

/// The lowest level that holds pictures of this size at `rate` frames a second; the highest where none does.
pub fn level(width: u32, height: u32, rate: f64) -> u8 {
    // Rates such as 24000/1001 are taken for what they stand for.
    let samples = (f64::from(width) * f64::from(height) * rate.max(0.0)) as u64;
    LEVELS.iter().find(|(_, most, rate)| width <= *most && samples <= *rate).map_or(13, |l| l.0)
}

/// The record (`DOVIDecoderConfigurationRecord`, in Matroska BlockAddIDExtraData of type `dvvC`) of profile 10: base
/// layer and RPUs, no enhancement layer.
pub fn record(level: u8, compatibility: u8) -> [u8; RECORD_BYTES] {
    const PROFILE: u8 = 10;
    let mut out = [0; RECORD_BYTES];
    // Version 1.0; then profile (7 bits), level (6), rpu 1, el 0, bl 1; then the compatibility (4).
    out[0] = 1;
    out[2] = PROFILE << 1 | level >> 5 & 1;
    out[3] = (level & 0x1F) << 3 | 0b101;
    out[4] = compatibility << 4;
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_are_those_of_the_table() {
        for ((width, height, rate), expected) in [
            ((1280, 720, 24000.0 / 1001.0), 1),
            ((1280, 720, 30.0), 2),
            ((1920, 1080, 24.0), 3),
            ((1920, 804, 24.0), 3),
            ((1920, 1080, 60.0), 5),
            ((3840, 2160, 24000.0 / 1001.0), 6),
            ((3840, 2160, 60000.0 / 1001.0), 9),
            ((7680, 4320, 30.0), 11),
            ((7680, 4320, 500.0), 13),
        ] {
            assert_eq!(level(width, height, rate), expected, "{width}x{height} at {rate}");
        }
    }

    #[test]
    fn a_record_has_its_bits_in_their_places() {
        let record = record(6, 1);
        let bits = u32::from_be_bytes([record[1], record[2], record[3], record[4]]);
        // minor(8) profile(7) level(6) rpu el bl compatibility(4) reserved(4)
        assert_eq!((record[0], bits >> 24, bits >> 17 & 0x7F, bits >> 11 & 0x3F), (1, 0, 10, 6));
        assert_eq!((bits >> 10 & 1, bits >> 9 & 1, bits >> 8 & 1, bits >> 4 & 0xF), (1, 0, 1, 1));
        assert!(record[5..].iter().all(|b| *b == 0));
    }
}
