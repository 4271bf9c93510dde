//! The stage of one audio track: decode, resample, encode.

use std::sync::Arc;

use super::mux::MuxMessage;
use super::queue::{Receiver, Sender};
use super::stage::StageMeter;
use super::tally::{AudioFindings, Tally};
use crate::audio::AudioEncoder;
use crate::av::InputPacket;
use crate::base::{Result, Span, Timestamp};
use crate::media::Packet;
use crate::source::AudioDecoder;

pub(crate) struct Sound {
    pub(crate) stream: usize,
    pub(crate) track: usize,
    pub(crate) decoder: AudioDecoder,
    /// Taken when the stream ends.
    pub(crate) encoder: Option<AudioEncoder>,
    pub(crate) packets: Receiver<InputPacket>,
    pub(crate) mux: Sender<MuxMessage>,
    pub(crate) tally: Arc<Tally>,
}

impl Sound {
    pub(crate) fn run(&mut self, meter: &StageMeter) -> Result<()> {
        let stream = self.stream;
        self.encode(meter).map_err(|e| e.with_stream(stream))
    }

    fn encode(&mut self, meter: &StageMeter) -> Result<()> {
        let Some(mut encoder) = self.encoder.take() else { return Ok(()) };
        let pre_skip = Span::new(
            i64::from(encoder.pre_skip()),
            crate::base::Rational::positive(1, 48_000).unwrap_or(crate::base::Rational::MILLI),
        );
        let mut start: Option<Timestamp> = None;
        let (mux, track) = (&self.mux, self.track);
        let mut sink = |packet: Packet| {
            start.get_or_insert_with(|| packet.pts.plus(pre_skip));
            meter.item();
            mux.send(MuxMessage::Packet { track, packet })
        };
        while let Some(packet) = self.packets.receive()? {
            self.decoder.send(&packet)?;
            while let Some(sound) = self.decoder.receive() {
                encoder.push(sound, &mut sink)?;
            }
        }
        self.decoder.finish()?;
        while let Some(sound) = self.decoder.receive() {
            encoder.push(sound, &mut sink)?;
        }
        let stats = encoder.finish(&mut sink)?;
        self.mux.send(MuxMessage::End { track })?;
        let (damaged_packets, _) = self.decoder.damage();
        let findings = AudioFindings { stats: Some(stats), start, damaged_packets, ..AudioFindings::default() };
        self.tally.lock().audio.insert(self.stream, findings);
        Ok(())
    }
}
