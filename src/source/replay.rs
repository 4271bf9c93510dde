//! What it takes to let another decoder go on exactly where one broke off.
#![deny(unsafe_code)]

use std::collections::VecDeque;

use crate::av::{InputPacket, VideoFrame};
use crate::base::Timestamp;

/// The packets from which all pictures that were not given out yet can be decoded again, and what was given out
/// of them.
///
/// Law: packets carry tags (1, 2, 3 ... in the order they were sent), pictures the tag of their packet. The window
/// begins at the first packet of all, or at a keyframe *k* that was given out itself and after which another
/// keyframe was given out too. So every picture still to come is shown after *k*, and does not lean on anything
/// before it, also where groups of pictures are open. The second keyframe is for decoders that need some pictures to
/// find their ways (H.264 without a stated reordering depth). A keyframe whose picture leans on others is none here.
#[derive(Default)]
pub(super) struct ReplayWindow {
    packets: VecDeque<InputPacket>,
    bytes: usize,
    /// Tags of the keyframe packets in the window.
    keys: VecDeque<u64>,
    given: Given,
    /// Whether something before the window was dropped.
    trimmed: bool,
    /// The tag of the last packet with parameters that later ones need.
    pinned: u64,
}

/// Tags of pictures that were given out, in display order, and the time of the last.
#[derive(Default)]
pub(super) struct Given {
    tags: VecDeque<u64>,
    last: Option<Timestamp>,
}

impl ReplayWindow {
    pub(super) fn push(&mut self, packet: InputPacket) {
        self.bytes += packet.data().len();
        if packet.is_key() {
            self.keys.push_back(packet.tag());
        }
        if packet.changes_parameters() {
            self.pinned = packet.tag();
        }
        self.packets.push_back(packet);
    }

    /// Notes a picture that is given out, and drops what no picture to come needs.
    pub(super) fn gave(&mut self, picture: &VideoFrame) {
        let tag = picture.tag();
        self.given.tags.push_back(tag);
        self.given.last = picture.pts();
        if picture.is_predicted() {
            self.keys.retain(|&key| key != tag);
            return;
        }
        let at = self.keys.iter().position(|&key| key == tag).unwrap_or(0);
        if at == 0 {
            return;
        }
        let start = self.keys[at - 1];
        // A keyframe that is never shown (an edit list cuts it off) is no place to begin at.
        let Some(first) = self.given.tags.iter().position(|&t| t == start) else { return };
        if start < self.pinned || self.packets.front().is_some_and(|p| p.tag() == start) {
            return;
        }
        while self.packets.front().is_some_and(|p| p.tag() < start) {
            self.bytes -= self.packets.pop_front().map_or(0, |p| p.data().len());
        }
        self.keys.drain(..at - 1);
        self.given.tags.drain(..first);
        self.trimmed = true;
    }

    /// Coded bytes it keeps.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn gave_nothing(&self) -> bool {
        self.given.tags.is_empty() && !self.trimmed
    }

    /// Whether the window begins later than the stream.
    pub(super) fn is_trimmed(&self) -> bool {
        self.trimmed
    }

    /// The packets to send again, and the pictures to leave out of what comes of them.
    pub(super) fn into_parts(self) -> (VecDeque<InputPacket>, Given) {
        (self.packets, self.given)
    }
}

impl Given {
    /// Whether there is nothing left to leave out.
    pub(super) fn is_empty(&self) -> bool {
        self.tags.is_empty()
    }

    /// Whether a picture of the replay was given out before; called for each in display order.
    pub(super) fn takes(&mut self, picture: &VideoFrame) -> bool {
        self.matches(picture.tag(), picture.pts())
    }

    fn matches(&mut self, tag: u64, pts: Option<Timestamp>) -> bool {
        if self.tags.is_empty() {
            return false;
        }
        if let Some(at) = self.tags.iter().position(|&t| t == tag) {
            self.tags.drain(..=at);
            return true;
        }
        // It was not given out, so it is shown either before all that were (it leads the keyframe that the replay
        // began with) or after all, in which case those still expected do not come again.
        let later = match (pts, self.last) {
            (Some(pts), Some(last)) => pts > last,
            _ => self.tags.iter().all(|&t| t < tag),
        };
        if later {
            self.tags.clear();
        }
        !later
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::av::{Decoder, DecoderOptions, Input, Received};
    use crate::base::{CancelToken, Rational};
    use crate::media::StreamKind;

    fn given(tags: &[u64], last: Option<i64>) -> Given {
        Given { tags: tags.iter().copied().collect(), last: last.map(ms) }
    }

    fn ms(ticks: i64) -> Timestamp {
        Timestamp::new(ticks, Rational::MILLI)
    }

    fn kept(mut given: Given, pictures: &[(u64, Option<i64>)]) -> Vec<u64> {
        pictures.iter().filter(|(tag, pts)| !given.matches(*tag, pts.map(ms))).map(|p| p.0).collect()
    }

    /// The tags of keyframes at which a film's window began one after the other, and the tags of all keyframes.
    fn beginnings(film: &str) -> Option<(Vec<u64>, Vec<u64>)> {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/media").join(film);
        if !path.is_file() {
            crate::base::missing(format_args!("there is no {}", path.display()));
            return None;
        }
        let mut input = Input::open(&path, &CancelToken::new()).unwrap();
        let stream = input.info().streams.iter().position(|s| s.kind == StreamKind::Video).unwrap();
        let mut decoder = Decoder::open(&input, stream, DecoderOptions::default()).unwrap();
        let (mut window, mut tag, mut began, mut keys) = (ReplayWindow::default(), 0, vec![1], Vec::new());
        while let Some(mut packet) = input.read_packet().unwrap() {
            if packet.stream() != stream {
                continue;
            }
            tag += 1;
            packet.set_tag(tag);
            keys.extend(packet.is_key().then_some(tag));
            decoder.send(&packet).unwrap();
            window.push(packet);
            while let Received::Frame(picture) = decoder.receive_video().unwrap() {
                window.gave(&picture);
                let first = window.packets.front().unwrap().tag();
                if began.last() != Some(&first) {
                    began.push(first);
                    assert_eq!(window.given.tags.front(), Some(&first), "what is to be left out begins there too");
                    assert_eq!(window.keys.front(), Some(&first));
                }
                assert_eq!(window.bytes(), window.packets.iter().map(|p| p.data().len()).sum::<usize>());
            }
        }
        Some((began, keys))
    }

    #[test]
    fn the_window_moves_on_from_keyframe_to_keyframe() {
        let Some((began, keys)) = beginnings("film/sintel_trailer-720p.mp4") else { return };
        assert!(keys.len() > 4);
        assert_eq!(began, keys[..keys.len() - 1], "all but the last keyframe, after which none was given out");
    }

    #[test]
    fn what_was_given_out_is_left_out_also_where_decoding_order_is_another() {
        let pictures = [1, 4, 3, 5, 2, 9, 7].map(|tag| (tag, None));
        assert_eq!(kept(given(&[1, 4, 3], None), &pictures), [5, 2, 9, 7]);
    }

    #[test]
    fn pictures_that_lead_the_first_keyframe_are_left_out() {
        let timed = [(12, Some(80)), (10, Some(120)), (14, Some(160)), (13, Some(200))];
        assert_eq!(kept(given(&[10, 14], Some(160)), &timed), [13]);
        let untimed = timed.map(|(tag, _)| (tag, None));
        assert_eq!(kept(given(&[10, 14], None), &untimed), [13]);
    }

    #[test]
    fn a_picture_that_does_not_come_again_does_not_hold_up_the_rest() {
        let timed = [(1, Some(0)), (2, Some(40)), (9, Some(120)), (4, Some(160))];
        assert_eq!(kept(given(&[1, 2, 3], Some(80)), &timed), [9, 4]);
        assert_eq!(kept(given(&[1, 2, 3], None), &timed.map(|(tag, _)| (tag, None))), [9, 4]);
    }

    #[test]
    fn without_tags_pictures_are_counted() {
        assert_eq!(kept(given(&[0, 0], None), &[(0, None); 5]).len(), 3);
    }

    #[test]
    fn one_packet_may_hold_several_pictures() {
        assert_eq!(kept(given(&[1, 2, 2, 3, 2], None), &[1, 2, 2, 3, 2, 2, 4].map(|t| (t, None))), [2, 4]);
    }

    #[test]
    fn nothing_given_out_leaves_nothing_out() {
        assert_eq!(kept(given(&[], None), &[(3, None), (2, Some(1))]), [3, 2]);
    }
}
