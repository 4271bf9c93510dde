//! Packets in, runs of sound out.

use std::collections::VecDeque;

use super::MAX_ERRORS_A_PACKET;
use crate::av::{Decoder, DecoderOptions, Input, InputPacket, Received};
use crate::base::{Error, ErrorKind, Result};
use crate::media::{Sound, StreamInfo};

/// The decoder of one audio stream. Same law as [`VideoDecoder`](super::VideoDecoder): a damaged packet is
/// counted, not an error; the hole it leaves shows in the timestamps.
pub struct AudioDecoder {
    decoder: Decoder,
    stream: usize,
    ready: VecDeque<Sound>,
    damaged_packets: u64,
    first_error: Option<String>,
}

impl AudioDecoder {
    /// A decoder for the audio stream `stream` of `input`.
    pub fn open(input: &Input, stream: usize) -> Result<Self> {
        // One thread: audio decoders gain nothing from more, and the encoder wants the cores.
        let decoder = Decoder::open(input, stream, DecoderOptions { threads: 1, ..Default::default() })?;
        Ok(AudioDecoder { decoder, stream, ready: VecDeque::new(), damaged_packets: 0, first_error: None })
    }

    /// A decoder for `stream` of `input`, also where the file announces it late: then its packets say all it needs.
    ///
    /// # Errors
    /// `Unsupported` where there is no decoder for it, `Input` for damaged codec parameters.
    pub fn of(input: &Input, stream: &StreamInfo) -> Result<Self> {
        if stream.index < input.stream_count() {
            return Self::open(input, stream.index);
        }
        let channels = stream.audio.as_ref().map_or(2, |audio| audio.channels);
        let decoder = Decoder::by_name(&stream.codec, &stream.extradata, stream.time_base, channels)
            .map_err(|e| e.with_stream(stream.index))?;
        let ready = VecDeque::new();
        Ok(AudioDecoder { decoder, stream: stream.index, ready, damaged_packets: 0, first_error: None })
    }

    /// Decodes one packet; its sound waits for `receive`.
    pub fn send(&mut self, packet: &InputPacket) -> Result<()> {
        if let Err(error) = self.decoder.send(packet) {
            self.damaged(error)?;
        }
        self.drain()
    }

    /// Lets the decoder give out what it holds back.
    pub fn finish(&mut self) -> Result<()> {
        if let Err(error) = self.decoder.send_end() {
            self.damaged(error)?;
        }
        self.drain()
    }

    /// The next run of sound; `None` until more is sent, or at the end after `finish`.
    pub fn receive(&mut self) -> Option<Sound> {
        self.ready.pop_front()
    }

    /// Packets the decoder refused, and the first reason in words.
    pub fn damage(&self) -> (u64, Option<&str>) {
        (self.damaged_packets, self.first_error.as_deref())
    }

    fn drain(&mut self) -> Result<()> {
        let mut errors = 0;
        while errors < MAX_ERRORS_A_PACKET {
            match self.decoder.receive_audio() {
                Ok(Received::Frame(sound)) => self.ready.push_back(sound.into()),
                Ok(Received::NeedsPacket | Received::End) => return Ok(()),
                Err(error) => {
                    errors += 1;
                    self.damaged(error)?;
                }
            }
        }
        Ok(())
    }

    fn damaged(&mut self, error: Error) -> Result<()> {
        if error.kind() != ErrorKind::Input {
            return Err(error);
        }
        self.damaged_packets += 1;
        tracing::warn!(stream = self.stream, %error, "damaged packet");
        self.first_error.get_or_insert_with(|| error.to_string());
        Ok(())
    }
}
