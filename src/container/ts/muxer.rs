//! Transport streams behind the trait of all muxers.
#![deny(unsafe_code)]

use std::fs::File;
use std::path::Path;

use super::HALF_AHEAD;
use crate::av::Output;
use crate::base::{Error, ErrorKind, Result};
use crate::container::format::Format;
use crate::container::language::terminological;
use crate::container::mp4::{RisingTicks, timed};
use crate::container::muxer::{Lane, MuxStats, Muxer, TrackCount};
use crate::media::{FileParams, Packet, TrackId, TrackKind};

/// Writes an MPEG transport stream.
///
/// Law: as of [`Muxer`]. H.264 and H.265 come as MP4 has them, behind lengths and with their `avcC` or `hvcC`, and go with start
/// codes, parameter sets before each keyframe and a delimiter before each picture; AAC comes without headers and goes with
/// ADTS. Each packet is a PES packet of its own, so that its time is its own, to a tick of 90 kHz, but for sound of so few
/// bytes that a packet of 188 holds several. All times are later by 0.7 s, as the clock is ahead; times may be before zero by that much. What only other formats have a
/// place for (chapters, tags but the title, titles of tracks) is left out.
pub struct TsMuxer {
    output: Output,
    tracks: Vec<(TrackCount, RisingTicks)>,
}

impl TsMuxer {
    /// Writes the header to `file`, from its start; `path` names it in errors.
    ///
    /// # Errors
    /// `Encode` for tracks, codecs or attachments that transport streams cannot hold; `Output` where the file cannot be
    /// written.
    pub fn new(file: File, path: Option<&Path>, params: &FileParams) -> Result<Self> {
        if let Some(attachment) = params.attachments.first() {
            let message = format!("{} holds no attachment {}", Format::MpegTs.name(), attachment.name);
            return Err(Error::new(ErrorKind::Encode, message));
        }
        let mut params = params.clone();
        (params.chapters, params.editions, params.tags) = (Vec::new(), Vec::new(), Vec::new());
        let mut tracks = Vec::new();
        for (index, track) in params.tracks.iter_mut().enumerate() {
            let refuse = |why: String| Error::new(ErrorKind::Encode, why).with_stream(index);
            let codec = track.codec().name();
            let name = Format::MpegTs.name();
            match &track.kind {
                TrackKind::Video(video) if !Format::MpegTs.holds_video(codec) => {
                    return Err(refuse(format!("{name} cannot carry {}", video.codec.name())));
                }
                TrackKind::Video(video) if video.configuration.first() != Some(&1) => {
                    return Err(refuse(format!("{name} is made of an avcC or hvcC record, not of start codes")));
                }
                TrackKind::Video(video) if video.rotation != 0 => {
                    return Err(refuse(format!("{name} cannot say that the picture is turned")));
                }
                TrackKind::Audio(_) if !Format::MpegTs.holds_sound(codec) => {
                    return Err(refuse(format!("{name} cannot carry sound in {codec}")));
                }
                TrackKind::Subtitle(_) => return Err(refuse(format!("{name} holds no subtitles here"))),
                _ => {}
            }
            tracks.push((TrackCount::of(track), RisingTicks::default()));
            track.language = track.language.as_deref().map(terminological);
            (track.title, track.tags) = (None, Vec::new());
        }
        // The clock with every picture: by its own choice the muxer may let three of a second's 24 pass.
        let options = [(c"pes_payload_size", c"0"), (c"max_delay", HALF_AHEAD), (c"pcr_period", c"20")];
        let output = Output::create(file, path, c"mpegts", &params, &options, &[])?;
        Ok(TsMuxer { output, tracks })
    }
}

impl Muxer for TsMuxer {
    fn lanes(&self) -> Vec<Lane> {
        // Times are stored as they are, without a codec delay.
        self.tracks.iter().map(|_| Lane { gating: true, delay_ns: 0 }).collect()
    }

    fn write(&mut self, track: TrackId, packet: &Packet) -> Result<()> {
        let Some((count, decoded)) = self.tracks.get_mut(track.0) else {
            let why = format!("no track {}, there are {}", track.0 + 1, self.tracks.len());
            return Err(Error::new(ErrorKind::Encode, why).at(packet.pts));
        };
        if packet.additional.is_some() {
            let why = format!("{} has no place for bytes beside a packet", Format::MpegTs.name());
            return Err(Error::new(ErrorKind::Encode, why).with_stream(track.0).at(packet.pts));
        }
        count.packet(packet, packet.data.len());
        let timed = match self.output.time_base(track) {
            Some(base) => timed(packet, base, decoded),
            None => packet.clone(),
        };
        self.output.write(track, &timed, &packet.data)
    }

    fn bytes_written(&self) -> u64 {
        self.output.bytes_written()
    }

    fn finish(self: Box<Self>) -> Result<MuxStats> {
        let bytes = self.output.finish()?;
        let counts: Vec<TrackCount> = self.tracks.into_iter().map(|(count, _)| count).collect();
        Ok(MuxStats::of(&counts, bytes))
    }
}
