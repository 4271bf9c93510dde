//! The file that is judged: read once, its pictures and all its sound.
#![deny(unsafe_code)]

use std::collections::BTreeMap;
use std::path::Path;

use super::finding::{FindingKind, QualityFinding};
use super::picture_watch::{PictureWatch, WatchedPictures};
use super::sound_watch::{SoundWatch, WatchedSound};
use super::thresholds::Thresholds;
use crate::av::{DecoderOptions, VideoFrame};
use crate::base::{CancelToken, Error, ErrorKind, Result};
use crate::media::{Flip, Frame, StreamInfo, StreamKind};
use crate::pixel::{Converter, Flipper};
use crate::plan::main_video;
use crate::source::{AudioDecoder, Source, VideoDecoder};

/// What is watched of a file beside what is compared with its reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Watched {
    /// Everything; CAMBI too unless it is measured with the reference.
    All { banding: bool },
    /// Nothing: it is compared and no more.
    Nothing,
}

/// One file, its pictures given out in display order, each watched once.
///
/// Law: `next` until `None`, then `finish`. Sound is heard as it is read on the way, however it lies in the file.
pub(super) struct JudgedFilm {
    source: Source,
    main: Option<StreamInfo>,
    video: Option<VideoDecoder>,
    watch: Option<PictureWatch>,
    sounds: BTreeMap<usize, (AudioDecoder, SoundWatch)>,
    /// Mirroring by the container's word; what is done, the first picture says.
    flip: Option<Flip>,
    flipper: Option<Option<Flipper>>,
    converter: Converter,
    /// Bytes of the main video's packets.
    coded_bytes: u64,
    ended: bool,
    /// What could not be read, decoded or heard.
    damage: Vec<String>,
    notes: Vec<String>,
    cancel: CancelToken,
}

/// What a film came to.
pub(super) struct WatchedFilm {
    pub(super) main: Option<StreamInfo>,
    pub(super) pictures: Option<WatchedPictures>,
    pub(super) sounds: Vec<(StreamInfo, WatchedSound)>,
    pub(super) frames: u64,
    pub(super) coded_bytes: u64,
    pub(super) findings: Vec<QualityFinding>,
    pub(super) notes: Vec<String>,
    pub(super) container: String,
}

impl JudgedFilm {
    /// Opens the file at `path`.
    ///
    /// # Errors
    /// `Input` and `Unsupported` for files that cannot be read, or hold neither pictures nor sound that can be decoded.
    pub(super) fn open(path: &Path, watched: Watched, cancel: &CancelToken) -> Result<Self> {
        let mut source = Source::open(path, cancel)?;
        let info = source.info().clone();
        let main = main_video(&info).and_then(|index| info.streams.get(index)).cloned();
        let options = DecoderOptions { threads: 0, ..DecoderOptions::default() };
        let video = main.as_ref().map(|main| VideoDecoder::open(source.input(), main, options)).transpose();
        let video = video.map_err(|e| e.with_file(path))?;
        let (mut sounds, mut damage) = (BTreeMap::new(), Vec::new());
        if watched != Watched::Nothing {
            for stream in info.streams.iter().filter(|s| s.kind == StreamKind::Audio) {
                match AudioDecoder::of(source.input(), stream) {
                    Ok(decoder) => drop(sounds.insert(stream.index, (decoder, SoundWatch::new(stream)))),
                    Err(error) => damage.push(error.with_stream(stream.index).to_string()),
                }
            }
        }
        if video.is_none() && sounds.is_empty() {
            let message = "there are no pictures and no sound in it that can be judged";
            return Err(Error::new(ErrorKind::Unsupported, message).with_file(path));
        }
        let kept: Vec<usize> = main.iter().map(|m| m.index).chain(sounds.keys().copied()).collect();
        source.keep_only(&kept);
        let facts = main.as_ref().and_then(|m| m.video.as_ref());
        let watch = match watched {
            Watched::All { banding } => facts.map(|video| PictureWatch::new(video, banding)),
            Watched::Nothing => None,
        };
        Ok(JudgedFilm {
            flip: facts.and_then(|v| v.flip),
            source,
            main,
            video,
            watch,
            sounds,
            flipper: None,
            converter: Converter::new(),
            coded_bytes: 0,
            ended: false,
            damage,
            notes: Vec::new(),
            cancel: cancel.clone(),
        })
    }

    /// Its main video, if it has pictures.
    pub(super) fn main(&self) -> Option<&StreamInfo> {
        self.main.as_ref()
    }

    /// The next picture in display order. A file that breaks off ends there, and that is found.
    ///
    /// # Errors
    /// `Interrupted`, and what is no damage.
    pub(super) fn next(&mut self) -> Result<Option<Frame>> {
        loop {
            if let Some(frame) = self.video.as_mut().and_then(VideoDecoder::receive) {
                if let Some(watch) = &mut self.watch
                    && let Err(error) = watch.push(&frame)
                {
                    if error.kind() != ErrorKind::Unsupported {
                        return Err(error.with_file(self.source.path()));
                    }
                    // What cannot be measured is not judged by half.
                    self.notes.push(format!("the pictures are not watched: {error}"));
                    self.watch = None;
                }
                return Ok(Some(frame));
            }
            if self.ended {
                return Ok(None);
            }
            self.cancel.check()?;
            self.read()?;
        }
    }

    fn read(&mut self) -> Result<()> {
        let packet = match self.source.read_packet() {
            Ok(packet) => packet,
            Err(error) if error.kind() == ErrorKind::Interrupted => return Err(error),
            Err(error) => {
                self.damage.push(format!("it cannot be read to its end: {error}"));
                None
            }
        };
        let in_file = |e: Error, path: &Path| e.with_file(path);
        let Some(packet) = packet else {
            self.ended = true;
            if let Some(video) = &mut self.video {
                video.finish().map_err(|e| in_file(e, self.source.path()))?;
            }
            for (decoder, watch) in self.sounds.values_mut() {
                decoder.finish()?;
                take_sound(decoder, watch, &mut self.notes)?;
            }
            return Ok(());
        };
        if self.main.as_ref().is_some_and(|main| main.index == packet.stream()) {
            self.coded_bytes += packet.data().len() as u64;
            if let Some(video) = &mut self.video {
                video.send(&packet).map_err(|e| in_file(e, self.source.path()))?;
            }
        } else if let Some((decoder, watch)) = self.sounds.get_mut(&packet.stream()) {
            decoder.send(&packet)?;
            take_sound(decoder, watch, &mut self.notes)?;
        }
        Ok(())
    }

    /// A picture as it is shown but for turns: mirrored where its file says so.
    ///
    /// # Errors
    /// `Unsupported` for formats that cannot be converted.
    pub(super) fn upright(&mut self, frame: Frame) -> Result<Frame> {
        let flipper = self.flipper.get_or_insert_with(|| {
            let own = frame.planes.as_any().downcast_ref::<VideoFrame>().and_then(VideoFrame::orientation);
            own.map_or(self.flip, |own| own.flip).map(Flipper::new)
        });
        match flipper {
            Some(flipper) => flipper.flip(self.converter.for_measuring(frame)?),
            None => Ok(frame),
        }
    }

    /// What was seen and heard.
    ///
    /// # Errors
    /// `Encode` where a meter fails.
    pub(super) fn finish(mut self, thresholds: &Thresholds) -> Result<WatchedFilm> {
        let stats = self.video.as_ref().map(VideoDecoder::stats).unwrap_or_default();
        let mut findings = Vec::new();
        let mut damaged = |count: u64, message: String| {
            findings.extend((count > 0).then(|| QualityFinding::new(FindingKind::Damage, None, count as f64, message)));
        };
        let why = stats.first_error.as_ref().map_or(String::new(), |why| format!(": {why}"));
        damaged(
            stats.damaged_packets,
            format!("{} packets of the picture cannot be decoded{why}", stats.damaged_packets),
        );
        damaged(stats.damaged_frames, format!("damage is concealed in {} pictures", stats.damaged_frames));
        for message in self.damage.drain(..) {
            damaged(1, message);
        }
        let (mut sounds, streams) = (Vec::new(), &self.source.info().streams);
        for (index, (decoder, watch)) in std::mem::take(&mut self.sounds) {
            let (count, why) = decoder.damage();
            damaged(count, format!("{count} packets of sound cannot be decoded: {}", why.unwrap_or_default()));
            let heard = watch.finish(thresholds)?;
            sounds.extend(streams.get(index).cloned().map(|stream| (stream, heard)));
        }
        let pictures = self.watch.take().map(PictureWatch::finish).transpose()?;
        Ok(WatchedFilm {
            container: self.source.info().container.clone(),
            main: self.main,
            pictures,
            sounds,
            frames: stats.frames,
            coded_bytes: self.coded_bytes,
            findings,
            notes: self.notes,
        })
    }
}

fn take_sound(decoder: &mut AudioDecoder, watch: &mut SoundWatch, notes: &mut Vec<String>) -> Result<()> {
    while let Some(sound) = decoder.receive() {
        if let Err(error) = watch.push(sound) {
            if error.kind() != ErrorKind::Unsupported {
                return Err(error);
            }
            let note = format!("sound: {error}");
            if !notes.contains(&note) && notes.len() < 20 {
                notes.push(note);
            }
        }
    }
    Ok(())
}
