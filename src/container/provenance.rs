//! How a video track was made, as its tags say: the tags of a track that was encoded here, and what is read of them.
//!
//! `ENCODER` and `ENCODER_SETTINGS` are Matroska's own names (RFC 9559's registry of tags) and hold the encoder with its
//! version and what it was told, in its own words. What no name exists for begins with `DRAPTO_`:
//!
//! ```text
//! DRAPTO_VERSION    0.1.0
//! DRAPTO_SETTINGS   target_vmaf=93:preset=4                    settings other than by default, by their keys in a file
//! DRAPTO_TARGET     vmaf=93:tolerance=0.5:per=chunk:stride=3:model=vmaf_v0.6.1
//! DRAPTO_SCORE      harmonic_mean=93.07:mean=93.15:p5=90.41:min=84.02:worst_chunk=92.61
//! DRAPTO_CHUNKS     drapto chunks 1
//!                   first_frame,frames,start_ms,crf,score,min,pieces
//!                   0,240,0,31.25,93.12,88.54,
//!                   240,200,10000,29.4,92.81,87.2,0:31 120:27
//! ```
//!
//! The last chunk is of two pieces: CRF 31, and from its 120th frame on 27; its `crf` is the mean over its frames.
//!
//! Owns these names and their texts. Refuses whatever depends on when, where and by how many workers a film was encoded, so
//! that equal input gives equal bytes, and paths, which are nobody's business. Texts of foreign files are read as far as they
//! can be: what cannot is named and no error. Matroska alone carries them; MP4 and IVF have no place for tags of a track.
#![deny(unsafe_code)]

use serde::Serialize;

use crate::config::{parameters, parameters_text};
use crate::media::{Crf, Tag};

/// The encoder and its version.
const ENCODER: &str = "ENCODER";
/// What it was told.
const ENCODER_SETTINGS: &str = "ENCODER_SETTINGS";
const VERSION: &str = "DRAPTO_VERSION";
const SETTINGS: &str = "DRAPTO_SETTINGS";
const TARGET: &str = "DRAPTO_TARGET";
const SCORE: &str = "DRAPTO_SCORE";
const CHUNKS: &str = "DRAPTO_CHUNKS";

/// All names, in the order they are written.
const NAMES: [&str; 7] = [ENCODER, ENCODER_SETTINGS, VERSION, SETTINGS, TARGET, SCORE, CHUNKS];

/// The first line of the chunks: what it is, and the version of its form. A column that is added keeps the version.
const CHUNKS_HEAD: &str = "drapto chunks 1";

/// The columns of the chunks.
const COLUMNS: [&str; 6] = ["first_frame", "frames", "start_ms", "crf", "score", "min"];

/// The column for the pieces of a chunk, empty where it is of one.
const PIECES: &str = "pieces";

/// What stands for a value that may be a path.
const WITHHELD: &str = "(file)";

/// How a video track was made.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Provenance {
    /// The encoder and its version.
    pub encoder: Option<String>,
    /// What the encoder was told, in its own words: `name=value:name=value`. Without a CRF where each chunk has its own.
    pub encoder_settings: Option<String>,
    /// drapto's version.
    pub version: Option<String>,
    /// Settings that are not as by default, and what quality was asked for: `key=value:key=value`, with the keys of a
    /// settings file.
    pub settings: Option<String>,
    /// What was aimed at, where there was a target.
    pub target: Option<ProvenanceTarget>,
    /// What the title scores, where there was a target.
    pub score: Option<ProvenanceScore>,
    /// The chunks in order, where there was a target.
    pub chunks: Option<Vec<ProvenanceChunk>>,
    /// Names of tags that are there and cannot be read.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub unreadable: Vec<&'static str>,
}

/// The target of an encode.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ProvenanceTarget {
    /// VMAF.
    pub vmaf: f64,
    /// How far it may be missed on either side.
    pub tolerance: f64,
    /// What it holds for: `chunk` or `title`.
    pub per: String,
    /// Every how many-th frame was scored.
    pub stride: u32,
    /// The VMAF model.
    pub model: String,
}

/// What a title scores, over all frames that were scored.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ProvenanceScore {
    /// Harmonic mean.
    pub harmonic_mean: f64,
    /// Arithmetic mean.
    pub mean: f64,
    /// 5th percentile.
    pub p5: f64,
    /// Lowest frame.
    pub min: f64,
    /// Harmonic mean of the chunk with the lowest one.
    pub worst_chunk: f64,
}

/// A chunk of a title.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ProvenanceChunk {
    /// Its first frame, counted from 0 in the order of showing.
    pub first_frame: u64,
    /// Frames in it.
    pub frames: u64,
    /// When its first frame was shown in the file that was written, in milliseconds.
    pub start_ms: i64,
    /// The rate factor of its bytes, the mean over its frames to hundredths.
    pub crf: f64,
    /// Harmonic mean of its frames that were scored.
    pub score: f64,
    /// The lowest of them.
    pub min: f64,
    /// Where it is of several pieces, those in order.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub pieces: Vec<ProvenancePiece>,
}

/// A part of a chunk with a rate factor of its own.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ProvenancePiece {
    /// Its first frame, counted from the chunk's.
    pub from: u64,
    /// The rate factor.
    pub crf: Crf,
}

impl Provenance {
    /// The tags of a track that was made so, in the order they are written.
    pub fn tags(&self) -> Vec<Tag> {
        let values = [
            self.encoder.clone(),
            self.encoder_settings.clone(),
            self.version.clone(),
            self.settings.clone(),
            self.target.as_ref().map(ProvenanceTarget::text),
            self.score.as_ref().map(ProvenanceScore::text),
            self.chunks.as_deref().map(chunks_text),
        ];
        NAMES.into_iter().zip(values).filter_map(|(name, value)| Some((name.to_owned(), value?))).collect()
    }

    /// What the tags of a track say of how it was made; `None` where it was not encoded here.
    pub fn read(tags: &[Tag]) -> Option<Self> {
        let text =
            |name: &str| tags.iter().find(|(n, _)| n.eq_ignore_ascii_case(name)).map(|(_, value)| value.as_str());
        [VERSION, SETTINGS, TARGET, SCORE, CHUNKS].into_iter().find_map(text)?;
        let mut unreadable = Vec::new();
        let words = |name| text(name).map(str::to_owned);
        Some(Provenance {
            encoder: words(ENCODER),
            encoder_settings: words(ENCODER_SETTINGS),
            version: words(VERSION),
            settings: words(SETTINGS),
            target: read(text(TARGET), TARGET, ProvenanceTarget::read, &mut unreadable),
            score: read(text(SCORE), SCORE, ProvenanceScore::read, &mut unreadable),
            chunks: read(text(CHUNKS), CHUNKS, read_chunks, &mut unreadable),
            unreadable,
        })
    }

    /// Those of `tags` that say how a track was made.
    pub fn among(tags: &[Tag]) -> Vec<Tag> {
        tags.iter().filter(|(name, _)| NAMES.contains(&name.as_str())).cloned().collect()
    }
}

fn read<T>(
    text: Option<&str>,
    name: &'static str,
    read: fn(&str) -> Option<T>,
    unreadable: &mut Vec<&'static str>,
) -> Option<T> {
    let found = read(text?);
    if found.is_none() {
        unreadable.push(name);
    }
    found
}

/// Parameters as they go into a file: the last of a name, and no path.
pub fn parameters_said(given: &[(String, String)]) -> Vec<(String, String)> {
    let mut out: Vec<(String, String)> = Vec::new();
    for (name, value) in given {
        out.retain(|(n, _)| n != name);
        let path = value.contains(['/', '\\']) || FILES.contains(&name.as_str());
        out.push((name.clone(), if path { WITHHELD.to_owned() } else { value.clone() }));
    }
    out
}

/// Encoders' parameters that name a file.
const FILES: [&str; 6] = ["fgs-table", "stats", "qpfile", "qp-file", "roi-map-file", "passlogfile"];

/// Names and values by name.
struct TagFields(Vec<(String, String)>);

impl TagFields {
    /// Refuses values that end in a backslash: before a colon it would be a part of the next.
    fn read(text: &str) -> Option<Self> {
        let fields = parameters(text).ok()?;
        fields.iter().all(|(_, value)| !value.ends_with('\\')).then_some(TagFields(fields))
    }

    fn text(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str())
    }

    fn number(&self, name: &str) -> Option<f64> {
        number(self.text(name)?)
    }
}

fn number(text: &str) -> Option<f64> {
    text.parse().ok().filter(|n: &f64| n.is_finite())
}

fn fields_text(fields: &[(&str, String)]) -> String {
    let fields: Vec<_> = fields.iter().map(|(name, value)| ((*name).to_owned(), value.clone())).collect();
    parameters_text(&fields)
}

impl ProvenanceTarget {
    fn text(&self) -> String {
        fields_text(&[
            ("vmaf", self.vmaf.to_string()),
            ("tolerance", self.tolerance.to_string()),
            ("per", self.per.clone()),
            ("stride", self.stride.to_string()),
            ("model", self.model.clone()),
        ])
    }

    fn read(text: &str) -> Option<Self> {
        let fields = TagFields::read(text)?;
        Some(ProvenanceTarget {
            vmaf: fields.number("vmaf")?,
            tolerance: fields.number("tolerance")?,
            per: fields.text("per")?.to_owned(),
            stride: fields.text("stride")?.parse().ok()?,
            model: fields.text("model")?.to_owned(),
        })
    }
}

impl ProvenanceScore {
    fn text(&self) -> String {
        let hundredths = |score: f64| format!("{score:.2}");
        fields_text(&[
            ("harmonic_mean", hundredths(self.harmonic_mean)),
            ("mean", hundredths(self.mean)),
            ("p5", hundredths(self.p5)),
            ("min", hundredths(self.min)),
            ("worst_chunk", hundredths(self.worst_chunk)),
        ])
    }

    fn read(text: &str) -> Option<Self> {
        let fields = TagFields::read(text)?;
        Some(ProvenanceScore {
            harmonic_mean: fields.number("harmonic_mean")?,
            mean: fields.number("mean")?,
            p5: fields.number("p5")?,
            min: fields.number("min")?,
            worst_chunk: fields.number("worst_chunk")?,
        })
    }
}

fn chunks_text(chunks: &[ProvenanceChunk]) -> String {
    let line = |c: &ProvenanceChunk| {
        let pieces: Vec<String> = c.pieces.iter().map(|p| format!("{}:{}", p.from, p.crf)).collect();
        let ProvenanceChunk { first_frame, frames, start_ms, crf, score, min, .. } = c;
        format!("\n{first_frame},{frames},{start_ms},{crf},{score:.2},{min:.2},{}", pieces.join(" "))
    };
    let lines: String = chunks.iter().map(line).collect();
    format!("{CHUNKS_HEAD}\n{},{PIECES}{lines}", COLUMNS.join(","))
}

fn read_pieces(text: &str) -> Option<Vec<ProvenancePiece>> {
    let piece = |text: &str| {
        let (from, crf) = text.split_once(':')?;
        Some(ProvenancePiece { from: from.parse().ok()?, crf: crf.parse().ok()? })
    };
    text.split_whitespace().map(piece).collect()
}

/// The chunks, if the text is of a version that is known and they follow each other without a gap. Columns may stand in any
/// order and beside others.
fn read_chunks(text: &str) -> Option<Vec<ProvenanceChunk>> {
    let mut lines = text.lines();
    if lines.next()?.trim_end() != CHUNKS_HEAD {
        return None;
    }
    let names: Vec<&str> = lines.next()?.split(',').map(str::trim).collect();
    let mut places = [0; COLUMNS.len()];
    for (place, column) in places.iter_mut().zip(COLUMNS) {
        *place = names.iter().position(|name| *name == column)?;
    }
    // Of a version that had none, where it is not there.
    let pieces = names.iter().position(|name| *name == PIECES);
    let mut next = 0_u64;
    let chunk = |line: &str| {
        let values: Vec<&str> = line.split(',').map(str::trim).collect();
        let [first_frame, frames, start_ms, crf, score, min] = places.map(|place| values.get(place).copied());
        let chunk = ProvenanceChunk {
            first_frame: first_frame?.parse().ok()?,
            frames: frames?.parse().ok().filter(|n| *n > 0)?,
            start_ms: start_ms?.parse().ok()?,
            crf: number(crf?).filter(|crf| (Crf::MIN.as_f64()..=Crf::MAX.as_f64()).contains(crf))?,
            score: number(score?)?,
            min: number(min?)?,
            pieces: read_pieces(pieces.and_then(|place| values.get(place)).copied().unwrap_or_default())?,
        };
        let follows = chunk.first_frame == next;
        next = chunk.first_frame.checked_add(chunk.frames)?;
        follows.then_some(chunk)
    };
    lines.filter(|line| !line.trim().is_empty()).map(chunk).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn chunk(first_frame: u64, frames: u64, quarters: u16) -> ProvenanceChunk {
        let crf = f64::from(quarters) / 4.0;
        let start_ms = first_frame as i64 * 40;
        ProvenanceChunk { first_frame, frames, start_ms, crf, score: 93.07, min: 88.5, pieces: Vec::new() }
    }

    fn hundredths() -> impl Strategy<Value = f64> {
        (-1_000_i32..=10_000).prop_map(|n| f64::from(n) / 100.0)
    }

    fn chunks() -> impl Strategy<Value = Vec<ProvenanceChunk>> {
        let piece = (any::<u64>(), 4_u16..=252)
            .prop_map(|(from, quarters)| ProvenancePiece { from, crf: Crf::from_quarters(quarters).unwrap() });
        let pieces = proptest::collection::vec(piece, 0..4);
        let one = (1..=9_000_u64, any::<i64>(), 100_u16..=6_300, hundredths(), hundredths(), pieces);
        proptest::collection::vec(one, 0..40).prop_map(|all| {
            let mut next = 0;
            let chunk = |(frames, start_ms, crf, score, min, pieces)| {
                let first_frame = next;
                next += frames;
                let crf = f64::from(crf) / 100.0;
                ProvenanceChunk { first_frame, frames, start_ms, crf, score, min, pieces }
            };
            all.into_iter().map(chunk).collect()
        })
    }

    fn targets() -> impl Strategy<Value = ProvenanceTarget> {
        (1.0..99.0, 0.1..5.0, 1..=u32::MAX, "[ -9;-\\[\\]-~ä]{1,20}").prop_map(|(vmaf, tolerance, stride, model)| {
            ProvenanceTarget { vmaf, tolerance, per: "chunk".to_owned(), stride, model }
        })
    }

    prop_compose! {
        fn scores()(all in proptest::array::uniform5(hundredths())) -> ProvenanceScore {
            let [harmonic_mean, mean, p5, min, worst_chunk] = all;
            ProvenanceScore { harmonic_mean, mean, p5, min, worst_chunk }
        }
    }

    proptest! {
        #[test]
        fn what_is_written_is_read(
            words in proptest::option::of(".{1,30}"),
            target in proptest::option::of(targets()),
            score in proptest::option::of(scores()),
            chunks in proptest::option::of(chunks()),
        ) {
            let made = Provenance {
                encoder: words.clone(),
                encoder_settings: words.clone(),
                version: Some("0.1.0".to_owned()),
                settings: words,
                target,
                score,
                chunks,
                unreadable: Vec::new(),
            };
            prop_assert_eq!(Provenance::read(&made.tags()), Some(made));
        }

        #[test]
        fn rubbish_is_named_and_no_error(rubbish in "\\PC*", cut in 0_usize..200, chunks in chunks()) {
            let whole = chunks_text(&chunks);
            let cut = whole.char_indices().nth(cut).map_or(whole.len(), |(at, _)| at);
            let torn = format!("{}{rubbish}{}", &whole[..cut], &whole[cut..]);
            for text in [rubbish.as_str(), torn.as_str()] {
                let tags: Vec<Tag> = NAMES.iter().map(|name| ((*name).to_owned(), text.to_owned())).collect();
                let found = Provenance::read(&tags).unwrap();
                prop_assert_eq!(found.chunks.is_none(), found.unreadable.contains(&CHUNKS));
                // What is read can be written, and is read again as that.
                if let Some(chunks) = found.chunks {
                    let again = read_chunks(&chunks_text(&chunks)).unwrap();
                    prop_assert_eq!(again.len(), chunks.len());
                }
            }
        }
    }

    #[test]
    fn chunks_are_lines_below_a_head_that_names_their_columns() {
        let piece = |from, crf| ProvenancePiece { from, crf: Crf::whole(crf).unwrap() };
        let of_two = ProvenanceChunk { crf: 29.4, pieces: vec![piece(0, 31), piece(7, 27)], ..chunk(240, 17, 100) };
        let chunks = [chunk(0, 240, 125), of_two];
        let text = "drapto chunks 1\nfirst_frame,frames,start_ms,crf,score,min,pieces\n\
                    0,240,0,31.25,93.07,88.50,\n240,17,9600,29.4,93.07,88.50,0:31 7:27";
        assert_eq!(chunks_text(&chunks), text);
        // Of a film of six hours and of a later drapto.
        let many: Vec<_> = (0..1500).map(|n| chunk(n * 360, 360, 100)).collect();
        assert!(chunks_text(&many).len() < 64 << 10, "{}", chunks_text(&many).len());
        let later = "drapto chunks 1\r\nnew,min,score,crf,start_ms,frames,first_frame\r\nx,88.50,93.07,25,0,7,0\r\n";
        assert_eq!(read_chunks(later), Some(vec![chunk(0, 7, 100)]));
    }

    #[test]
    fn what_cannot_be_read_of_chunks() {
        let head = "drapto chunks 1\nfirst_frame,frames,start_ms,crf,score,min\n";
        assert_eq!(read_chunks(head), Some(Vec::new()));
        for wrong in ["0,7,0,25,93", "0,7,0,64,93,88", "0,0,0,25,93,88", "1,7,0,25,93,88", "0,7,0,25,NaN,88"] {
            assert_eq!(read_chunks(&format!("{head}{wrong}")), None, "{wrong}");
        }
        assert_eq!(read_chunks(&format!("{head}0,7,0,25,93,88\n8,7,0,25,93,88")), None, "a gap");
        let last = format!("{head}0,18446744073709551615,0,25,93,88\n18446744073709551615,7,0,25,93,88");
        assert_eq!(read_chunks(&last), None, "more frames than can be counted");
        assert_eq!(read_chunks(&head.replace("chunks 1", "chunks 2")), None);
        assert_eq!(read_chunks(&head.replace("crf", "qp")), None);
    }

    #[test]
    fn a_track_that_says_nothing_of_us_was_not_encoded_here() {
        let foreign = [("ENCODER".to_owned(), "Lavc60 libx264".to_owned())];
        assert_eq!(Provenance::read(&foreign), None);
    }

    #[test]
    fn parameters_go_into_a_file_once_each_and_without_paths() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let given = [
            pair("tune", "0"),
            pair("fgs-table", "mine.tbl"),
            pair("x", "/home/me"),
            pair("y", r"C:\me"),
            pair("tune", "1"),
        ];
        let said = parameters_said(&given);
        assert_eq!(said, [pair("fgs-table", "(file)"), pair("x", "(file)"), pair("y", "(file)"), pair("tune", "1")]);
    }
}
