//! The stage of one audio track: decode, resample, encode.

use super::mux::TrackOut;
use crate::audio::{AudioEncoder, AudioStats};
use crate::av::InputPacket;
use crate::base::{Error, Result, Span, Timestamp};
use crate::flow::{Counted, Nothing, Out, Stage};
use crate::media::Packet;
use crate::source::AudioDecoder;

/// Encodes the sound of one stream, decoded once, for every file that has it.
pub(crate) struct EncodeSound {
    pub(crate) stream: usize,
    pub(crate) decoder: AudioDecoder,
    /// One for each treatment of it.
    pub(crate) encoders: Vec<SoundOut>,
}

/// One treatment of a stream's sound, for the files that want that.
pub(crate) struct SoundOut {
    pub(crate) encoder: AudioEncoder,
    pub(crate) track: TrackOut,
    /// Time of the first sample that is heard.
    pub(crate) start: Option<Timestamp>,
}

/// One audio track.
#[derive(Clone, Debug, Default)]
pub(crate) struct AudioFindings {
    /// For encoded tracks.
    pub(crate) stats: Option<AudioStats>,
    /// Time of the first sample that is heard.
    pub(crate) start: Option<Timestamp>,
    /// What is decoded of an encoded track before that.
    pub(crate) delay: Option<Span>,
    /// Packets the decoder refused.
    pub(crate) damaged_packets: u64,
    /// Packets before the start of the film, which Matroska cannot carry.
    pub(crate) skipped_packets: u64,
    /// Packets copied.
    pub(crate) packets: u64,
}

impl Stage for EncodeSound {
    type In = InputPacket;
    type Out = Nothing;
    /// By encoder.
    type Found = Vec<AudioFindings>;
    const COUNTED: Counted = Counted::Itself;

    fn push(&mut self, packet: InputPacket, out: &mut Out<Nothing>) -> Result<()> {
        let stream = self.stream;
        let place = |e: Error| e.with_stream(stream);
        self.decoder.send(&packet).map_err(place)?;
        self.encode(out).map_err(place)
    }

    fn finish(mut self, out: &mut Out<Nothing>) -> Result<Vec<AudioFindings>> {
        let stream = self.stream;
        self.end(out).map_err(|e| e.with_stream(stream))?;
        let (damaged_packets, _) = self.decoder.damage();
        let finish = |to: SoundOut| {
            let SoundOut { encoder, track, mut start } = to;
            let delay = encoder.delay();
            let mut sink = |packet: Packet| give(packet, delay, &mut start, &track, out);
            let stats = encoder.finish(&mut sink).map_err(|e| e.with_stream(stream))?;
            track.end()?;
            let (stats, delay) = (Some(stats), Some(delay));
            Ok(AudioFindings { stats, start, delay, damaged_packets, ..AudioFindings::default() })
        };
        self.encoders.into_iter().map(finish).collect()
    }
}

impl EncodeSound {
    fn encode(&mut self, out: &mut Out<Nothing>) -> Result<()> {
        while let Some(sound) = self.decoder.receive() {
            for SoundOut { encoder, track, start } in &mut self.encoders {
                let delay = encoder.delay();
                encoder.push(sound.clone(), &mut |packet| give(packet, delay, start, track, out))?;
            }
        }
        Ok(())
    }

    fn end(&mut self, out: &mut Out<Nothing>) -> Result<()> {
        self.decoder.finish()?;
        self.encode(out)
    }
}

fn give(
    packet: Packet,
    delay: Span,
    start: &mut Option<Timestamp>,
    track: &TrackOut,
    out: &Out<Nothing>,
) -> Result<()> {
    start.get_or_insert_with(|| packet.pts.plus(delay));
    out.context().item();
    track.packet(packet)
}
