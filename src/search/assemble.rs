//! The picture track of a film that is finished in chunks, as one stage of the pipeline that writes it.

use std::sync::Arc;

use crate::base::{CancelToken, Error, ErrorKind, Result};
use crate::media::{PacketData, VideoInfo, VideoTrackParams};
use crate::stages::mux::MuxMessage;
use crate::stages::picture::{Outgoing, findings, track};
use crate::stages::queue::Sender;
use crate::stages::stage::StageMeter;
use crate::stages::tally::{Film, Tally, VideoFindings};
use crate::store::job::Job;
use crate::syntax::av1;

/// The stage: reads chunk files in order.
pub(crate) struct Chunks {
    pub(crate) job: Arc<Job>,
    pub(crate) film: Film,
    pub(crate) video: VideoInfo,
    pub(crate) dolby_vision: Option<[u8; 24]>,
    pub(crate) track: usize,
    pub(crate) mux: Sender<MuxMessage>,
    pub(crate) tally: Arc<Tally>,
    pub(crate) cancel: CancelToken,
}

impl Chunks {
    pub(crate) fn run(&mut self, meter: &StageMeter) -> Result<()> {
        let shown = self.film.shown.ok_or_else(|| Error::new(ErrorKind::Input, "no picture of it can be decoded"))?;
        let record = self.dolby_vision;
        let found = VideoFindings { dolby_vision: record, ..findings(&self.video, &shown, self.mean_crf()) };
        self.tally.lock().video = Some(found);
        let track = VideoTrackParams { dolby_vision: record, ..track(&self.video, &shown) };
        let mut out = Outgoing::new(self.track, track, self.mux.another(), &self.tally);
        let mut frames_left = self.film.times.iter().zip(&self.film.messages);
        let mut private = None;
        for (chunk, frames) in self.film.chunks.iter().enumerate() {
            let place = |e: Error| e.with_chunk(chunk);
            let mut units = self.job.read(chunk).map_err(place)?;
            let mut count = 0;
            while let Some(unit) = units.next().map_err(place)? {
                self.cancel.check()?;
                let (time, messages) = frames_left.next().ok_or_else(|| wrong_count(chunk))?;
                if count == 0 {
                    // Matroska has one codec configuration for the track.
                    let own = av1::codec_private(&unit).map_err(place)?;
                    if *private.get_or_insert_with(|| own.clone()) != own {
                        let message = "internal error: the chunk has another sequence header than the film";
                        return Err(place(Error::new(ErrorKind::Encode, message)));
                    }
                }
                let keyframe = av1::is_keyframe(&unit);
                out.send(PacketData::new(unit), *messages, keyframe, *time)?;
                count += 1;
                meter.item();
            }
            if count != *frames {
                return Err(wrong_count(chunk));
            }
        }
        // Each was decoded when it was scored, and the chunk files are as they were then.
        self.tally.lock().decoded_back = self.film.times.len() as u64;
        out.finish()
    }

    fn mean_crf(&self) -> f64 {
        let weighted = |(chunk, frames): (usize, &u64)| {
            self.job.finished(chunk).map_or(0.0, |record| record.crf.as_f64() * *frames as f64)
        };
        self.film.chunks.iter().enumerate().map(weighted).sum::<f64>() / (self.film.times.len() as f64).max(1.0)
    }
}

fn wrong_count(chunk: usize) -> Error {
    Error::new(ErrorKind::Encode, "a chunk file has not as many packets as the chunk has frames").with_chunk(chunk)
}
