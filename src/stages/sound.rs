//! The stage of one audio track: decode, resample, encode.

use super::mux::TrackOut;
use crate::audio::{AudioEncoder, AudioStats};
use crate::av::InputPacket;
use crate::base::{Error, Result, Span, Timestamp};
use crate::flow::{Counted, Nothing, Out, Stage};
use crate::media::Packet;
use crate::source::AudioDecoder;

/// Encodes the sound of one stream for every file that has it.
pub(crate) struct EncodeSound {
    pub(crate) stream: usize,
    pub(crate) decoder: AudioDecoder,
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
    type Found = AudioFindings;
    const COUNTED: Counted = Counted::Itself;

    fn push(&mut self, packet: InputPacket, out: &mut Out<Nothing>) -> Result<()> {
        let stream = self.stream;
        let place = |e: Error| e.with_stream(stream);
        self.decoder.send(&packet).map_err(place)?;
        self.encode(out).map_err(place)
    }

    fn finish(mut self, out: &mut Out<Nothing>) -> Result<AudioFindings> {
        let stream = self.stream;
        self.end(out).map_err(|e| e.with_stream(stream))?;
        let EncodeSound { decoder, encoder, track, mut start, .. } = self;
        let delay = encoder.delay();
        let mut sink = |packet: Packet| give(packet, delay, &mut start, &track, out);
        let stats = encoder.finish(&mut sink).map_err(|e| e.with_stream(stream))?;
        track.end()?;
        let (damaged_packets, _) = decoder.damage();
        Ok(AudioFindings { stats: Some(stats), start, delay: Some(delay), damaged_packets, ..AudioFindings::default() })
    }
}

impl EncodeSound {
    fn encode(&mut self, out: &mut Out<Nothing>) -> Result<()> {
        let delay = self.encoder.delay();
        while let Some(sound) = self.decoder.receive() {
            let (start, track) = (&mut self.start, &self.track);
            self.encoder.push(sound, &mut |packet| give(packet, delay, start, track, out))?;
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
