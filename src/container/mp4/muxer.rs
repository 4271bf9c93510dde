//! MP4 behind the trait of all muxers.
#![deny(unsafe_code)]

use std::fs::File;
use std::path::Path;

use super::rising::{RisingTicks, timed};
use super::tags::placed;
use super::timed_text::{CueMerger, ShownText, timed_text, timed_text_style};
use crate::av::{CoverPicture, Output};
use crate::base::{Error, ErrorKind, Result, Timestamp};
use crate::container::cover::cover_picture;
use crate::container::format::Format;
use crate::container::language::terminological;
use crate::container::muxer::{Lane, MuxStats, Muxer, TrackCount};
use crate::media::{Attachment, FileParams, Packet, PacketData, StreamKind, SubtitleTrackParams, TrackId, TrackKind};
use crate::syntax::av1::block_data;
use crate::syntax::nal::{self, Framing};

/// How an MP4 is laid out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mp4Options {
    /// The index before the media, so that playback over a network starts at once. It is moved there at the end, by reading
    /// the whole file back under its name: the muxer has to be given the path, and the file has to be readable.
    pub index_first: bool,
}

/// Writes an MP4 file.
///
/// Law: as of [`Muxer`]. AV1 loses its delimiters and H.264 with start codes gets lengths; a track of it needs its `avcC`
/// ([`avcc`](crate::syntax::nal::avcc)). SubRip's text becomes `mov_text`, pictures that are attached become covers, and of
/// tags those are written that have a place (see [`placed`]).
pub struct Mp4Muxer {
    output: Output,
    tracks: Vec<MuxTrack>,
}

struct MuxTrack {
    count: TrackCount,
    form: Form,
    cues: CueMerger,
    decoded: RisingTicks,
}

/// What is done to packets before they are stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Form {
    AsIs,
    Av1,
    AnnexB,
    /// Text without a length before it.
    Text,
}

impl Mp4Muxer {
    /// Writes the header to `file`, from its start; `path` names it in errors.
    ///
    /// # Errors
    /// `Encode` for tracks, codecs or attachments that MP4 cannot hold, or H.264 without `avcC`; `Output` where the file
    /// cannot be written; `Usage` where the index is to be first and there is no path.
    pub fn new(file: File, path: Option<&Path>, params: &FileParams, options: Mp4Options) -> Result<Self> {
        if let Some(other) = params.attachments.iter().find(|a| !Format::Mp4.holds_attachment(&a.mime)) {
            return Err(Error::new(ErrorKind::Encode, format!("MP4 holds no attachment {}", other.name)));
        }
        if options.index_first && path.is_none() {
            return Err(Error::new(ErrorKind::Usage, "an index before the media needs the file's path"));
        }
        let mut params = params.clone();
        let mut tracks = Vec::new();
        for (index, track) in params.tracks.iter_mut().enumerate() {
            let refuse = |why: &str| Error::new(ErrorKind::Encode, why).with_stream(index);
            let codec = track.codec().name();
            let form = match (&track.kind, codec) {
                (TrackKind::Video(video), "h264" | "hevc") if video.configuration.first() != Some(&1) => {
                    return Err(refuse("MP4 needs an avcC or hvcC record, not start codes"));
                }
                // Where packets have start codes all the same is seen on each.
                (TrackKind::Video(_), "h264") => Form::AnnexB,
                (TrackKind::Video(_), "av1") => Form::Av1,
                (TrackKind::Subtitle(_), "mov_text") => Form::AsIs,
                (TrackKind::Subtitle(_), "subrip") => Form::Text,
                (TrackKind::Subtitle(_), _) => return Err(refuse("MP4 holds subtitles as mov_text only")),
                _ => Form::AsIs,
            };
            if form == Form::Text {
                track.kind = TrackKind::Subtitle(SubtitleTrackParams::new("mov_text", timed_text_style()));
            }
            let count = TrackCount::of(track);
            tracks.push(MuxTrack { count, form, cues: CueMerger::default(), decoded: RisingTicks::default() });
            track.language = track.language.as_deref().map(terminological);
        }
        params.tags = placed(&params.tags).0.into_iter().map(|(name, value)| (name.to_owned(), value)).collect();
        let flags = if options.index_first { c"+faststart" } else { c"-faststart" };
        // The clock of the edit lists: a common multiple of frame rates and sample rates would be too fine for 32 bits.
        let options = [(c"movflags", flags), (c"movie_timescale", c"90000")];
        let covers: Vec<CoverPicture<'_>> = params.attachments.iter().map(cover).collect();
        let output = Output::create(file, path, c"mp4", &params, &options, &covers)?;
        Ok(Mp4Muxer { output, tracks })
    }
}

impl Mp4Muxer {
    /// Writes text that is not shown any more at `now`, so that it stands in the file where it was shown.
    fn write_ended_text(&mut self, now: Timestamp) -> Result<()> {
        for track in 0..self.tracks.len() {
            let shown = self.tracks[track].cues.ended(now);
            self.write_text(TrackId(track), shown)?;
        }
        Ok(())
    }

    /// Writes what a track of text shows.
    fn write_text(&mut self, track: TrackId, shown: Vec<ShownText>) -> Result<()> {
        for (start, length, text) in shown {
            let place = |e: Error| e.with_stream(track.0).at(start);
            let sample = timed_text(text.as_bytes()).map_err(place)?;
            let mut packet = Packet::new(start, PacketData::new(Vec::new()));
            packet.duration = length;
            if let Some(state) = self.tracks.get_mut(track.0) {
                state.count.packet(&packet, sample.len());
            }
            self.output.write(track, &packet, &sample)?;
        }
        Ok(())
    }
}

impl Muxer for Mp4Muxer {
    fn lanes(&self) -> Vec<Lane> {
        // Times are stored as they are, without a codec delay.
        let lane = |t: &MuxTrack| Lane { gating: t.count.kind() != StreamKind::Subtitle, delay_ns: 0 };
        self.tracks.iter().map(lane).collect()
    }

    fn write(&mut self, track: TrackId, packet: &Packet) -> Result<()> {
        let refuse = |e: Error| e.with_stream(track.0).at(packet.pts);
        let Some(state) = self.tracks.get_mut(track.0) else {
            let why = format!("no track {}, there are {}", track.0 + 1, self.tracks.len());
            return Err(Error::new(ErrorKind::Encode, why).at(packet.pts));
        };
        if packet.additional.is_some() {
            return Err(refuse(Error::new(ErrorKind::Encode, "MP4 has no place for bytes beside a packet")));
        }
        let stored = match state.form {
            Form::Av1 => block_data(&packet.data).map_err(refuse)?,
            Form::Text => {
                let text = String::from_utf8_lossy(&packet.data).into_owned();
                let shown = state.cues.push(packet.pts, packet.duration, text);
                return self.write_text(track, shown);
            }
            Form::AnnexB if has_start_codes(&packet.data) => nal::h264_to_lengths(&packet.data).map_err(refuse)?.into(),
            Form::AnnexB | Form::AsIs => std::borrow::Cow::Borrowed(&*packet.data),
        };
        state.count.packet(packet, stored.len());
        let timed = match self.output.time_base(track) {
            Some(base) => timed(packet, base, &mut state.decoded),
            None => packet.clone(),
        };
        self.output.write(track, &timed, &stored)?;
        self.write_ended_text(packet.dts.unwrap_or(packet.pts))
    }

    fn bytes_written(&self) -> u64 {
        self.output.bytes_written()
    }

    fn finish(mut self: Box<Self>) -> Result<MuxStats> {
        for track in 0..self.tracks.len() {
            let shown = self.tracks[track].cues.finish();
            self.write_text(TrackId(track), shown)?;
        }
        let bytes = self.output.finish()?;
        let counts: Vec<TrackCount> = self.tracks.into_iter().map(|t| t.count).collect();
        Ok(MuxStats::of(&counts, bytes))
    }
}

/// An attachment as a cover, also one whose head cannot be read: nobody stores its size, but libavformat wants one.
fn cover(attachment: &Attachment) -> CoverPicture<'_> {
    let codec = if attachment.mime == "image/png" { "png" } else { "mjpeg" };
    cover_picture(attachment).unwrap_or(CoverPicture { codec, width: 1, height: 1, data: &attachment.data })
}

/// Whether H.264 comes with start codes: as lengths the same bytes would name units of 1 byte, or of 256 and more that
/// end elsewhere than the packet does.
fn has_start_codes(data: &[u8]) -> bool {
    if !(data.starts_with(&[0, 0, 0, 1]) || data.starts_with(&[0, 0, 1])) {
        return false;
    }
    nal::units(data, Framing::Lengths(4)).last().is_none_or(|unit| unit.whole.end != data.len())
}
