//! A contact sheet: small pictures in rows.

use super::best::{Best, Seen};
use super::digits::{clock, draw};
use super::made::MadeStill;
use super::request::{SheetOptions, SheetTimes};
use super::shown::{HowShown, Shower};
use crate::av::RgbPicture;
use crate::base::Result;
use crate::media::Frame;

/// So many scenes are kept; of more every second goes, again and again.
const SCENES: usize = 512;

/// Samples between pictures and around them.
const GAP: u32 = 4;

/// Takes the pictures of a sheet as they come.
pub(super) struct SheetWatch {
    options: SheetOptions,
    shower: Shower,
    /// When the pictures that are still to come are shown, the next last.
    due: Vec<f64>,
    held: Option<(f64, Frame)>,
    best: Best,
    pictures: Vec<(f64, RgbPicture)>,
}

impl SheetWatch {
    pub(super) fn new(options: &SheetOptions, how: HowShown, length: f64) -> Self {
        let times = match options.at {
            SheetTimes::Even => even_times(options.columns * options.rows, length),
            SheetTimes::Scenes => Vec::new(),
        };
        let shower = Shower::new(how, Some((options.width, options.width)));
        let due = times.into_iter().rev().collect();
        SheetWatch { options: options.clone(), shower, due, held: None, best: Best::default(), pictures: Vec::new() }
    }

    pub(super) fn times(&self) -> impl Iterator<Item = f64> {
        self.due.iter().rev().copied()
    }

    pub(super) fn needs_eyes(&self) -> bool {
        self.options.at == SheetTimes::Scenes
    }

    pub(super) fn push(&mut self, at: f64, frame: &Frame, seen: Option<Seen>) -> Result<()> {
        if let Some(seen) = seen.filter(|_| self.needs_eyes()) {
            if seen.cut {
                self.end_scene()?;
            }
            self.best.push(frame, seen);
            return Ok(());
        }
        while let Some(due) = self.due.last().copied()
            && at > due
        {
            let (at, shown) = self.held.get_or_insert_with(|| (at, frame.clone()));
            self.pictures.push((*at, self.shower.show(shown)?));
            self.due.pop();
        }
        self.held = Some((at, frame.clone()));
        Ok(())
    }

    pub(super) fn jump(&mut self) {
        self.best.jump();
    }

    fn end_scene(&mut self) -> Result<()> {
        if let Some(best) = self.best.take() {
            self.pictures.push((best.frame.pts.as_secs_f64(), self.shower.show(&best.frame)?));
        }
        if self.pictures.len() >= SCENES {
            let mut number = 0;
            self.pictures.retain(|_| {
                number += 1;
                number % 2 == 1
            });
        }
        Ok(())
    }

    pub(super) fn finish(mut self) -> Result<Option<MadeStill>> {
        self.end_scene()?;
        if let Some((at, frame)) = self.held.take() {
            // The film ended earlier than it promised.
            for _ in 0..self.due.len() {
                self.pictures.push((at, self.shower.show(&frame)?));
            }
        }
        let SheetOptions { columns, rows, times, .. } = self.options;
        let chosen = chosen(self.pictures.len(), (columns * rows) as usize);
        let mut pictures: Vec<_> = chosen.into_iter().map(|n| self.pictures[n].clone()).collect();
        if pictures.is_empty() {
            return Ok(None);
        }
        if times {
            pictures.iter_mut().for_each(|(at, picture)| draw(picture, &clock(*at)));
        }
        let at = pictures.iter().map(|(at, _)| *at).collect();
        let picture = in_rows(pictures.into_iter().map(|(_, picture)| picture).collect(), columns);
        Ok(Some(MadeStill {
            pictures: vec![(picture, 0)],
            at,
            toned: self.shower.toned,
            quality: self.options.quality,
        }))
    }
}

/// The middles of `count` parts of a film.
fn even_times(count: u32, length: f64) -> Vec<f64> {
    (0..count).map(|n| (f64::from(n) + 0.5) * length / f64::from(count.max(1))).collect()
}

/// At most `most` of `count`, at even intervals with the first and the last.
fn chosen(count: usize, most: usize) -> Vec<usize> {
    match (count, most) {
        (count, most) if count <= most => (0..count).collect(),
        (count, 1) => vec![count / 2],
        (count, most) => (0..most).map(|n| n * (count - 1) / (most - 1)).collect(),
    }
}

/// Pictures of one size, so many in a row, on black.
fn in_rows(pictures: Vec<RgbPicture>, columns: u32) -> RgbPicture {
    let columns = columns.min(pictures.len() as u32).max(1);
    let rows = (pictures.len() as u32).div_ceil(columns);
    let (w, h) = pictures.iter().fold((1, 1), |(w, h), p| (p.width.max(w), p.height.max(h)));
    let (width, height) = (columns * (w + GAP) + GAP, rows * (h + GAP) + GAP);
    let mut bytes = vec![0; width as usize * height as usize * 3];
    for (n, picture) in pictures.iter().enumerate() {
        let (column, row) = (n as u32 % columns, n as u32 / columns);
        let (left, top) = ((GAP + column * (w + GAP)) as usize, (GAP + row * (h + GAP)) as usize);
        let length = picture.width as usize * 3;
        for (y, from) in picture.bytes.chunks_exact(length.max(1)).enumerate() {
            let at = ((top + y) * width as usize + left) * 3;
            bytes[at..at + length].copy_from_slice(from);
        }
    }
    RgbPicture { width, height, bytes }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_of_many_are_at_even_intervals() {
        assert_eq!(even_times(4, 8.0), [1.0, 3.0, 5.0, 7.0]);
        assert_eq!(chosen(3, 9), [0, 1, 2]);
        assert_eq!(chosen(9, 3), [0, 4, 8]);
        assert_eq!(chosen(9, 1), [4]);
    }

    #[test]
    fn rows_are_as_many_as_there_are_pictures_for() {
        let dot = |v: u8| RgbPicture { width: 2, height: 1, bytes: vec![v; 6] };
        let sheet = in_rows(vec![dot(1), dot(2), dot(3)], 2);
        assert_eq!((sheet.width, sheet.height), (2 * 6 + 4, 2 * 5 + 4));
        let at = |x: usize, y: usize| sheet.bytes[(y * sheet.width as usize + x) * 3];
        assert_eq!((at(4, 4), at(10, 4), at(4, 9), at(10, 9), at(0, 0)), (1, 2, 3, 0, 0));
    }
}
