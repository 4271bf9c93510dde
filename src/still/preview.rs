//! The pictures of a preview, each with how long it is shown.

use super::made::MadeStill;
use super::request::PreviewOptions;
use super::shown::{HowShown, Shower};
use crate::av::RgbPicture;
use crate::base::{Result, Span};
use crate::media::Frame;

/// Takes what is shown at even ticks.
pub(super) struct PreviewWatch {
    options: PreviewOptions,
    start: f64,
    shower: Shower,
    ticks: u32,
    done: u32,
    held: Option<(f64, Frame)>,
    /// The index of the last frame that was taken.
    last: Option<u64>,
    /// With the ticks each is shown.
    pictures: Vec<(RgbPicture, u32)>,
    at: Vec<f64>,
}

impl PreviewWatch {
    pub(super) fn new(options: &PreviewOptions, how: HowShown, length: Option<f64>) -> Self {
        let room = length.map(|length| (length - options.seconds).max(0.0));
        let start = options.start.unwrap_or_else(|| length.map_or(0.0, |length| length * 0.2));
        let start = if options.start.is_some() { start } else { start.min(room.unwrap_or(start)) };
        PreviewWatch {
            options: options.clone(),
            start,
            shower: Shower::new(how, Some((options.width, options.width))),
            ticks: (options.seconds * options.fps).round().max(1.0) as u32,
            done: 0,
            held: None,
            last: None,
            pictures: Vec::new(),
            at: Vec::new(),
        }
    }

    /// From when to when it looks.
    pub(super) fn span(&self) -> (f64, f64) {
        (self.start, self.start + self.options.seconds)
    }

    fn tick(&self) -> Option<f64> {
        (self.done < self.ticks).then(|| self.start + f64::from(self.done) / self.options.fps)
    }

    pub(super) fn push(&mut self, at: f64, frame: &Frame) -> Result<()> {
        while self.tick().is_some_and(|tick| at > tick + 1e-6) {
            // Before the first picture the first is shown.
            let held = self.held.get_or_insert_with(|| (at, frame.clone())).clone();
            self.take(&held)?;
        }
        if self.tick().is_some() {
            self.held = Some((at, frame.clone()));
        }
        Ok(())
    }

    fn take(&mut self, (at, frame): &(f64, Frame)) -> Result<()> {
        match self.pictures.last_mut() {
            Some((_, ticks)) if self.last == Some(frame.index) => *ticks += 1,
            _ => {
                self.pictures.push((self.shower.show(frame)?, 1));
                self.at.push(*at);
                self.last = Some(frame.index);
            }
        }
        self.done += 1;
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<Option<MadeStill>> {
        if let Some(held) = self.held.take() {
            let end = held.0 + held.1.duration.map_or(0.0, Span::as_secs_f64);
            while self.pictures.is_empty() || self.tick().is_some_and(|tick| tick < end - 1e-6) {
                self.take(&held)?;
            }
        }
        if self.pictures.is_empty() {
            return Ok(None);
        }
        let (mut ticks, fps) = (0, self.options.fps);
        let hundredths = |ticks: u32| (f64::from(ticks) * 100.0 / fps).round() as u32;
        let pictures = self.pictures.into_iter().map(|(picture, length)| {
            let from = hundredths(ticks);
            ticks += length;
            (picture, (hundredths(ticks) - from).clamp(2, 65_535) as u16)
        });
        Ok(Some(MadeStill { pictures: pictures.collect(), at: self.at, toned: self.shower.toned, quality: 0 }))
    }
}
