//! The last stage: packets of all tracks into the file.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use super::progress::Progress;
use crate::base::{Error, ErrorKind, Result, Span, Timestamp};
use crate::container::{Format, Interleaver, MuxStats, Muxer, muxer};
use crate::flow::{Nothing, Out, Outlet, Stage, Weighed};
use crate::media::{FileParams, Packet, TrackKind, VideoTrackParams};

/// What the stages before tell the muxer.
#[derive(Clone, Debug)]
pub(crate) enum MuxMessage {
    /// What only the encoder knows of the video track. Nothing is written before it came.
    VideoHeader(Box<VideoTrackParams>),
    Packet {
        track: usize,
        packet: Packet,
    },
    /// Nothing earlier comes on this track any more: the order in the file must not depend on how fast
    /// threads are.
    Advance {
        track: usize,
        time: Timestamp,
    },
    End {
        track: usize,
    },
}

impl MuxMessage {
    fn later(mut self, by: Span) -> Self {
        match &mut self {
            MuxMessage::Packet { packet, .. } => {
                packet.pts = packet.pts.plus(by);
                packet.dts = packet.dts.map(|dts| dts.plus(by));
            }
            MuxMessage::Advance { time, .. } => *time = time.plus(by),
            MuxMessage::VideoHeader(_) | MuxMessage::End { .. } => {}
        }
        self
    }
}

impl Weighed for MuxMessage {
    fn byte_len(&self) -> usize {
        match self {
            MuxMessage::Packet { packet, .. } => packet.data.len(),
            MuxMessage::VideoHeader(_) | MuxMessage::Advance { .. } | MuxMessage::End { .. } => 0,
        }
    }
}

/// A track as the stages see it that fill it: its number in each file that is written.
#[derive(Clone)]
pub(crate) struct TrackOut(pub(crate) Vec<(Outlet<MuxMessage>, usize)>);

impl TrackOut {
    /// Hands `packet` to every file.
    pub(crate) fn packet(&self, packet: Packet) -> Result<()> {
        self.each(|track| MuxMessage::Packet { track, packet: packet.clone() })
    }

    /// Says that nothing earlier comes any more.
    pub(crate) fn advance(&self, time: Timestamp) -> Result<()> {
        self.each(|track| MuxMessage::Advance { track, time })
    }

    /// Says that no packet follows.
    pub(crate) fn end(&self) -> Result<()> {
        self.each(|track| MuxMessage::End { track })
    }

    fn each(&self, message: impl Fn(usize) -> MuxMessage) -> Result<()> {
        self.0.iter().try_for_each(|(mux, track)| mux.send(message(*track)))
    }
}

/// Writes one file.
pub(crate) struct Mux {
    format: Format,
    /// Complete but for the video track's coding.
    params: FileParams,
    video_track: usize,
    /// Added to the times of all packets: where the film begins in this file.
    start: Span,
    path: PathBuf,
    progress: Arc<Progress>,
    phase: MuxPhase,
}

enum MuxPhase {
    /// The video track's coding is not known yet.
    Waiting {
        file: File,
        early: Vec<MuxMessage>,
    },
    Writing(Interleaver<Box<dyn Muxer>>),
    /// Between the two, or after an error.
    Broken,
}

impl Mux {
    pub(crate) fn new(
        format: Format,
        (file, path): (File, PathBuf),
        params: FileParams,
        (video_track, start): (usize, Span),
        progress: Arc<Progress>,
    ) -> Self {
        Mux { format, params, video_track, start, path, progress, phase: MuxPhase::Waiting { file, early: Vec::new() } }
    }

    /// Opens the file, now that all tracks are known, and writes what came before that.
    fn begin(&mut self, video: VideoTrackParams) -> Result<()> {
        let MuxPhase::Waiting { file, early } = std::mem::replace(&mut self.phase, MuxPhase::Broken) else {
            return Ok(());
        };
        if let Some(track) = self.params.tracks.get_mut(self.video_track) {
            track.kind = TrackKind::Video(video);
        }
        let mut order = Interleaver::new(muxer(self.format, file, Some(&self.path), &self.params)?);
        early.into_iter().try_for_each(|message| take(&mut order, message))?;
        self.phase = MuxPhase::Writing(order);
        Ok(())
    }
}

impl Stage for Mux {
    type In = MuxMessage;
    type Out = Nothing;
    type Found = MuxStats;

    fn push(&mut self, message: MuxMessage, _: &mut Out<Nothing>) -> Result<()> {
        match (&mut self.phase, message.later(self.start)) {
            (_, MuxMessage::VideoHeader(video)) => self.begin(*video),
            (MuxPhase::Waiting { early, .. }, message) => {
                early.push(message);
                Ok(())
            }
            (MuxPhase::Writing(order), message) => {
                take(order, message)?;
                self.progress.set_written(order.sink().bytes_written());
                Ok(())
            }
            (MuxPhase::Broken, _) => Ok(()),
        }
    }

    fn finish(self, _: &mut Out<Nothing>) -> Result<MuxStats> {
        let MuxPhase::Writing(order) = self.phase else {
            return Err(Error::new(ErrorKind::Encode, "the encoder ended before it began"));
        };
        let stats = order.finish()?.finish()?;
        self.progress.set_written(stats.bytes);
        Ok(stats)
    }
}

fn take(order: &mut Interleaver<Box<dyn Muxer>>, message: MuxMessage) -> Result<()> {
    match message {
        MuxMessage::Packet { track, packet } => order.push(track, packet),
        MuxMessage::Advance { track, time } => order.advance(track, time),
        MuxMessage::End { track } => order.end_track(track),
        MuxMessage::VideoHeader(_) => Ok(()),
    }
}
