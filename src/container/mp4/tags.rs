//! Tags as MP4 has them: few, by FFmpeg's names, which its muxer writes as the atoms players know.
#![deny(unsafe_code)]

use crate::media::Tag;

/// Names of tags in Matroska and elsewhere, in upper case, and what libavformat's MP4 muxer calls them.
const PLACES: [(&str, &str); 20] = [
    ("ARTIST", "artist"),
    ("ALBUM_ARTIST", "album_artist"),
    ("ALBUM", "album"),
    ("COMPOSER", "composer"),
    ("DATE", "date"),
    ("DATE_RELEASED", "date"),
    ("DATE_RELEASE", "date"),
    ("YEAR", "date"),
    ("GENRE", "genre"),
    ("COMMENT", "comment"),
    ("COMMENTS", "comment"),
    ("COPYRIGHT", "copyright"),
    ("DESCRIPTION", "description"),
    ("SUMMARY", "synopsis"),
    ("SYNOPSIS", "synopsis"),
    ("SHOW", "show"),
    ("EPISODE_ID", "episode_id"),
    ("NETWORK", "network"),
    ("KEYWORDS", "keywords"),
    ("LYRICS", "lyrics"),
];

/// The tags that MP4 has a place for, by libavformat's names, the first of each; and the names of the others.
pub fn placed(tags: &[Tag]) -> (Vec<(&'static str, String)>, Vec<String>) {
    let (mut placed, mut others) = (Vec::<(&str, String)>::new(), Vec::new());
    for (name, value) in tags {
        let upper = name.to_ascii_uppercase();
        let place = PLACES.iter().find(|(known, _)| *known == upper).map(|(_, place)| *place);
        match place.filter(|place| !value.is_empty() && !placed.iter().any(|(taken, _)| taken == place)) {
            Some(place) => placed.push((place, value.clone())),
            None => others.push(name.clone()),
        }
    }
    (placed, others)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn known_tags_have_a_place_and_the_others_are_named() {
        let tag = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let tags = [tag("ARTIST", "A"), tag("date_released", "1999"), tag("IMDB", "tt1"), tag("Artist", "B")];
        let (found, others) = placed(&tags);
        assert_eq!(found, [("artist", "A".to_owned()), ("date", "1999".to_owned())]);
        assert_eq!(others, ["IMDB", "Artist"]);
    }
}
