//! The picture track of a film that is finished in chunks, as the source of the pass that writes it.

use super::film::Film;
use crate::base::{Error, ErrorKind, Result, Timestamp};
use crate::container::IvfUnit;
use crate::flow::{Out, StageContext};
use crate::media::PacketData;
use crate::stages::pairing::{FrameNote, Paired};
use crate::stages::picture::CodedPicture;
use crate::store::job::Job;
use crate::syntax::{av1, nal};
use crate::video::DecodeTimes;

/// Gives the coded pictures of `film` from the chunk files of `job`, which hold FFmpeg's `codec`, in order of decoding.
///
/// # Errors
/// `Encode` for chunk files that are not as the film has them, `Input` for a film without pictures, `Interrupted`.
pub(crate) fn chunks(
    job: &Job,
    (film, codec): (&Film, &'static str),
    out: &mut Out<CodedPicture<FrameNote>>,
    context: &StageContext,
) -> Result<()> {
    let shown = film.shown.ok_or_else(|| Error::new(ErrorKind::Input, "no picture of it can be decoded"))?;
    let mut times = DecodeOrder::of(job, film, codec, context)?;
    // A file has one codec configuration for the track. Chunks of H.264 and H.265 may have another, where an encoder took over
    // from one that failed: from there on each begins with its own.
    let mut track: Option<Vec<u8>> = None;
    let mut in_band = false;
    let (mut first_frame, mut first) = (0, true);
    for (chunk, frames) in film.chunks.iter().enumerate() {
        let place = |e: Error| e.with_chunk(chunk);
        let mut units = job.read(chunk).map_err(place)?;
        let configuration = units.configuration().map(<[u8]>::to_vec);
        let mut count = 0;
        while let Some(IvfUnit { position, data: mut unit }) = units.next().map_err(place)? {
            context.check()?;
            if count == 0 {
                let own = configuration.clone().map_or_else(|| av1::codec_private(&unit), Ok).map_err(place)?;
                in_band |= *track.get_or_insert_with(|| own.clone()) != own;
                if in_band && codec == "av1" {
                    let message = "internal error: the chunk has another sequence header than the film";
                    return Err(place(Error::new(ErrorKind::Encode, message)));
                }
                if in_band {
                    unit.splice(..0, nal::parameter_sets(codec, &own).map_err(place)?);
                }
            }
            let at = first_frame + position;
            let frame = usize::try_from(at).ok().filter(|_| position < *frames);
            let frame = frame.and_then(|at| Some((*film.times.get(at)?, *film.messages.get(at)?)));
            let ((pts, duration), messages) = frame.ok_or_else(|| wrong_count(chunk))?;
            let keyframe = is_keyframe(codec, &unit);
            let messages = if codec == "av1" { messages } else { 0 };
            let kept = FrameNote::at(pts, duration);
            let picture =
                Paired { index: at, data: PacketData::new(unit), messages, keyframe, dts: times.next(), kept };
            let told = std::mem::take(&mut first).then(|| Box::new((shown, configuration.clone())));
            out.push(CodedPicture { first: told, picture })?;
            count += 1;
        }
        if count != *frames {
            return Err(wrong_count(chunk));
        }
        first_frame += frames;
    }
    Ok(())
}

fn is_keyframe(codec: &str, unit: &[u8]) -> bool {
    match codec {
        "av1" => av1::is_keyframe(unit),
        codec => nal::is_keyframe(codec, unit),
    }
}

/// The decoding times of a film whose pictures are reordered within chunks.
struct DecodeOrder {
    times: DecodeTimes,
    next: u64,
    reorders: bool,
}

impl DecodeOrder {
    /// By how the chunk files have them: how far the pictures are reordered is known when all were seen.
    fn of(job: &Job, film: &Film, codec: &str, context: &StageContext) -> Result<Self> {
        let mut delay = 0;
        if codec != "av1" {
            for chunk in 0..film.chunks.len() {
                let place = |e: Error| e.with_chunk(chunk);
                let mut units = job.read(chunk).map_err(place)?;
                let mut decoded = 0u64;
                while let Some(unit) = units.next().map_err(place)? {
                    context.check()?;
                    delay = delay.max(decoded.saturating_sub(unit.position));
                    decoded += 1;
                }
            }
        }
        let mut times = DecodeTimes::new(u32::try_from(delay).unwrap_or(u32::MAX));
        if delay > 0 {
            film.times.iter().for_each(|(pts, _)| times.push(*pts));
            times.end();
        }
        Ok(DecodeOrder { times, next: 0, reorders: delay > 0 })
    }

    /// Of the next picture; nothing where it is that of showing it.
    fn next(&mut self) -> Option<Timestamp> {
        let index = self.next;
        self.next += 1;
        if self.reorders { self.times.at(index) } else { None }
    }
}

fn wrong_count(chunk: usize) -> Error {
    Error::new(ErrorKind::Encode, "a chunk file has not as many packets as the chunk has frames").with_chunk(chunk)
}
