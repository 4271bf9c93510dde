//! The last stage: packets of all tracks into the file.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::queue::{Receiver, Weighed};
use super::stage::StageMeter;
use super::tally::Tally;
use crate::base::{Error, ErrorKind, Result, Timestamp};
use crate::container::{Format, Interleaver, Muxer, muxer};
use crate::media::{FileParams, Packet, TrackKind, VideoTrackParams};

/// What the stages before tell the muxer.
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

impl Weighed for MuxMessage {
    fn byte_len(&self) -> usize {
        match self {
            MuxMessage::Packet { packet, .. } => packet.data.len(),
            MuxMessage::VideoHeader(_) | MuxMessage::Advance { .. } | MuxMessage::End { .. } => 0,
        }
    }
}

pub(crate) struct Mux {
    pub(crate) messages: Receiver<MuxMessage>,
    /// Complete but for the video track's coding.
    pub(crate) header: FileParams,
    pub(crate) video_track: usize,
    pub(crate) file: Option<File>,
    pub(crate) path: PathBuf,
    pub(crate) tally: Arc<Tally>,
}

impl Mux {
    pub(crate) fn run(&mut self, meter: &StageMeter) -> Result<()> {
        let mut early = Vec::new();
        let video = loop {
            match self.messages.receive()? {
                Some(MuxMessage::VideoHeader(video)) => break video,
                Some(other) => early.push(other),
                None => return Err(Error::new(ErrorKind::Encode, "the encoder ended before it began")),
            }
        };
        if let Some(track) = self.header.tracks.get_mut(self.video_track) {
            track.kind = TrackKind::Video(*video);
        }
        let file = self.file.take().ok_or_else(|| Error::new(ErrorKind::Encode, "the output is closed"))?;
        let mut order = Interleaver::new(muxer(Format::Matroska, file, Some(&self.path), &self.header)?);
        for message in early {
            self.take(&mut order, message, meter)?;
        }
        while let Some(message) = self.messages.receive()? {
            self.take(&mut order, message, meter)?;
        }
        let stats = order.finish()?.finish()?;
        self.tally.bytes.store(stats.bytes, Ordering::Relaxed);
        self.tally.lock().mux = Some(stats);
        Ok(())
    }

    fn take(&self, order: &mut Interleaver<Box<dyn Muxer>>, message: MuxMessage, meter: &StageMeter) -> Result<()> {
        match message {
            MuxMessage::Packet { track, packet } => {
                order.push(track, packet)?;
                self.tally.bytes.store(order.sink().bytes_written(), Ordering::Relaxed);
            }
            MuxMessage::Advance { track, time } => order.advance(track, time)?,
            MuxMessage::End { track } => order.end_track(track)?,
            MuxMessage::VideoHeader(_) => {}
        }
        meter.item();
        Ok(())
    }
}
