//! The picture track on its way to the muxer, and what verification holds the file to.

use std::sync::Arc;

use super::digest::digest;
use super::mux::MuxMessage;
use super::pairing::{Kept, Paired};
use super::picture::CodedPicture;
use super::progress::Progress;
use crate::base::{Rational, Result, Span, Timestamp};
use crate::flow::{Counted, Out, Stage};
use crate::media::{Color, FieldOrder, HdrStatic, Packet, Shown, VideoInfo, VideoTrackParams};
use crate::syntax::av1;

/// The encoded picture track.
#[derive(Clone, Debug)]
pub(crate) struct VideoFindings {
    pub(crate) width: u32,
    pub(crate) height: u32,
    pub(crate) color: Color,
    pub(crate) hdr: HdrStatic,
    pub(crate) sample_aspect_ratio: Option<Rational>,
    pub(crate) rotation: i32,
    pub(crate) field_order: FieldOrder,
    /// Presentation time of each frame, in the order of the file: what verification holds the file to.
    pub(crate) times: Vec<Timestamp>,
    /// End of the last frame, where its duration is known.
    pub(crate) end: Option<Timestamp>,
    pub(crate) bytes: u64,
    /// Digest of each frame's metadata; see [`message_digest`].
    pub(crate) messages: Vec<u64>,
    /// The Dolby Vision configuration record.
    pub(crate) dolby_vision: Option<[u8; 24]>,
    /// One digest a packet as it was handed to the container and decoded: what is read back has to match.
    pub(crate) digests: Vec<u64>,
}

/// What a video track is, beside what its pictures tell.
#[derive(Clone, Debug)]
pub(crate) struct TrackPlan {
    /// Its number in the file.
    pub(crate) track: usize,
    /// FFmpeg's name of the codec.
    pub(crate) codec: &'static str,
    /// The main video as it is encoded.
    pub(crate) video: VideoInfo,
    /// Dolby Vision configuration record.
    pub(crate) dolby_vision: Option<[u8; 24]>,
}

/// Makes packets of coded pictures: the header of the track from the first, each packet one behind, so that the last one is
/// known as such.
pub(crate) struct TrackStage<K> {
    plan: TrackPlan,
    progress: Arc<Progress>,
    held: Option<(Packet, Option<Span>)>,
    found: Option<VideoFindings>,
    /// The latest time a picture is shown at, so far.
    latest: Option<Timestamp>,
    kept: std::marker::PhantomData<fn(K)>,
}

impl<K: Kept> TrackStage<K> {
    pub(crate) fn new(plan: TrackPlan, progress: Arc<Progress>) -> Self {
        TrackStage { plan, progress, held: None, found: None, latest: None, kept: std::marker::PhantomData }
    }

    fn begin(&mut self, shown: &Shown, config: Option<&[u8]>, first: &[u8], out: &mut Out<MuxMessage>) -> Result<()> {
        let TrackPlan { codec, video, dolby_vision, .. } = &self.plan;
        let mut track = match *codec {
            "av1" => av1::track(first)?,
            codec => VideoTrackParams::new(codec, config.unwrap_or_default().to_vec(), shown.width, shown.height),
        };
        (track.width, track.height, track.color, track.hdr) = (shown.width, shown.height, shown.color, shown.hdr);
        track.sample_aspect_ratio = video.sample_aspect_ratio;
        track.rotation = video.rotation;
        track.stereo_mode = video.stereo_mode;
        track.frame_duration = video.frame_duration.map(|length| Span::new(1, length));
        track.field_order = video.field_order;
        track.dolby_vision = *dolby_vision;
        out.push(MuxMessage::VideoHeader(Box::new(track)))?;
        self.found = Some(VideoFindings {
            width: shown.width,
            height: shown.height,
            color: shown.color,
            hdr: shown.hdr,
            sample_aspect_ratio: video.sample_aspect_ratio,
            rotation: video.rotation,
            field_order: video.field_order,
            times: Vec::new(),
            end: None,
            bytes: 0,
            messages: Vec::new(),
            dolby_vision: *dolby_vision,
            digests: Vec::new(),
        });
        Ok(())
    }
}

impl<K: Kept> Stage for TrackStage<K> {
    type In = CodedPicture<K>;
    type Out = MuxMessage;
    /// `None` where there was no picture.
    type Found = Option<VideoFindings>;
    const COUNTED: Counted = Counted::Taken;

    fn push(&mut self, CodedPicture { first, picture }: CodedPicture<K>, out: &mut Out<MuxMessage>) -> Result<()> {
        let Paired { data, messages, keyframe, dts, kept, .. } = picture;
        let (pts, duration) = (kept.pts(), kept.duration());
        if let Some(first) = first {
            let (shown, config) = *first;
            self.begin(&shown, config.as_deref(), &data, out).map_err(|e| e.at(pts))?;
        }
        if let Some(found) = &mut self.found {
            // The last picture in the file need not be the last that is shown.
            if self.latest.is_none_or(|latest| pts.since(latest).ticks() > 0) {
                self.latest = Some(pts);
                found.end = duration.map(|d| pts.plus(d));
            }
            found.times.push(pts);
            found.digests.push(digest(&data));
            found.messages.push(messages);
            found.bytes += data.len() as u64;
        }
        let mut packet = Packet::new(pts, data);
        (packet.keyframe, packet.dts) = (keyframe, dts);
        if dts.is_some() {
            // The picture that follows in the file is not the one that is shown next.
            packet.duration = duration;
        }
        if let Some((before, _)) = self.held.replace((packet, duration)) {
            out.push(MuxMessage::Packet { track: self.plan.track, packet: before })?;
        }
        self.progress.encoded(1, pts);
        Ok(())
    }

    fn finish(mut self, out: &mut Out<MuxMessage>) -> Result<Option<VideoFindings>> {
        if let Some((mut last, duration)) = self.held.take() {
            // Only the last frame's duration is not told by the frame after it.
            last.duration = duration;
            out.push(MuxMessage::Packet { track: self.plan.track, packet: last })?;
        }
        out.push(MuxMessage::End { track: self.plan.track })?;
        Ok(self.found)
    }
}
