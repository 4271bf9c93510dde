//! The picture track of a film that is finished in chunks, as the source of the pass that writes it.

use super::film::Film;
use crate::base::{Error, ErrorKind, Result};
use crate::flow::{Out, StageContext};
use crate::media::PacketData;
use crate::stages::pairing::{FrameNote, Paired};
use crate::stages::picture::CodedPicture;
use crate::store::job::Job;
use crate::syntax::av1;

/// Gives the coded pictures of `film` from the chunk files of `job`, in order.
///
/// # Errors
/// `Encode` for chunk files that are not as the film has them, `Input` for a film without pictures, `Interrupted`.
pub(crate) fn chunks(
    job: &Job,
    film: &Film,
    out: &mut Out<CodedPicture<FrameNote>>,
    context: &StageContext,
) -> Result<()> {
    let shown = film.shown.ok_or_else(|| Error::new(ErrorKind::Input, "no picture of it can be decoded"))?;
    let mut first = Some(Box::new((shown, None)));
    let mut frames_left = film.times.iter().zip(&film.messages).enumerate();
    let mut private = None;
    for (chunk, frames) in film.chunks.iter().enumerate() {
        let place = |e: Error| e.with_chunk(chunk);
        let mut units = job.read(chunk).map_err(place)?;
        let mut count = 0;
        while let Some(unit) = units.next().map_err(place)? {
            context.check()?;
            let (index, (&(pts, duration), &messages)) = frames_left.next().ok_or_else(|| wrong_count(chunk))?;
            if count == 0 {
                // A file has one codec configuration for the track.
                let own = av1::codec_private(&unit).map_err(place)?;
                if *private.get_or_insert_with(|| own.clone()) != own {
                    let message = "internal error: the chunk has another sequence header than the film";
                    return Err(place(Error::new(ErrorKind::Encode, message)));
                }
            }
            let keyframe = av1::is_keyframe(&unit);
            let kept = FrameNote::at(pts, duration);
            let data = PacketData::new(unit);
            let picture = Paired { index: index as u64, data, messages, keyframe, dts: None, kept };
            out.push(CodedPicture { first: first.take(), picture })?;
            count += 1;
        }
        if count != *frames {
            return Err(wrong_count(chunk));
        }
    }
    Ok(())
}

fn wrong_count(chunk: usize) -> Error {
    Error::new(ErrorKind::Encode, "a chunk file has not as many packets as the chunk has frames").with_chunk(chunk)
}
