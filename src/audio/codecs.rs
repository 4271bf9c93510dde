//! What codecs of sound can do: the table that everything else asks.
//!
//! Owns, by codec, the encoders that are tried, layouts with their usual bit rates, sample rates. Pure data, but for the
//! question whether libavcodec has an encoder. Bit rates are what is usually taken for the codec to be transparent to most
//! people: AC-3's and E-AC-3's those of DVDs and broadcasts, MP3's 192 kb/s in stereo, FFmpeg's own AAC encoder more than others
//! would need.
#![deny(unsafe_code)]

use super::downmix;
use super::speaker::{Speaker, names};
use crate::av::{SampleKind, has_sound_encoder};
use crate::base::{Error, ErrorKind, Result};
use crate::config::SoundCodec;

/// A row of the table.
pub(super) struct CodecRow {
    /// FFmpeg's name of the codec.
    pub(super) name: &'static str,
    /// Names of encoders in libavcodec, the best first, with the form of samples they take; none for Opus, which is libopus's own.
    pub(super) encoders: &'static [(&'static str, SampleKind)],
    /// FFmpeg's names of layouts, the smallest first, with the usual bit rate in kb/s; 0 where there is none to choose.
    pub(super) layouts: &'static [(&'static str, u32)],
    /// Rates in Hz, rising; any within the first and the last where `any_rate`.
    pub(super) rates: &'static [u32],
    pub(super) any_rate: bool,
    /// What FFmpeg has to be built with.
    pub(super) needs: &'static str,
}

use SampleKind::{FloatPlanar, Int16};

/// RFC 7845 §5.1.1.2. The rates of 1, 2, 6 and 8 channels are the design's; the others follow from 5.1's
/// 51.2 kb/s for each channel with a full range (3.0: 154, quad: 205, 5.0: 256 less 8 for the LFE), rounded to
/// 8 kb/s upwards, and 6.1 lies midway between 5.1 and 7.1.
const OPUS: CodecRow = CodecRow {
    name: "opus",
    encoders: &[],
    layouts: &[
        ("mono", 64),
        ("stereo", 128),
        ("3.0", 160),
        ("quad", 208),
        ("5.0", 248),
        ("5.1", 256),
        ("6.1", 320),
        ("7.1", 384),
    ],
    rates: &[48_000],
    any_rate: false,
    needs: "",
};

/// Sampling frequencies of ISO/IEC 14496-3, table 1.18. Without quad and 6.1, which have no channel configuration of their
/// own; that of 7.1 means other speakers to some players, so it is left out, too.
const AAC: CodecRow = CodecRow {
    name: "aac",
    encoders: &[("libfdk_aac", Int16), ("aac", FloatPlanar)],
    layouts: &[("mono", 96), ("stereo", 160), ("3.0", 224), ("4.0", 288), ("5.0", 352), ("5.1", 384)],
    rates: &[7_350, 8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000, 64_000, 88_200, 96_000],
    any_rate: false,
    needs: "its own AAC encoder (--enable-encoder=aac)",
};

/// RFC 9639, 9.1.3: channel assignments; 9.1.2: sample rates that a frame's header can say.
const FLAC: CodecRow = CodecRow {
    name: "flac",
    encoders: &[("flac", Int16)],
    layouts: &[("mono", 0), ("stereo", 0), ("3.0", 0), ("quad", 0), ("5.0", 0), ("5.1", 0), ("6.1", 0), ("7.1", 0)],
    rates: &[1_000, 655_350],
    any_rate: true,
    needs: "its own FLAC encoder (--enable-encoder=flac)",
};

const VORBIS: CodecRow = CodecRow {
    name: "vorbis",
    encoders: &[("libvorbis", FloatPlanar)],
    layouts: &[
        ("mono", 80),
        ("stereo", 160),
        ("3.0", 208),
        ("quad", 256),
        ("5.0", 304),
        ("5.1", 320),
        ("6.1", 368),
        ("7.1", 448),
    ],
    rates: &[8_000, 192_000],
    any_rate: true,
    needs: "libvorbis (--enable-libvorbis)",
};

/// ETSI TS 102 366, 4.4.1.3 and 4.4.2.3.
const AC3: CodecRow = CodecRow {
    name: "ac3",
    encoders: &[("ac3", FloatPlanar)],
    layouts: &[("mono", 96), ("stereo", 192), ("3.0", 256), ("4.0", 320), ("quad", 320), ("5.0", 384), ("5.1", 448)],
    rates: &[32_000, 44_100, 48_000],
    any_rate: false,
    needs: "its own AC-3 encoder (--enable-encoder=ac3)",
};

const EAC3: CodecRow = CodecRow {
    name: "eac3",
    encoders: &[("eac3", FloatPlanar)],
    layouts: &[("mono", 96), ("stereo", 192), ("3.0", 224), ("4.0", 256), ("quad", 256), ("5.0", 320), ("5.1", 384)],
    needs: "its own E-AC-3 encoder (--enable-encoder=eac3)",
    ..AC3
};

/// ISO/IEC 11172-3, 13818-3, and FFmpeg's name for the even lower rates that others added.
const MP3: CodecRow = CodecRow {
    name: "mp3",
    encoders: &[("libmp3lame", FloatPlanar)],
    layouts: &[("mono", 96), ("stereo", 192)],
    rates: &[8_000, 11_025, 12_000, 16_000, 22_050, 24_000, 32_000, 44_100, 48_000],
    any_rate: false,
    needs: "LAME (--enable-libmp3lame)",
};

const PCM: CodecRow = CodecRow {
    name: "pcm_s16le",
    encoders: &[("pcm_s16le", Int16)],
    layouts: &[
        ("mono", 0),
        ("stereo", 0),
        ("3.0", 0),
        ("4.0", 0),
        ("quad", 0),
        ("5.0", 0),
        ("5.1", 0),
        ("6.1", 0),
        ("7.1", 0),
    ],
    rates: &[1_000, 655_350],
    any_rate: true,
    needs: "its own PCM encoders",
};

/// The row of a codec.
pub(super) fn row(codec: SoundCodec) -> &'static CodecRow {
    match codec {
        SoundCodec::Opus => &OPUS,
        SoundCodec::Aac => &AAC,
        SoundCodec::Flac => &FLAC,
        SoundCodec::Vorbis => &VORBIS,
        SoundCodec::Ac3 => &AC3,
        SoundCodec::Eac3 => &EAC3,
        SoundCodec::Mp3 => &MP3,
        SoundCodec::Pcm => &PCM,
    }
}

/// The encoder for a codec and the form of its samples, where the library has one.
///
/// # Errors
/// `Unsupported`, with what to install.
pub(super) fn encoder_of(codec: SoundCodec) -> Result<(&'static str, SampleKind)> {
    encoder_among(row(codec), codec, has_sound_encoder)
}

fn encoder_among(
    row: &CodecRow,
    codec: SoundCodec,
    there: impl Fn(&str) -> bool,
) -> Result<(&'static str, SampleKind)> {
    row.encoders.iter().copied().find(|(name, _)| there(name)).ok_or_else(|| {
        let (title, needs) = (codec.title(), row.needs);
        let message =
            format!("the FFmpeg that is linked has no encoder for {title}: install one that was built with {needs}");
        Error::new(ErrorKind::Unsupported, message)
    })
}

/// Whether sound can be encoded to `codec` here.
///
/// # Errors
/// `Unsupported`, with what to install.
pub fn check_encoder(codec: SoundCodec) -> Result<()> {
    if codec == SoundCodec::Opus { Ok(()) } else { encoder_of(codec).map(drop) }
}

/// FFmpeg's name of a codec of sound.
pub fn codec_name(codec: SoundCodec) -> &'static str {
    row(codec).name
}

/// The rate at which sound of `source` Hz is encoded: its own where the codec has it, else the next above, else the highest.
pub fn rate_for(codec: SoundCodec, source: u32) -> u32 {
    let row = row(codec);
    let (lowest, highest) = (row.rates.first().copied().unwrap_or(source), row.rates.last().copied().unwrap_or(source));
    if row.any_rate {
        return source.clamp(lowest, highest);
    }
    row.rates.iter().copied().find(|rate| *rate >= source).unwrap_or(highest)
}

/// Refuses speakers for which the codec has no layout.
pub(super) fn no_layout(codec: SoundCodec, label: &str, source: &[Speaker]) -> Error {
    let row = row(codec);
    let known: Vec<&str> = row.layouts.iter().map(|(name, _)| *name).collect();
    let possible = |name: &&str| known.contains(name) && downmix::outputs(name) < source.len();
    let way = ["5.1", "stereo", "mono"].into_iter().find(possible);
    let way = way.map_or(String::new(), |way| format!("; --downmix {way} mixes it down"));
    let label = if label.is_empty() { names(source) } else { label.to_owned() };
    let message = format!("{} has no layout for {label}: it has {}{way}", codec.title(), known.join(", "));
    Error::new(ErrorKind::Unsupported, message)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rate_the_codec_lacks_becomes_the_next_above() {
        for (codec, source, rate) in [
            (SoundCodec::Opus, 44_100, 48_000),
            (SoundCodec::Aac, 44_100, 44_100),
            (SoundCodec::Aac, 37_800, 44_100),
            (SoundCodec::Aac, 192_000, 96_000),
            (SoundCodec::Ac3, 22_050, 32_000),
            (SoundCodec::Mp3, 96_000, 48_000),
            (SoundCodec::Flac, 37_800, 37_800),
            (SoundCodec::Vorbis, 352_800, 192_000),
        ] {
            assert_eq!(rate_for(codec, source), rate, "{codec:?} {source}");
        }
    }

    #[test]
    fn an_encoder_the_library_lacks_is_named_with_what_to_install() {
        let error = encoder_among(&MP3, SoundCodec::Mp3, |_| false).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Unsupported);
        assert!(error.to_string().contains("MP3") && error.to_string().contains("libmp3lame"), "{error}");
        assert_eq!(encoder_among(&AAC, SoundCodec::Aac, |name| name == "aac").unwrap().0, "aac");
    }
}
