//! What an MP4 source's own boxes add to what libavformat tells of it.
//!
//! A pure decision, as [`super::elements`] is for Matroska.
#![deny(unsafe_code)]

use crate::base::{Rational, Span, Timestamp};
use crate::container::chapters;
use crate::media::{ChapterAtom, ChapterTrack, Edition, MediaInfo, MovieBoxes, StreamInfo, StreamKind, TrackBoxes};

/// The tag in which libavformat shows a handler's name, and one that says nothing.
const HEADER_FIELDS: [&str; 2] = ["handler_name", "vendor_id"];
/// How far apart chapters of two languages may begin and be the same, in nanoseconds.
const SAME_CHAPTER: u64 = 1_000_000;

/// `info` with what `boxes` know beyond it.
pub fn with_boxes(mut info: MediaInfo, boxes: MovieBoxes) -> MediaInfo {
    if boxes.tracks.is_empty() {
        return info;
    }
    // FFmpeg makes a stream of each track, in the file's order, and one of each cover.
    let is_cover = |s: &StreamInfo| s.kind == StreamKind::Attachment;
    let is_chapters = |track: &TrackBoxes| boxes.chapters.iter().any(|c| c.track == track.id);
    let fits = |(stream, track): (&StreamInfo, &TrackBoxes)| match &track.handler {
        b"vide" => stream.kind == StreamKind::Video || is_chapters(track),
        b"soun" => stream.kind == StreamKind::Audio,
        _ => stream.kind != StreamKind::Audio,
    };
    let pictures = boxes.tracks.iter().any(|t| &t.handler == b"vide" && is_chapters(t));
    let streams: Vec<usize> = info.streams.iter().filter(|s| pictures || !is_cover(s)).map(|s| s.index).collect();
    let same = streams.len() == boxes.tracks.len()
        && streams.iter().zip(&boxes.tracks).all(|(at, track)| fits((&info.streams[*at], track)));
    if !same {
        info.unread = Some("its tracks are not the streams that were found".to_owned());
        return info;
    }
    for (at, track) in streams.iter().zip(&boxes.tracks) {
        apply(&mut info.streams[*at], track);
        info.streams[*at].holds_chapters = is_chapters(track);
    }
    // Of a title in several languages libavformat shows the last.
    info.title = boxes.title.or(info.title);
    for (name, language, text) in boxes.texts {
        let name = format!("{name}-{language}");
        if !info.tags.iter().any(|(other, _)| other.eq_ignore_ascii_case(&name)) {
            info.tags.push((name, text));
        }
    }
    let named: Vec<ChapterTrack> = boxes.chapters.into_iter().filter(|c| !c.chapters.is_empty()).collect();
    match named.as_slice() {
        [] => {}
        [one] => {
            let language = one.chapters.first().and_then(|c| c.language.clone());
            info.chapters.iter_mut().for_each(|c| c.language.clone_from(&language));
        }
        // Of several tracks libavformat shows the last.
        several => {
            let start = info.start.map_or(0, Timestamp::as_nanos);
            info.editions = editions(several);
            let back = Span::new(start.saturating_neg(), Rational::NANO);
            info.editions.iter_mut().for_each(|edition| edition.later(back));
        }
    }
    info
}

fn apply(stream: &mut StreamInfo, track: &TrackBoxes) {
    stream.tags.retain(|(name, _)| !HEADER_FIELDS.iter().any(|field| name.eq_ignore_ascii_case(field)));
    if stream.title.is_none() {
        stream.title.clone_from(&track.title);
    }
    // A tag of two letters says no more than the code beside it.
    if let Some(tag) = track.extended_language.as_ref().filter(|tag| tag.len() > 2 && *tag != "und") {
        stream.language = Some(tag.clone());
    }
    stream.alternate_group = Some(track.alternate_group).filter(|group| *group != 0);
}

/// One edition with names in each language where the tracks name the same places, else one for each track.
fn editions(tracks: &[ChapterTrack]) -> Vec<Edition> {
    let mut out: Vec<Edition> = Vec::new();
    for edition in tracks.iter().flat_map(|track| chapters::editions(&[], &track.chapters)) {
        match out.first_mut() {
            Some(first) if same_places(first, &edition) => {
                let names = edition.chapters.into_iter().map(|c| c.displays);
                first.chapters.iter_mut().zip(names).for_each(|(chapter, names)| chapter.displays.extend(names));
            }
            _ => out.push(edition),
        }
    }
    for (index, edition) in out.iter_mut().enumerate() {
        edition.default = index == 0;
        // Those of several tracks may be alike: the writer gives each its own.
        edition.uid = 0;
        edition.chapters.iter_mut().for_each(|chapter| chapter.uid = 0);
    }
    out
}

fn same_places(a: &Edition, b: &Edition) -> bool {
    let near = |(a, b): (&ChapterAtom, &ChapterAtom)| a.start_ns.abs_diff(b.start_ns) <= SAME_CHAPTER;
    a.chapters.len() == b.chapters.len() && a.chapters.iter().zip(&b.chapters).all(near)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::Chapter;

    fn track(language: &str, starts: &[i64]) -> ChapterTrack {
        let at = |ns: i64| Timestamp::new(ns, Rational::NANO);
        let chapter = |start: &i64| Chapter {
            start: at(*start),
            end: at(start + 5),
            title: Some(format!("{language} {start}")),
            language: Some(language.into()),
        };
        ChapterTrack { track: 1, chapters: starts.iter().map(chapter).collect() }
    }

    #[test]
    fn names_of_the_same_places_share_an_edition() {
        let far = SAME_CHAPTER as i64 * 2;
        let same = editions(&[track("eng", &[0, far]), track("fra", &[1, far])]);
        assert_eq!(same.len(), 1);
        let names: Vec<_> = same[0].chapters.iter().flat_map(|c| &c.displays).map(|d| d.text.as_str()).collect();
        assert_eq!(names, ["eng 0", "fra 1", &format!("eng {far}"), &format!("fra {far}")]);
        let other = editions(&[track("eng", &[0, far]), track("deu", &[0, 2 * far]), track("fra", &[0])]);
        assert_eq!(
            other.iter().map(|e| (e.chapters.len(), e.default)).collect::<Vec<_>>(),
            [(2, true), (2, false), (1, false)]
        );
        assert_eq!(other[1].chapters[0].displays[0].languages, ["ger"]);
        assert!(editions(&[]).is_empty());
    }

    #[test]
    fn streams_that_are_not_the_tracks_keep_what_they_have() {
        let boxes = MovieBoxes {
            title: Some("Other".into()),
            tracks: vec![TrackBoxes { handler: *b"soun", ..TrackBoxes::default() }],
            ..MovieBoxes::default()
        };
        let info = with_boxes(MediaInfo { title: Some("Film".into()), ..MediaInfo::default() }, boxes);
        assert_eq!(info.title.as_deref(), Some("Film"));
        assert!(info.unread.is_some());
    }
}
