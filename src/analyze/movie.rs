//! What an MP4 source's own boxes add to what libavformat tells of it.
//!
//! A pure decision, as [`super::elements`] is for Matroska.
#![deny(unsafe_code)]

use crate::base::{Rational, Span, Timestamp};
use crate::container::language::language;
use crate::media::{
    ChapterAtom, ChapterDisplay, ChapterTrack, Edition, MediaInfo, MovieBoxes, StreamInfo, StreamKind, TrackBoxes,
    TrackChapter,
};

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
        [one] => info.chapters.iter_mut().for_each(|c| c.language = one.language.clone()),
        // Of several tracks libavformat shows the last.
        several => {
            let start = info.start.map_or(0, Timestamp::as_nanos);
            info.editions = editions(several);
            info.editions
                .iter_mut()
                .for_each(|edition| edition.later(Span::new(start.saturating_neg(), Rational::NANO)));
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
    let [first, others @ ..] = tracks else { return Vec::new() };
    let same = |other: &ChapterTrack| {
        other.chapters.len() == first.chapters.len()
            && other.chapters.iter().zip(&first.chapters).all(|(a, b)| a.start_ns.abs_diff(b.start_ns) <= SAME_CHAPTER)
    };
    let mut out = vec![edition(first)];
    out[0].default = true;
    for other in others {
        if !same(other) {
            out.push(edition(other));
            continue;
        }
        for (atom, chapter) in out[0].chapters.iter_mut().zip(&other.chapters) {
            atom.displays.extend(display(chapter, other.language.as_deref()));
        }
    }
    out
}

fn edition(track: &ChapterTrack) -> Edition {
    let atom = |chapter: &TrackChapter| ChapterAtom {
        uid: 0,
        string_uid: None,
        start_ns: chapter.start_ns,
        end_ns: Some(chapter.end_ns).filter(|end| *end > chapter.start_ns),
        hidden: false,
        enabled: true,
        displays: display(chapter, track.language.as_deref()).into_iter().collect(),
        children: Vec::new(),
        tracks: Vec::new(),
        others: Vec::new(),
    };
    Edition { chapters: track.chapters.iter().map(atom).collect(), ..Edition::default() }
}

fn display(chapter: &TrackChapter, source: Option<&str>) -> Option<ChapterDisplay> {
    let language = language(source);
    (!chapter.name.is_empty()).then(|| ChapterDisplay {
        text: chapter.name.clone(),
        languages: vec![language.iso639_2],
        languages_bcp47: language.bcp47.into_iter().collect(),
        countries: Vec::new(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn track(language: &str, starts: &[u64]) -> ChapterTrack {
        let chapter =
            |start: &u64| TrackChapter { start_ns: *start, end_ns: start + 5, name: format!("{language} {start}") };
        ChapterTrack { track: 1, language: Some(language.into()), chapters: starts.iter().map(chapter).collect() }
    }

    #[test]
    fn names_of_the_same_places_share_an_edition() {
        let far = SAME_CHAPTER * 2;
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
