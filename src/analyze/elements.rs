//! What a Matroska source's own elements add to what libavformat tells of it.
//!
//! A pure decision. libavformat flattens chapters and tags, and has no word for some flags. Where its view loses
//! nothing, it is kept as it is.
#![deny(unsafe_code)]

use crate::base::{Rational, Span, Timestamp};
use crate::container::tags::is_statistic;
use crate::media::{
    ChapterAtom, Edition, MediaInfo, SegmentElements, SimpleTag, StreamInfo, StreamKind, TagEntry, TrackElements,
};

/// Tags of a stream in which libavformat shows header fields.
const HEADER_FIELDS: [&str; 2] = ["STEREO_MODE", "ALPHA_MODE"];

/// `info` with what `elements` know beyond it.
pub fn with_elements(mut info: MediaInfo, elements: SegmentElements) -> MediaInfo {
    let matched = tracks(&mut info, &elements.tracks);
    let targeted = |of: fn(&TagEntry) -> &Vec<u64>| elements.tags.iter().any(|t| !of(t).is_empty());
    let chapters_targeted = targeted(|t| &t.targets.chapters) || targeted(|t| &t.targets.editions);
    match elements.editions.as_slice() {
        [] => {}
        [edition] if !chapters_targeted && is_plain(edition) && edition.chapters.len() == info.chapters.len() => {
            for (chapter, atom) in info.chapters.iter_mut().zip(&edition.chapters) {
                chapter.language = atom.displays.first().and_then(|d| d.languages.first()).cloned();
            }
        }
        _ => {
            info.editions = elements.editions;
            // Times of streams begin at zero.
            let start = info.start.map_or(0, Timestamp::as_nanos);
            let back = Span::new(start.saturating_neg(), Rational::NANO);
            info.editions.iter_mut().for_each(|edition| edition.later(back));
        }
    }
    if targeted(|t| &t.targets.attachments) && info.attachments.len() == elements.attachments.len() {
        info.attachments.iter_mut().zip(&elements.attachments).for_each(|(file, uid)| file.uid = Some(*uid));
    }
    let film_title = elements.tags.iter().filter(|t| is_film(t)).flat_map(|t| &t.tags).find(|t| is(t, "TITLE"));
    let retitled = elements.title.is_some() && info.title != elements.title;
    if matched && (retitled || !elements.tags.is_empty() && !tags_are_flat(&elements.tags)) {
        info.title = elements.title.or_else(|| film_title.and_then(|t| t.value.clone()));
        info.tags.clear();
        info.streams.iter_mut().for_each(|s| s.tags.clear());
        info.tag_entries = elements.tags;
    }
    info
}

fn is(tag: &SimpleTag, name: &str) -> bool {
    tag.name.eq_ignore_ascii_case(name)
}

/// Whether tags are about the film as a whole.
fn is_film(entry: &TagEntry) -> bool {
    let t = &entry.targets;
    let whole = t.tracks.is_empty() && t.editions.is_empty() && t.chapters.is_empty() && t.attachments.is_empty();
    whole && t.level.is_none_or(|level| level == 50)
}

/// Adds what tracks say to their streams; whether each has one.
fn tracks(info: &mut MediaInfo, tracks: &[TrackElements]) -> bool {
    // FFmpeg makes a stream of each track of these kinds, in the file's order, and then one of each attachment.
    let carried: Vec<_> = tracks.iter().filter_map(|t| Some((kind(t.track_type)?, t))).collect();
    let is_file = |s: &StreamInfo| s.kind == StreamKind::Attachment;
    let fits = |(s, (kind, _)): (&StreamInfo, &(StreamKind, &TrackElements))| {
        // A track that is a cover is an attachment by now.
        s.kind == *kind || is_file(s) && *kind == StreamKind::Video
    };
    let same = info.streams.len() >= carried.len()
        && info.streams.iter().zip(&carried).all(fits)
        && info.streams.iter().skip(carried.len()).all(is_file);
    if same {
        let streams = info.streams.iter_mut().zip(carried).filter(|(stream, _)| stream.kind != StreamKind::Attachment);
        streams.for_each(|(stream, (_, track))| apply(stream, track));
    } else {
        info.unread = Some("its tracks are not the streams that were found".to_owned());
    }
    same
}

fn kind(track_type: u64) -> Option<StreamKind> {
    match track_type {
        1 => Some(StreamKind::Video),
        2 => Some(StreamKind::Audio),
        17 => Some(StreamKind::Subtitle),
        33 => Some(StreamKind::Data),
        _ => None,
    }
}

fn apply(stream: &mut StreamInfo, track: &TrackElements) {
    stream.uid = Some(track.uid);
    stream.disposition.disabled = track.disabled;
    stream.tags.retain(|(name, _)| !HEADER_FIELDS.iter().any(|field| name.eq_ignore_ascii_case(field)));
    // A tag of two letters says no more than the code beside it.
    if let Some(tag) = track.language_bcp47.as_ref().filter(|tag| tag.len() > 2 && *tag != "und") {
        stream.language = Some(tag.clone());
    }
    let Some(video) = &mut stream.video else { return };
    video.pixel_crop = track.pixel_crop;
    video.stereo_mode = track.stereo_mode;
    video.alpha |= track.alpha;
    let (width, height) = track.size;
    let crop = track.pixel_crop;
    if (width, height) == (0, 0) || crop == Default::default() && track.stereo_mode == 0 {
        return;
    }
    // DisplayWidth and DisplayHeight are of the picture after cropping, and of the frame as it is packed (RFC 9559
    // §5.1.4.1.28.14 and .15); libavformat takes them for the whole picture, and stretches them by the packing.
    let shown = (
        width.saturating_sub(crop.left.saturating_add(crop.right)),
        height.saturating_sub(crop.top.saturating_add(crop.bottom)),
    );
    let display = track.display.unwrap_or(shown);
    video.sample_aspect_ratio =
        Rational::in_lowest_terms(u64::from(display.0) * u64::from(shown.1), u64::from(display.1) * u64::from(shown.0))
            .or(video.sample_aspect_ratio);
}

/// Whether a list of times with a name each says the same.
fn is_plain(edition: &Edition) -> bool {
    let atom = |a: &ChapterAtom| {
        let name = match a.displays.as_slice() {
            [] => true,
            [d] => {
                // A BCP 47 tag of two letters says no more than the code beside it.
                let more = d.languages_bcp47.iter().any(|tag| tag.len() > 2 && tag != "und");
                d.languages.len() <= 1 && d.languages_bcp47.len() <= 1 && d.countries.is_empty() && !more
            }
            _ => false,
        };
        name && a.tracks.is_empty()
            && a.others.is_empty()
            && a.enabled
            && !a.hidden
            && a.children.is_empty()
            && a.string_uid.is_none()
    };
    edition.others.is_empty() && !edition.hidden && !edition.ordered && edition.chapters.iter().all(atom)
}

/// Whether names and values of the film and of each track say the same.
fn tags_are_flat(entries: &[TagEntry]) -> bool {
    let mut seen = std::collections::HashSet::new();
    entries.iter().all(|entry| {
        let t = &entry.targets;
        let aimed = t.editions.is_empty() && t.chapters.is_empty() && t.attachments.is_empty() && t.tracks.len() <= 1;
        let film = t.level.is_none_or(|level| level == 50) && (t.level_name.is_none() || !t.tracks.is_empty());
        aimed
            && film
            && entry.tags.iter().all(|tag| {
                // libavformat appends the language to the name; statistics are counted anew.
                let statistics = is_statistic(&tag.name.to_ascii_uppercase());
                let code = tag.language.as_deref().unwrap_or("und");
                let bcp47 = tag.language_bcp47.as_deref().unwrap_or("und");
                let flat = tag.children.is_empty() && tag.binary.is_none();
                let told = statistics || code == "und" && bcp47 == "und";
                flat && told && (seen.insert((t.tracks.first().copied(), tag.name.to_ascii_uppercase())) || statistics)
            })
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::media::{ChapterDisplay, TagTargets};

    fn tag(name: &str, value: &str) -> SimpleTag {
        SimpleTag {
            name: name.into(),
            language: None,
            language_bcp47: None,
            default: true,
            value: Some(value.into()),
            binary: None,
            children: Vec::new(),
        }
    }

    fn entry(level: Option<u64>, tags: Vec<SimpleTag>) -> TagEntry {
        TagEntry { targets: TagTargets { level, ..TagTargets::default() }, tags }
    }

    /// A source that has nothing but streams of these kinds.
    fn source(kinds: &[StreamKind]) -> MediaInfo {
        let stream = |(index, kind): (usize, &StreamKind)| StreamInfo {
            index,
            kind: *kind,
            codec: String::new(),
            profile: None,
            time_base: Rational::MILLI,
            start: None,
            duration: None,
            tagged_end: None,
            frames: None,
            language: None,
            title: None,
            disposition: Default::default(),
            tags: Vec::new(),
            extradata: Vec::new(),
            bit_rate: None,
            uid: None,
            alternate_group: None,
            holds_chapters: false,
            video: None,
            audio: None,
        };
        MediaInfo { streams: kinds.iter().enumerate().map(stream).collect(), ..MediaInfo::default() }
    }

    #[test]
    fn tracks_are_found_beside_covers_and_what_cannot_be_matched_is_said() {
        use StreamKind::{Attachment, Audio, Video};
        let track = |track_type: u64, uid: u64| TrackElements { track_type, uid, ..TrackElements::default() };
        let film = || vec![track(1, 7), track(1, 8), track(2, 9)];
        let elements = |tracks| SegmentElements { tracks, ..SegmentElements::default() };
        let uids = |info: &MediaInfo| info.streams.iter().map(|s| s.uid).collect::<Vec<_>>();
        let cover = with_elements(source(&[Attachment, Video, Audio, Attachment]), elements(film()));
        assert_eq!((uids(&cover), cover.unread), (vec![None, Some(8), Some(9), None], None));
        for others in [&[Video, Audio][..], &[Video, Audio, Audio], &[Video, Video, Audio, Audio]] {
            let info = with_elements(source(others), elements(film()));
            assert!(info.unread.is_some() && uids(&info).iter().all(Option::is_none), "{others:?}");
        }
    }

    #[test]
    fn tags_that_a_list_of_names_holds_are_flat() {
        assert!(tags_are_flat(&[entry(None, vec![tag("GENRE", "Drama"), tag("DATE", "2001")])]));
        assert!(tags_are_flat(&[entry(Some(50), vec![tag("BPS", "1"), tag("BPS", "2")])]));
        assert!(!tags_are_flat(&[entry(None, vec![tag("GENRE", "Drama"), tag("genre", "Comedy")])]));
        assert!(!tags_are_flat(&[entry(None, vec![tag("GENRE", "Drama")]), entry(None, vec![tag("GENRE", "Comedy")])]));
        assert!(!tags_are_flat(&[entry(Some(70), vec![tag("GENRE", "Drama")])]));
        let nested = SimpleTag { children: vec![tag("CHARACTER", "Hero")], ..tag("ACTOR", "Somebody") };
        assert!(!tags_are_flat(&[entry(None, vec![nested])]));
        let french = SimpleTag { language: Some("fre".into()), ..tag("COMMENT", "Bonjour") };
        assert!(!tags_are_flat(&[entry(None, vec![french])]));
        let mut about = entry(None, vec![tag("COMMENT", "a font")]);
        about.targets.attachments = vec![7];
        assert!(!tags_are_flat(&[about]));
    }

    #[test]
    fn an_edition_is_plain_where_each_chapter_has_one_name() {
        let name = |language: &str, bcp47: &str| ChapterDisplay {
            text: "A".into(),
            languages: vec![language.into()],
            languages_bcp47: vec![bcp47.into()],
            countries: Vec::new(),
        };
        let atom = |displays: Vec<ChapterDisplay>| ChapterAtom {
            uid: 1,
            string_uid: None,
            start_ns: 0,
            end_ns: None,
            hidden: false,
            enabled: true,
            displays,
            children: Vec::new(),
            tracks: Vec::new(),
            others: Vec::new(),
        };
        let edition = |atom: ChapterAtom| Edition { chapters: vec![atom], ..Edition::default() };
        let plain = atom(vec![name("ger", "de")]);
        assert!(is_plain(&edition(plain.clone())) && is_plain(&edition(atom(Vec::new()))));
        assert!(!is_plain(&edition(atom(vec![name("ger", "de"), name("eng", "en")]))));
        assert!(!is_plain(&edition(atom(vec![name("por", "pt-BR")]))));
        assert!(!is_plain(&edition(ChapterAtom { enabled: false, ..plain.clone() })));
        assert!(!is_plain(&edition(ChapterAtom { children: vec![plain.clone()], ..plain.clone() })));
        assert!(!is_plain(&Edition { hidden: true, ..edition(plain.clone()) }));
        assert!(is_plain(&Edition { default: true, ..edition(plain) }), "the only one is the default");
    }
}
