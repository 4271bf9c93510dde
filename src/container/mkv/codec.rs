//! Codecs that are copied: FFmpeg's names and configuration bytes as Matroska's.
//!
//! Owns the mapping of draft-ietf-cellar-codec. Pure: bytes in, bytes out. Where a codec cannot be stored as
//! the demuxer gives it (ADTS without configuration, 3GPP timed text), the answer is `None` and the caller
//! converts or reports.
#![deny(unsafe_code)]

use crate::base::{Error, ErrorKind, Rational, Result, Span};
use crate::media::{PacketData, TrackCodec, TrackKind, TrackParams};
use crate::syntax::opus::{SEEK_PRE_ROLL_NS, opus_head_facts};

/// How Matroska stores a codec.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CodecMapping {
    /// CodecID.
    pub codec_id: &'static str,
    /// CodecPrivate; empty where the codec has none.
    pub codec_private: Vec<u8>,
    /// BitDepth where the codec's name fixes it (PCM).
    pub bit_depth: Option<u8>,
    /// CodecDelay in nanoseconds (Opus).
    pub codec_delay_ns: u64,
    /// SeekPreRoll in nanoseconds (Opus).
    pub seek_pre_roll_ns: u64,
}

impl CodecMapping {
    /// [`codec_delay_ns`](Self::codec_delay_ns) as time.
    pub fn codec_delay(&self) -> Span {
        span(self.codec_delay_ns)
    }

    /// [`seek_pre_roll_ns`](Self::seek_pre_roll_ns) as time.
    pub fn seek_pre_roll(&self) -> Span {
        span(self.seek_pre_roll_ns)
    }
}

fn span(ns: u64) -> Span {
    Span::new(i64::try_from(ns).unwrap_or(i64::MAX), Rational::NANO)
}

/// How to copy a stream that FFmpeg calls `codec` (`AVCodecDescriptor.name`) and configures by `extradata`.
///
/// `None` where Matroska has no place for it in this form: the codec is not listed, or the configuration
/// that CodecPrivate has to hold is missing or broken.
pub fn for_copy(codec: &str, extradata: &[u8]) -> Option<CodecMapping> {
    subtitle(codec, extradata).or_else(|| audio(codec, extradata)).or_else(|| pcm(codec))
}

/// How Matroska stores the codec of `track`: what the track entry says of it.
#[derive(Clone, Debug)]
pub(super) struct TrackCoding {
    /// CodecID.
    pub(super) id: String,
    /// CodecPrivate; empty is not written.
    pub(super) private: Vec<u8>,
    /// BitDepth of audio.
    pub(super) bit_depth: Option<u8>,
}

impl TrackCoding {
    /// # Errors
    /// `Encode` where Matroska cannot hold the codec as it is described.
    pub(super) fn of(track: &TrackParams) -> Result<Self> {
        let told = match &track.kind {
            TrackKind::Audio(audio) => audio.bit_depth,
            TrackKind::Video(_) | TrackKind::Subtitle(_) => None,
        };
        let private = track.configuration();
        let name = match track.codec() {
            TrackCodec::Matroska(id) => {
                return Ok(TrackCoding { id: id.clone(), private: private.to_vec(), bit_depth: told });
            }
            TrackCodec::Named(name) => name,
        };
        let mapping = match &track.kind {
            TrackKind::Video(_) => video(name, private),
            TrackKind::Audio(_) | TrackKind::Subtitle(_) => for_copy(name, private),
        };
        let mapping = mapping
            .ok_or_else(|| Error::new(ErrorKind::Encode, format!("Matroska cannot carry {name} as it is described")))?;
        let bit_depth = mapping.bit_depth.or(told);
        Ok(TrackCoding { id: mapping.codec_id.to_owned(), private: mapping.codec_private, bit_depth })
    }
}

/// The CodecIDs of video by FFmpeg's names.
const VIDEO: [(&str, &str); 5] =
    [("av1", "V_AV1"), ("h264", "V_MPEG4/ISO/AVC"), ("hevc", "V_MPEGH/ISO/HEVC"), ("vp8", "V_VP8"), ("vp9", "V_VP9")];

/// The CodecID of video that FFmpeg calls `codec`.
pub fn video_codec_id(codec: &str) -> Option<&'static str> {
    VIDEO.iter().find(|(name, _)| *name == codec).map(|(_, id)| *id)
}

/// What FFmpeg calls the video of this CodecID.
pub fn video_codec(codec_id: &str) -> Option<&'static str> {
    VIDEO.iter().find(|(_, id)| *id == codec_id).map(|(name, _)| *name)
}

/// The CodecIDs of sound that is encoded, by FFmpeg's names.
const SOUND: [(&str, &str); 7] = [
    ("opus", "A_OPUS"),
    ("aac", "A_AAC"),
    ("flac", "A_FLAC"),
    ("vorbis", "A_VORBIS"),
    ("ac3", "A_AC3"),
    ("eac3", "A_EAC3"),
    ("mp3", "A_MPEG/L3"),
];

/// The CodecID of sound that FFmpeg calls `codec`, of those that are encoded.
pub fn sound_codec_id(codec: &str) -> Option<&'static str> {
    SOUND.iter().find(|(name, _)| *name == codec).map(|(_, id)| *id)
}

/// What FFmpeg calls the sound of this CodecID, of those that are encoded.
pub fn sound_codec(codec_id: &str) -> Option<&'static str> {
    SOUND.iter().find(|(_, id)| *id == codec_id).map(|(name, _)| *name)
}

fn video(codec: &str, configuration: &[u8]) -> Option<CodecMapping> {
    let configured = |id| (!configuration.is_empty()).then(|| with_private(id, configuration.to_vec()));
    let id = video_codec_id(codec)?;
    match codec {
        "av1" => configured(id),
        // Annex B streams have no avcC or hvcC, and Matroska holds no start codes.
        "h264" | "hevc" if configuration.first() == Some(&1) => configured(id),
        "vp8" => Some(plain(id)),
        "vp9" => Some(with_private(id, configuration.to_vec())),
        _ => None,
    }
}

fn plain(codec_id: &'static str) -> CodecMapping {
    CodecMapping { codec_id, ..CodecMapping::default() }
}

fn with_private(codec_id: &'static str, codec_private: Vec<u8>) -> CodecMapping {
    CodecMapping { codec_id, codec_private, ..CodecMapping::default() }
}

fn subtitle(codec: &str, extradata: &[u8]) -> Option<CodecMapping> {
    Some(match codec {
        "subrip" | "srt" | "text" => plain("S_TEXT/UTF8"),
        // FFmpeg gives both as ASS with the script's header as configuration.
        "ass" | "ssa" if !extradata.is_empty() => with_private("S_TEXT/ASS", extradata.to_vec()),
        "webvtt" => with_private("S_TEXT/WEBVTT", webvtt_header(extradata)),
        "hdmv_pgs_subtitle" => plain("S_HDMV/PGS"),
        // The index text (size, palette); a raw DVD stream has none, players then guess the palette.
        "dvd_subtitle" => with_private("S_VOBSUB", extradata.to_vec()),
        // Composition page, ancillary page and subtitling type of the first language.
        "dvb_subtitle" => with_private("S_DVBSUB", extradata.get(..5)?.to_vec()),
        "hdmv_text_subtitle" if !extradata.is_empty() => with_private("S_HDMV/TEXTST", extradata.to_vec()),
        _ => return None,
    })
}

/// The text before the first cue; it has to begin with the signature, which FFmpeg leaves out.
fn webvtt_header(extradata: &[u8]) -> Vec<u8> {
    let text = extradata.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(extradata);
    match text {
        [] => b"WEBVTT".to_vec(),
        _ if text.starts_with(b"WEBVTT") => text.to_vec(),
        _ => [b"WEBVTT\n\n", text].concat(),
    }
}

fn audio(codec: &str, extradata: &[u8]) -> Option<CodecMapping> {
    Some(match codec {
        // AudioSpecificConfig; a stream of ADTS frames has none and cannot be stored as it is.
        "aac" if extradata.len() >= 2 => with_private("A_AAC", extradata.to_vec()),
        "ac3" => plain("A_AC3"),
        "eac3" => plain("A_EAC3"),
        "dts" | "dca" => plain("A_DTS"),
        "truehd" => plain("A_TRUEHD"),
        "mlp" => plain("A_MLP"),
        "mp3" => plain("A_MPEG/L3"),
        "mp2" => plain("A_MPEG/L2"),
        "mp1" => plain("A_MPEG/L1"),
        "flac" => with_private("A_FLAC", flac_private(extradata)?),
        "vorbis" => with_private("A_VORBIS", vorbis_private(extradata)?),
        // MP4's 'alac' box: size, type and version come before the magic cookie itself.
        "alac" => match extradata {
            [_, _, _, _, b'a', b'l', b'a', b'c', _, _, _, _, cookie @ ..] if cookie.len() >= 24 => {
                with_private("A_ALAC", cookie.to_vec())
            }
            cookie if cookie.len() >= 24 => with_private("A_ALAC", cookie.to_vec()),
            _ => return None,
        },
        "opus" => {
            let delay = opus_head_facts(extradata)?.delay();
            CodecMapping {
                codec_delay_ns: delay.as_nanos().unsigned_abs(),
                seek_pre_roll_ns: SEEK_PRE_ROLL_NS.unsigned_abs(),
                ..with_private("A_OPUS", extradata.to_vec())
            }
        }
        _ => return None,
    })
}

/// Integer PCM is signed, except 8 bits, which Matroska defines as unsigned; floats are little-endian.
fn pcm(codec: &str) -> Option<CodecMapping> {
    let (codec_id, bits) = match codec {
        "pcm_u8" => ("A_PCM/INT/LIT", 8),
        "pcm_s16le" => ("A_PCM/INT/LIT", 16),
        "pcm_s24le" => ("A_PCM/INT/LIT", 24),
        "pcm_s32le" => ("A_PCM/INT/LIT", 32),
        "pcm_s16be" => ("A_PCM/INT/BIG", 16),
        "pcm_s24be" => ("A_PCM/INT/BIG", 24),
        "pcm_s32be" => ("A_PCM/INT/BIG", 32),
        "pcm_f32le" => ("A_PCM/FLOAT/IEEE", 32),
        "pcm_f64le" => ("A_PCM/FLOAT/IEEE", 64),
        _ => return None,
    };
    Some(CodecMapping { bit_depth: Some(bits), ..plain(codec_id) })
}

/// RFC 9639 §10.2: the stream marker and the metadata blocks. FFmpeg gives the bare STREAMINFO block.
fn flac_private(extradata: &[u8]) -> Option<Vec<u8>> {
    const STREAMINFO: usize = 34;
    if extradata.starts_with(b"fLaC") && extradata.len() >= 8 + STREAMINFO {
        return Some(extradata.to_vec());
    }
    // The last (0x80) metadata block, of type 0, 34 bytes long.
    let info = extradata.get(..STREAMINFO)?;
    Some([b"fLaC\x80\x00\x00\x22", info].concat())
}

/// Three headers behind their lengths: Xiph-laced as Matroska has them, or each behind a 16-bit length, as
/// FFmpeg's decoder takes them too.
fn vorbis_private(extradata: &[u8]) -> Option<Vec<u8>> {
    // An identification header is 30 bytes and begins with its type and name.
    let identifies = |header: &[u8]| header.len() == 30 && header.starts_with(b"\x01vorbis");
    if let [2, laced @ ..] = extradata {
        let (first, laced) = xiph_length(laced)?;
        let (second, headers) = xiph_length(laced)?;
        return (identifies(headers.get(..first)?) && headers.len() > first + second).then(|| extradata.to_vec());
    }
    let mut rest = extradata;
    let mut headers = [&[][..]; 3];
    for header in &mut headers {
        let length = usize::from(u16::from_be_bytes([*rest.first()?, *rest.get(1)?]));
        *header = rest.get(2..2 + length)?;
        rest = rest.get(2 + length..)?;
    }
    if !identifies(headers[0]) {
        return None;
    }
    let mut out = vec![2];
    for header in &headers[..2] {
        out.extend(std::iter::repeat_n(255, header.len() / 255));
        out.push((header.len() % 255) as u8);
    }
    headers.iter().for_each(|h| out.extend_from_slice(h));
    Some(out)
}

/// A length in Xiph lacing (255 for each full 255 bytes, then the rest), and what follows it.
fn xiph_length(laced: &[u8]) -> Option<(usize, &[u8])> {
    let full = laced.iter().take_while(|&&b| b == 255).count();
    let (&rest, after) = laced.get(full..)?.split_first()?;
    Some((255 * full + usize::from(rest), after))
}

/// The bytes beside a WebVTT cue (`Packet::additional`): its settings, its identifier, each on a line
/// (draft-ietf-cellar-codec, WebVTT "BlockAdditions"). `None` where it has neither.
pub fn webvtt_additional(settings: &str, identifier: &str) -> Option<PacketData> {
    if settings.is_empty() && identifier.is_empty() {
        return None;
    }
    Some(PacketData::new(format!("{settings}\n{identifier}\n").into_bytes()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn names_map_to_the_ids_of_the_specification() {
        let id = |name: &str| for_copy(name, b"[Script Info]").map(|m| m.codec_id);
        assert_eq!(id("subrip"), Some("S_TEXT/UTF8"));
        assert_eq!(id("ass"), Some("S_TEXT/ASS"));
        assert_eq!(id("hdmv_pgs_subtitle"), Some("S_HDMV/PGS"));
        assert_eq!(id("dvd_subtitle"), Some("S_VOBSUB"));
        assert_eq!(id("dts"), Some("A_DTS"));
        assert_eq!(id("mov_text"), None);
        assert_eq!(id("pcm_bluray"), None);
        let pcm = for_copy("pcm_s24le", &[]).unwrap();
        assert_eq!((pcm.codec_id, pcm.bit_depth), ("A_PCM/INT/LIT", Some(24)));
    }

    #[test]
    fn configurations_take_matroskas_form() {
        let flac = for_copy("flac", &[5; 34]).unwrap().codec_private;
        assert_eq!((&flac[..8], flac.len()), (&b"fLaC\x80\0\0\x22"[..], 42));
        assert_eq!(for_copy("flac", &flac).unwrap().codec_private, flac);

        let cookie = [[0, 0, 0, 36].as_slice(), b"alac\0\0\0\0", &[9; 24]].concat();
        assert_eq!(for_copy("alac", &cookie).unwrap().codec_private, [9; 24]);

        let id = [b"\x01vorbis".as_slice(), &[0; 23]].concat();
        let long = [vec![0, 30], id.clone(), vec![1, 4], vec![3; 260], vec![0, 2, 4, 4]].concat();
        let laced = for_copy("vorbis", &long).unwrap().codec_private;
        assert_eq!(&laced[..4], [2, 30, 255, 5]);
        assert_eq!(laced.len(), 4 + 30 + 260 + 2);
        assert_eq!(for_copy("vorbis", &laced).unwrap().codec_private, laced);
        assert!(for_copy("vorbis", &laced[..laced.len() - 2]).is_none(), "the third header is missing");
        assert!(for_copy("vorbis", &[2]).is_none());

        assert!(for_copy("aac", &[]).is_none(), "ADTS has no AudioSpecificConfig");
        assert_eq!(for_copy("webvtt", b"STYLE").unwrap().codec_private, b"WEBVTT\n\nSTYLE");
    }

    #[test]
    fn opus_brings_its_delay() {
        let head = [b"OpusHead\x01\x02".as_slice(), &[0x38, 0x01, 0x80, 0xBB, 0, 0, 0, 0, 0]].concat();
        let opus = for_copy("opus", &head).unwrap();
        assert_eq!((opus.codec_delay_ns, opus.seek_pre_roll_ns), (6_500_000, 80_000_000));
        assert!(for_copy("opus", &head[..18]).is_none());
    }

    /// The fewest bytes of CodecPrivate that say anything; where there is no minimum, none.
    const LEAST: [(&str, usize); 9] = [
        ("flac", 42),
        ("vorbis", 34),
        ("alac", 24),
        ("opus", 19),
        ("aac", 2),
        ("dvb_subtitle", 5),
        ("webvtt", 6),
        ("ass", 1),
        ("hdmv_text_subtitle", 1),
    ];

    proptest! {
        #[test]
        fn no_configuration_makes_it_panic(
            data in proptest::collection::vec(any::<u8>(), 0..80),
            begin in proptest::sample::select(vec![&b""[..], b"\x02", b"\x02\x1e", b"\x00\x1e\x01vorbis", b"fLaC", b"OpusHead"]),
        ) {
            let data = [begin, &data].concat();
            for (name, least) in LEAST {
                if let Some(mapping) = for_copy(name, &data) {
                    prop_assert!(mapping.codec_private.len() >= least, "{name}: {mapping:?}");
                }
            }
        }
    }
}
