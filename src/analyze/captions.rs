//! Closed captions that travel inside the pictures (ATSC A/53 Part 4, 6.2.3), as text.
//!
//! What is read are the line 21 captions of both fields (CTA-608-E) that libavcodec's decoder knows: the first channel
//! of a field, pop-on, paint-on and roll-up. Second channels (CC2, CC4) and text services are not told apart by that
//! decoder. CTA-708 services are read by [`super::services`].
#![deny(unsafe_code)]

use std::path::Path;

use super::services::{DigitalCaptions, VALID};
use crate::av::{SubtitleConverter, SubtitleCue, VideoFrame};
use crate::base::{CancelToken, Error, ErrorKind, Rational, Result, Span, Timestamp};
use crate::media::Frame;
use crate::source::{Pictures, decoder_options};

/// What `cc_type` says of a construct (ANSI/SCTE 128-1, table 14): line 21 of field 1 or 2, else CTA-708.
const FIELDS: [(u8, &str); 2] = [(0, "cc1"), (1, "cc3")];
/// Nothing, with odd parity: what fills line 21 between captions.
const PADDING: [u8; 2] = [0x80, 0x80];

/// The captions of one field.
#[derive(Clone, Debug)]
pub struct CaptionTrack {
    /// `cc1` for the first field, `cc3` for the second, `service1` and so on for digital services.
    pub channel: &'static str,
    /// In order; one at least.
    pub cues: Vec<SubtitleCue>,
}

/// All captions of a film.
#[derive(Clone, Debug, Default)]
pub struct Captions {
    /// Fields that have any.
    pub tracks: Vec<CaptionTrack>,
    /// Packets with CTA-708 services beyond the sixth, which are not read.
    pub further: u64,
    /// Captions that are damaged, and the first reason.
    pub damaged: Option<(u64, String)>,
}

/// Decodes stream `stream` of the film at `path` for its captions.
///
/// # Errors
/// `Input` and `Unsupported` for films that cannot be decoded; `Interrupted`.
pub fn captions(path: &Path, stream: usize, cancel: &CancelToken) -> Result<Captions> {
    let mut pictures = Pictures::open(path, |_| Some(stream), decoder_options(), cancel)?;
    let base = pictures.info().streams.get(stream).map_or(Rational::MILLI, |s| s.time_base);
    let mut fields = Vec::new();
    for (kind, channel) in FIELDS {
        fields.push(CaptionField {
            kind,
            channel,
            converter: SubtitleConverter::captions(kind, base)?,
            cues: Vec::new(),
        });
    }
    let mut digital = DigitalCaptions::default();
    let mut found = Captions::default();
    let mut end = Timestamp::new(0, base);
    while let Some(frame) = pictures.next()? {
        cancel.check()?;
        end = frame.duration.map_or(frame.pts, |length| frame.pts.plus(length));
        let Some(constructs) = of_picture(&frame) else { continue };
        found.tolerate(digital.read(constructs, frame.pts))?;
        for field in &mut fields {
            let read = field.read(constructs, frame.pts);
            found.tolerate(read)?;
        }
    }
    for mut field in fields {
        let read = field.converter.finish().map(|cues| field.cues.extend(cues));
        found.tolerate(read)?;
        if !field.cues.is_empty() {
            let CaptionField { channel, cues, .. } = field;
            found.tracks.push(CaptionTrack { channel, cues: closed(cues, end) });
        }
    }
    found.further = digital.further;
    found.tracks.extend(digital.finish(end).into_iter().map(|(channel, cues)| CaptionTrack { channel, cues }));
    Ok(found)
}

impl Captions {
    /// Counts damage, which ends nothing.
    fn tolerate(&mut self, read: Result<()>) -> Result<()> {
        match read {
            Err(error) if error.kind() == ErrorKind::Input => {
                self.damaged.get_or_insert_with(|| (0, Error::to_string(&error))).0 += 1;
                Ok(())
            }
            other => other,
        }
    }
}

struct CaptionField {
    kind: u8,
    channel: &'static str,
    converter: SubtitleConverter,
    cues: Vec<SubtitleCue>,
}

impl CaptionField {
    fn read(&mut self, constructs: &[u8], time: Timestamp) -> Result<()> {
        let constructs = constructs.as_chunks::<3>().0.iter();
        let own = constructs.filter(|c| c[0] & VALID != 0 && c[0] & 3 == self.kind && c[1..] != PADDING);
        let own: Vec<u8> = own.flatten().copied().collect();
        if !own.is_empty() {
            self.cues.extend(self.converter.convert_captions(&own, time)?);
        }
        Ok(())
    }
}

fn of_picture(frame: &Frame) -> Option<&[u8]> {
    frame.planes.as_any().downcast_ref::<VideoFrame>()?.captions()
}

/// The same cues, those without an end up to the next one, or to the end of the film.
fn closed(mut cues: Vec<SubtitleCue>, end: Timestamp) -> Vec<SubtitleCue> {
    let mut next = end;
    for cue in cues.iter_mut().rev() {
        let rest = Span::new(next.as_nanos().saturating_sub(cue.start.as_nanos()), Rational::NANO);
        cue.duration = cue.duration.or(Some(rest));
        next = cue.start;
    }
    cues
}

/// Cues as a SubRip file, all times moved by `by`.
pub fn to_srt(cues: &[SubtitleCue], by: Span) -> Vec<u8> {
    let mut out = Vec::new();
    for (number, cue) in cues.iter().enumerate() {
        let start = cue.start.plus(by);
        let end = cue.duration.map_or(start, |length| start.plus(length));
        out.extend(format!("{}\n{} --> {}\n", number + 1, srt_time(start), srt_time(end)).into_bytes());
        out.extend(&cue.text);
        out.extend(b"\n\n");
    }
    out
}

fn srt_time(time: Timestamp) -> String {
    let ms = time.as_nanos().max(0).saturating_add(500_000) / 1_000_000;
    let (s, ms) = (ms / 1000, ms % 1000);
    format!("{:02}:{:02}:{:02},{ms:03}", s / 3600, s / 60 % 60, s % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn cue(start: i64, duration: Option<i64>) -> SubtitleCue {
        let ms = |ticks| Span::new(ticks, Rational::MILLI);
        SubtitleCue { start: Timestamp::new(start, Rational::MILLI), duration: duration.map(ms), text: b"a".to_vec() }
    }

    #[test]
    fn a_cue_without_an_end_ends_at_the_next_one_or_with_the_film() {
        let cues = closed(vec![cue(0, Some(5)), cue(10, None), cue(30, None)], Timestamp::new(50, Rational::MILLI));
        let text = String::from_utf8(to_srt(&cues, Span::new(3_600_000, Rational::MILLI))).unwrap();
        let times: Vec<_> = text.lines().filter(|line| line.contains("-->")).collect();
        let wanted =
            ["01:00:00,000 --> 01:00:00,005", "01:00:00,010 --> 01:00:00,030", "01:00:00,030 --> 01:00:00,050"];
        assert_eq!(times, wanted);
        assert!(text.starts_with("1\n") && text.ends_with("a\n\n"), "{text}");
    }
}
