//! One open encoder of libavcodec.
#![deny(unsafe_code)]

use std::collections::{HashMap, VecDeque};

use crate::av::{CodecEncoder, InputPacket};
use crate::base::{Error, ErrorKind, Result};
use crate::media::{Frame, PacketData};
use crate::video::frames;
use crate::video::traits::{Coded, KeyRequest, VideoEncoder};

use super::table::{EncoderRow, StoredForm};

/// An encoder with the map from its timestamps to our frames.
pub(super) struct AvEncoder {
    inner: CodecEncoder,
    name: &'static str,
    form: StoredForm,
    config: Vec<u8>,
    delay: u32,
    size: (u32, u32),
    depth: u8,
    forced_keyframes: bool,
    /// The next frame's index, once there was one, and its timestamp.
    due: Option<u64>,
    sent: i64,
    /// The index of each frame that is within, by its timestamp there.
    within: HashMap<i64, u64>,
    /// Pictures that had to be received so that a frame could be sent.
    ready: VecDeque<Coded>,
    received: u64,
    finished: bool,
}

impl AvEncoder {
    pub(super) fn new(
        inner: CodecEncoder,
        row: &EncoderRow,
        size: (u32, u32),
        depth: u8,
        forced_keyframes: bool,
    ) -> Result<Self> {
        let config = row
            .form
            .configuration(inner.extradata())
            .map_err(|e| failed(format!("{} gives no parameter sets", row.name)).caused_by(e))?;
        Ok(AvEncoder {
            delay: row.form.reorder(inner.extradata())?.unwrap_or_else(|| inner.reorder_delay()),
            inner,
            name: row.name,
            form: row.form,
            config,
            size,
            depth,
            forced_keyframes,
            due: None,
            sent: 0,
            within: HashMap::new(),
            ready: VecDeque::new(),
            received: 0,
            finished: false,
        })
    }

    fn next(&mut self) -> Result<Option<Coded>> {
        self.inner.receive()?.map(|packet| self.coded(packet)).transpose()
    }

    fn coded(&mut self, packet: InputPacket) -> Result<Coded> {
        let name = self.name;
        let pts = packet.pts().map(|pts| pts.ticks());
        let frame_index = pts.and_then(|pts| self.within.remove(&pts));
        let (Some(frame_index), Some(pts)) = (frame_index, pts) else {
            return Err(failed(format!(
                "{name} gave a picture for frame {pts:?}, which it was not given or gave before"
            )));
        };
        let decode_index = self.received;
        self.received += 1;
        // The law that decoding times are made by.
        if decode_index > pts.unsigned_abs() + u64::from(self.delay) {
            let message = format!("{name} reorders by more than the {} pictures it said", self.delay);
            return Err(failed(message));
        }
        let keyframe = packet.is_key();
        let data = PacketData::new(self.form.stored(packet.data())?);
        Ok(Coded { frame_index, decode_index, data, keyframe })
    }
}

impl VideoEncoder for AvEncoder {
    fn send(&mut self, frame: &Frame, key: KeyRequest) -> Result<()> {
        if self.finished {
            return Err(failed("a frame came after the last").at(frame.pts));
        }
        let keyframe = key == KeyRequest::Force;
        if keyframe && !self.forced_keyframes {
            return Err(Error::new(ErrorKind::Usage, "the encoder was not opened to take forced keyframes"));
        }
        frames::expect(frame, self.size, self.depth, self.due)?;
        while !self.inner.send(frame, self.sent, keyframe)? {
            match self.next()? {
                Some(coded) => self.ready.push_back(coded),
                None => return Err(failed(format!("{} takes no frame and gives no picture", self.name))),
            }
        }
        self.within.insert(self.sent, frame.index);
        self.sent += 1;
        self.due = Some(frame.index + 1);
        Ok(())
    }

    fn receive(&mut self) -> Result<Option<Coded>> {
        if let Some(coded) = self.ready.pop_front() {
            return Ok(Some(coded));
        }
        let coded = self.next()?;
        if coded.is_none() && self.finished && !self.within.is_empty() {
            let (sent, lost) = (self.sent, self.within.len());
            return Err(failed(format!("{} was given {sent} frames and lost {lost} of them", self.name)));
        }
        Ok(coded)
    }

    fn finish(&mut self) -> Result<()> {
        if !std::mem::replace(&mut self.finished, true) {
            self.inner.send_end()?;
        }
        Ok(())
    }

    fn reorder_delay(&self) -> u32 {
        self.delay
    }

    fn codec_config(&self) -> Option<Vec<u8>> {
        Some(self.config.clone())
    }
}

fn failed(message: impl Into<String>) -> Error {
    Error::new(ErrorKind::Encode, message)
}
