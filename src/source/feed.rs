//! One stream of pictures, whichever decoder they come from.
//!
//! While hardware decodes, the packets it may still be asked for again are kept. When it fails, for whatever reason,
//! a decoder in software gets them again, what was given out before is left out, and it decodes the rest. The
//! pictures are those that software alone would have given.
#![deny(unsafe_code)]

use std::collections::VecDeque;

use super::MAX_ERRORS_A_PACKET;
use super::hwaccel::{HardwareUse, VideoOptions};
use super::replay::{Given, ReplayWindow};
use crate::av::{CodecParameters, Decoder, Input, InputPacket, Received, VideoFrame};
use crate::base::{Error, ErrorKind, Result};

/// Packets that are kept for a replay: two groups of pictures and what decoders hold back, at the bit rates of discs.
const MAX_WINDOW_BYTES: usize = 64 << 20;

/// A decoder of pictures: [`Decoder`], whose law holds here too, or one made to fail by a test.
pub(super) trait Coder: Send {
    fn name(&self) -> &str;
    fn send(&mut self, packet: &InputPacket) -> Result<()>;
    fn send_end(&mut self) -> Result<()>;
    fn receive(&mut self) -> Result<Received<VideoFrame>>;
    fn reorder_delay(&self) -> u32;
}

impl Coder for Decoder {
    fn name(&self) -> &str {
        self.name()
    }

    fn send(&mut self, packet: &InputPacket) -> Result<()> {
        self.send(packet)
    }

    fn send_end(&mut self) -> Result<()> {
        self.send_end()
    }

    fn receive(&mut self) -> Result<Received<VideoFrame>> {
        self.receive_video()
    }

    fn reorder_delay(&self) -> u32 {
        self.reorder_delay()
    }
}

/// Opens decoders of one stream.
pub(super) trait Opener: Send {
    /// One in software, that holds back at least `reorder` pictures.
    fn software(&self, reorder: u32) -> Result<Box<dyn Coder>>;
    /// The names of what hardware to try, in that order.
    fn hardware(&self) -> Vec<&'static str>;
    /// One on the hardware with that place in the list.
    fn open_hardware(&self, place: usize) -> Result<Box<dyn Coder>>;
    /// Whether hardware that does not open is worth a warning: not where anything would do.
    fn warns_of_opening(&self) -> bool {
        true
    }
    /// Bytes of packets to keep for a replay at most.
    fn window_bytes(&self) -> usize {
        MAX_WINDOW_BYTES
    }
}

/// The decoders of libavcodec.
struct Decoders {
    parameters: CodecParameters,
    options: VideoOptions,
}

impl Opener for Decoders {
    fn software(&self, reorder: u32) -> Result<Box<dyn Coder>> {
        Ok(Box::new(self.parameters.decoder(self.options.decoder, reorder)?))
    }

    fn hardware(&self) -> Vec<&'static str> {
        self.options.hwaccel.candidates().into_iter().map(|h| h.name()).collect()
    }

    fn warns_of_opening(&self) -> bool {
        self.options.hwaccel != HardwareUse::Auto
    }

    fn open_hardware(&self, place: usize) -> Result<Box<dyn Coder>> {
        let hardware = self.options.hwaccel.candidates()[place];
        Ok(Box::new(self.parameters.hardware_decoder(self.options.decoder, hardware)?))
    }
}

/// What came of a packet.
pub(super) enum FeedEvent {
    Picture(VideoFrame),
    /// A decoder's error, which is damage or worse.
    Error(Error),
}

/// Packets in, pictures and damage out: after each `send` and after `finish`, `next` until `None`.
pub(super) struct DecodeFeed {
    opener: Box<dyn Opener>,
    coder: Box<dyn Coder>,
    mode: Mode,
    events: VecDeque<FeedEvent>,
    /// The tag of the last packet.
    tag: u64,
    /// Hardware that was not tried yet: from this place in the opener's list on.
    untried: usize,
    /// Why hardware does not decode any more, one reason for each that was tried.
    failures: Vec<String>,
    /// Whether any opened.
    opened: bool,
}

enum Mode {
    Software(Resumed),
    Hardware(&'static str, ReplayWindow),
}

/// Where software goes on after a failure.
#[derive(Default)]
struct Resumed {
    given: Given,
    /// Before the first picture of a replay from the middle, errors come of what the replay lacks.
    forgives: bool,
}

impl DecodeFeed {
    /// For stream `index` of `input`.
    pub(super) fn open(input: &Input, index: usize, options: VideoOptions) -> Result<Self> {
        Self::with(Box::new(Decoders { parameters: CodecParameters::of(input, index)?, options }))
    }

    pub(super) fn with(opener: Box<dyn Opener>) -> Result<Self> {
        let (mut untried, mut failures) = (0, Vec::new());
        let (coder, mode) = match next_hardware(opener.as_ref(), &mut untried, &mut failures) {
            Some((name, coder)) => (coder, Mode::Hardware(name, ReplayWindow::default())),
            None => (opener.software(0)?, Mode::Software(Resumed::default())),
        };
        let opened = matches!(mode, Mode::Hardware(..));
        let feed = DecodeFeed { opener, coder, mode, events: VecDeque::new(), tag: 0, untried, failures, opened };
        if let (Mode::Software(_), Some(warning)) = (&feed.mode, feed.warning()) {
            tracing::debug!("{warning}");
        }
        Ok(feed)
    }

    /// The decoder's name in FFmpeg.
    pub(super) fn decoder_name(&self) -> &str {
        self.coder.name()
    }

    /// The hardware that decodes.
    pub(super) fn hardware(&self) -> Option<&'static str> {
        match self.mode {
            Mode::Hardware(name, _) => Some(name),
            Mode::Software(_) => None,
        }
    }

    /// Why software decodes what hardware was to decode.
    pub(super) fn warning(&self) -> Option<String> {
        let worth_it = self.opened || self.opener.warns_of_opening();
        let fell_back = self.hardware().is_none() && !self.failures.is_empty() && worth_it;
        fell_back.then(|| format!("decoding in software: {}", self.failures.join("; ")))
    }

    /// What came of the packets so far.
    pub(super) fn next(&mut self) -> Option<FeedEvent> {
        self.events.pop_front()
    }

    /// Decodes a packet.
    ///
    /// # Errors
    /// Only where there is no decoder to go on with; damage is an event.
    pub(super) fn send(&mut self, packet: &InputPacket) -> Result<()> {
        // Tags are of use only where pictures are known again by them.
        if let Mode::Software(resumed) = &self.mode
            && resumed.given.is_empty()
        {
            return self.decode(packet);
        }
        self.tag += 1;
        let mut packet = packet.share()?;
        packet.set_tag(self.tag);
        self.take(packet)
    }

    /// Lets the decoder give out what it holds back.
    ///
    /// # Errors
    /// As [`send`](Self::send).
    pub(super) fn finish(&mut self) -> Result<()> {
        let sent = self.coder.send_end();
        match &self.mode {
            Mode::Software(_) => {
                self.settle(sent);
                Ok(())
            }
            Mode::Hardware(..) => match sent.and_then(|()| self.receive_from_hardware()) {
                Ok(()) => Ok(()),
                Err(error) => self.fall_back(error, true),
            },
        }
    }

    /// A packet with its tag.
    fn take(&mut self, packet: InputPacket) -> Result<()> {
        let Mode::Hardware(_, window) = &mut self.mode else { return self.decode(&packet) };
        let kept = packet.share()?;
        window.push(kept);
        match self.decode_in_hardware(&packet) {
            Ok(()) => Ok(()),
            Err(error) => self.fall_back(error, false),
        }
    }

    fn decode_in_hardware(&mut self, packet: &InputPacket) -> Result<()> {
        // What becomes of damage, and how it is counted, is software's to say.
        if packet.is_corrupt() {
            let error = Error::new(ErrorKind::Input, "the file marks a packet as damaged");
            return Err(packet.pts().or(packet.dts()).into_iter().fold(error, Error::at));
        }
        self.coder.send(packet)?;
        self.receive_from_hardware()?;
        match &self.mode {
            Mode::Hardware(_, window) if window.bytes() > self.opener.window_bytes() => {
                Err(Error::new(ErrorKind::Unsupported, "keyframes are too far apart to go back to one"))
            }
            _ => Ok(()),
        }
    }

    fn receive_from_hardware(&mut self) -> Result<()> {
        loop {
            match self.coder.receive()? {
                Received::Frame(picture) if picture.is_damaged() => {
                    let error = Error::new(ErrorKind::Input, "a picture is damaged");
                    return Err(picture.pts().into_iter().fold(error, Error::at));
                }
                Received::Frame(picture) => {
                    if let Mode::Hardware(_, window) = &mut self.mode {
                        window.gave(&picture);
                    }
                    self.events.push_back(FeedEvent::Picture(picture));
                }
                Received::NeedsPacket | Received::End => return Ok(()),
            }
        }
    }

    /// Gives the packets that may be needed again to the next decoder.
    fn fall_back(&mut self, error: Error, ended: bool) -> Result<()> {
        let Mode::Hardware(name, window) = std::mem::replace(&mut self.mode, Mode::Software(Resumed::default())) else {
            return Err(error);
        };
        self.failures.push(format!("{name}: {error}"));
        let untried = match window.gave_nothing() {
            true => next_hardware(self.opener.as_ref(), &mut self.untried, &mut self.failures),
            false => None,
        };
        let packets = match untried {
            Some((name, coder)) => {
                (self.coder, self.mode) = (coder, Mode::Hardware(name, ReplayWindow::default()));
                window.into_parts().0
            }
            None => {
                tracing::warn!("{}", self.warning().unwrap_or_default());
                // From the first packet on software finds its delay as it always does; in the middle it must not
                // have to find out again what was known by then.
                let trimmed = window.is_trimmed();
                let reorder = if trimmed { self.coder.reorder_delay() } else { 0 };
                self.coder = self.opener.software(reorder)?;
                let (packets, given) = window.into_parts();
                self.mode = Mode::Software(Resumed { given, forgives: trimmed });
                packets
            }
        };
        for packet in packets {
            self.take(packet)?;
        }
        if ended { self.finish() } else { Ok(()) }
    }

    /// Decodes in software.
    fn decode(&mut self, packet: &InputPacket) -> Result<()> {
        let sent = self.coder.send(packet);
        self.settle(sent);
        Ok(())
    }

    /// Takes what a decoder in software has to give after `sent`.
    fn settle(&mut self, sent: Result<()>) {
        if let Err(error) = sent {
            self.fault(error);
        }
        let mut errors = 0;
        while errors < MAX_ERRORS_A_PACKET {
            match self.coder.receive() {
                Ok(Received::Frame(picture)) => self.accept(picture),
                Ok(Received::NeedsPacket | Received::End) => return,
                Err(error) => {
                    errors += 1;
                    self.fault(error);
                }
            }
        }
    }

    fn accept(&mut self, picture: VideoFrame) {
        if let Mode::Software(resumed) = &mut self.mode {
            resumed.forgives = false;
            if resumed.given.takes(&picture) {
                return;
            }
        }
        self.events.push_back(FeedEvent::Picture(picture));
    }

    fn fault(&mut self, error: Error) {
        match &self.mode {
            Mode::Software(Resumed { forgives: true, .. }) if error.kind() == ErrorKind::Input => {}
            _ => self.events.push_back(FeedEvent::Error(error)),
        }
    }
}

/// Opens the first hardware from place `untried` on that opens.
fn next_hardware(
    opener: &dyn Opener,
    untried: &mut usize,
    failures: &mut Vec<String>,
) -> Option<(&'static str, Box<dyn Coder>)> {
    while let Some(&name) = opener.hardware().get(*untried) {
        *untried += 1;
        match opener.open_hardware(*untried - 1) {
            Ok(coder) => return Some((name, coder)),
            Err(error) => failures.push(format!("{name}: {error}")),
        }
    }
    None
}
