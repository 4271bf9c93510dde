//! The time in the corner of a small picture: digits of 3 by 5 dots, drawn large.

use crate::av::RgbPicture;

/// Rows from the top, the left dot in the highest of three bits.
const GLYPHS: [[u8; 5]; 11] = [
    [7, 5, 5, 5, 7],
    [2, 6, 2, 2, 7],
    [7, 1, 7, 4, 7],
    [7, 1, 3, 1, 7],
    [5, 5, 7, 1, 1],
    [7, 4, 7, 1, 7],
    [7, 4, 7, 5, 7],
    [7, 1, 1, 2, 2],
    [7, 5, 7, 5, 7],
    [7, 5, 7, 1, 7],
    [0, 2, 0, 2, 0],
];

/// `1:02:03` or `2:03`.
pub(super) fn clock(seconds: f64) -> String {
    let all = seconds.max(0.0).floor() as u64;
    let (hours, minutes, seconds) = (all / 3600, all / 60 % 60, all % 60);
    if hours > 0 { format!("{hours}:{minutes:02}:{seconds:02}") } else { format!("{minutes}:{seconds:02}") }
}

/// Writes `text` (digits and colons) into the lower right corner, white on black. Nothing where it has no room.
pub(super) fn draw(picture: &mut RgbPicture, text: &str) {
    let (width, height) = (picture.width as usize, picture.height as usize);
    let dot = (width / 130).max(1);
    // A dot between the glyphs and around them.
    let (across, down) = ((text.len() * 4 + 1) * dot, 7 * dot);
    if across > width || down > height {
        return;
    }
    let (left, top) = (width - across, height - down);
    let glyphs: Vec<&[u8; 5]> = text.bytes().map(|c| &GLYPHS[usize::from(c.wrapping_sub(b'0')).min(10)]).collect();
    for y in 0..down {
        for x in 0..across {
            let (column, row) = (x / dot, y / dot);
            let lit = row
                .checked_sub(1)
                .zip(column.checked_sub(1))
                .and_then(|(row, column)| {
                    Some(glyphs.get(column / 4)?.get(row)? >> (2u32.checked_sub(column as u32 % 4)?) & 1)
                })
                .is_some_and(|bit| bit == 1);
            let at = ((top + y) * width + left + x) * 3;
            picture.bytes[at..at + 3].fill(if lit { 255 } else { 0 });
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn clocks_are_short_and_stay_within_their_picture() {
        assert_eq!((clock(3.9), clock(754.0), clock(3723.0)), ("0:03".into(), "12:34".into(), "1:02:03".into()));
        let mut picture = RgbPicture { width: 40, height: 20, bytes: vec![9; 40 * 20 * 3] };
        draw(&mut picture, "8:8");
        let row = |y: usize| -> String {
            picture.bytes[y * 120..][..120]
                .as_chunks::<3>()
                .0
                .iter()
                .map(|dot| match dot[0] {
                    255 => '#',
                    0 => '.',
                    _ => ' ',
                })
                .collect()
        };
        assert_eq!(row(13).trim(), ".............");
        assert_eq!(row(14).trim(), ".###.....###.");
        assert_eq!(row(15).trim(), ".#.#..#..#.#.");
        let mut tiny = RgbPicture { width: 4, height: 4, bytes: vec![9; 48] };
        draw(&mut tiny, "1:02:03");
        assert_eq!(tiny.bytes, [9; 48]);
    }
}
