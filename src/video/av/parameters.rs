//! A spec as the options of one of libavcodec's encoders.
#![deny(unsafe_code)]

use crate::base::{Error, ErrorKind, Rational, Result};
use crate::media::{HdrStatic, MasteringDisplay};
use crate::video::spec::EncodeSpec;

use super::table::{EncoderRow, StoredForm};

/// How alike (0 to 1) a key has to be to one that was meant.
const ALIKE: f64 = 0.5;

/// Names and values.
pub(super) type Parameters = Vec<(String, String)>;

/// What the encoder is told by our own settings.
pub(super) fn own(row: &EncoderRow, spec: &EncodeSpec) -> Parameters {
    let preset = row.presets.get(usize::from(spec.preset)).copied().unwrap_or_default();
    let mut all: Parameters = row.always.iter().map(|(name, value)| pair(name, value)).collect();
    if !preset.is_empty() {
        all.push(pair("preset", preset));
    }
    all.push(pair(row.quality, &(row.told)(spec.quality)));
    all
}

/// What the user adds, in order and one entry a key: an option, or a key of the encoder's list.
///
/// # Errors
/// `Usage` for what our own settings decide, and for keys that the encoder is known not to know, naming them.
pub(super) fn further(row: &EncoderRow, parameters: &[(String, String)]) -> Result<Vec<Further>> {
    let mut all = Vec::new();
    for (name, value) in parameters {
        if row.lists.contains(&name.as_str()) {
            for entry in value.split(':').filter(|entry| !entry.is_empty()) {
                let (key, value) = entry.split_once('=').unwrap_or((entry, "1"));
                all.push(Further { name: key.to_owned(), value: value.to_owned(), listed: true });
            }
        } else {
            let plain = name.strip_prefix("no-").unwrap_or(name);
            // A key of the list may be said without it.
            let listed = row.keys.is_some_and(|keys| keys.contains(&plain));
            all.push(Further { name: name.clone(), value: value.clone(), listed });
        }
    }
    all.iter().filter(|one| one.listed).try_for_each(|one| known(row, one))?;
    match all.iter().find(|further| row.is_reserved(&further.name)) {
        Some(Further { name, value, .. }) => Err(Error::new(
            ErrorKind::Usage,
            format!(
                "{} parameter {name}={value}: {name} is decided by drapto's own settings and cannot be passed on",
                row.name
            ),
        )),
        None => Ok(all),
    }
}

/// Refuses a key of the list that the encoder would pass over.
fn known(row: &EncoderRow, Further { name, value, .. }: &Further) -> Result<()> {
    let Some(keys) = row.keys else { return Ok(()) };
    let plain = name.strip_prefix("no-").unwrap_or(name);
    if keys.contains(&plain) || row.is_reserved(plain) {
        return Ok(());
    }
    let alike = keys.iter().map(|key| (strsim::normalized_damerau_levenshtein(key, plain), key));
    let near = alike.max_by(|a, b| a.0.total_cmp(&b.0)).filter(|(alike, _)| *alike >= ALIKE);
    let near = near.map_or(String::new(), |(_, near)| format!("; did you mean {near}?"));
    let message = format!("{} does not know the parameter {name}={value}{near}", row.name);
    Err(Error::new(ErrorKind::Usage, message))
}

/// One parameter of the user's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Further {
    pub(super) name: String,
    pub(super) value: String,
    /// Whether it is a key of the encoder's list rather than an option of libavcodec.
    pub(super) listed: bool,
}

/// All options for libavcodec, where later ones replace earlier ones of the same name, and the list as one of them.
pub(super) fn options(
    row: &EncoderRow,
    (own, joined): (&Parameters, bool),
    hdr: &HdrStatic,
    further: &[Further],
) -> Parameters {
    let mut all = own.clone();
    let for_joining = if joined { row.joined_listed } else { &[] };
    let listed = row.always_listed.iter().chain(for_joining);
    let mut list: Vec<String> = listed.map(|(name, value)| format!("{name}={value}")).collect();
    if row.hardware.is_none() {
        list.extend(hdr10(hdr, row.form));
    }
    for Further { name, value, listed } in further {
        match listed {
            true => list.push(format!("{name}={value}")),
            false => all.push(pair(name, value)),
        }
    }
    if !list.is_empty() {
        all.push(pair(row.list, &list.join(":")));
    }
    all
}

fn pair(name: &str, value: &str) -> (String, String) {
    (name.to_owned(), value.to_owned())
}

/// HDR10 metadata in the words of x264 and x265: H.264 D.2.29 and D.2.31, H.265 D.3.28 and D.3.35, in their own units.
///
/// libavcodec's wrappers carry it from FFmpeg 7 on only; these keys do in all versions. A display whose white point or
/// greatest luminance is unknown is left out, as a player could not use it.
fn hdr10(hdr: &HdrStatic, form: StoredForm) -> Vec<String> {
    let (display_key, light_key) = match form {
        StoredForm::H264 => ("mastering-display", "cll"),
        StoredForm::Hevc => ("master-display", "max-cll"),
        StoredForm::Av1 => return Vec::new(),
    };
    let display = hdr.mastering_display.as_ref().filter(|d| d.max_luminance.num() > 0 && d.white[0].num() > 0);
    let light = hdr.content_light.filter(|light| light.max_cll > 0);
    let light = light.map(|l| format!("{light_key}={},{}", l.max_cll.min(0xffff), l.max_fall.min(0xffff)));
    display.map(|d| format!("{display_key}={}", mastering_display(d))).into_iter().chain(light).collect()
}

fn mastering_display(d: &MasteringDisplay) -> String {
    let units = |value: Rational, a_unit: i64| {
        let (num, den) = (i64::from(value.num()) * a_unit, i64::from(value.den()));
        ((2 * num + den).div_euclid(2 * den)).clamp(0, i64::from(u32::MAX))
    };
    let xy = |p: [Rational; 2]| format!("({},{})", units(p[0], 50_000), units(p[1], 50_000));
    let luminance = [d.max_luminance, d.min_luminance].map(|l| units(l, 10_000));
    let [green, blue, red, white] = [d.green, d.blue, d.red, d.white].map(xy);
    format!("G{green}B{blue}R{red}WP{white}L({},{})", luminance[0], luminance[1])
}

#[cfg(test)]
mod tests {
    use super::super::table::ROWS;
    use super::*;

    #[test]
    fn lists_are_taken_apart_and_put_together_in_the_form_that_refuses_unknown_keys() {
        let given = [pair("bf", "3"), pair("x264-params", "ref=4:no-mbtree"), pair("x264opts", "aq-mode=2")];
        let further = further(&ROWS[0], &given).unwrap();
        let options = options(&ROWS[0], (&Vec::new(), false), &HdrStatic::default(), &further);
        assert_eq!(options, [pair("bf", "3"), pair("x264opts", "ref=4:no-mbtree=1:aq-mode=2")]);
    }

    #[test]
    fn a_key_that_x265_only_warns_of_is_refused_with_the_nearest() {
        let x265 = &ROWS[1];
        let refused = |value: &str| further(x265, &[pair("x265-params", value)]).unwrap_err().to_string();
        assert!(refused("aq-mod=3").contains("aq-mod=3; did you mean aq-mode?"));
        assert!(refused("rd=4:zzzzzzzzzz=1").contains("zzzzzzzzzz=1"));
        assert!(refused("repeat-headers=1").contains("drapto's own settings"));
        further(x265, &[pair("x265-params", "no-sao=1:aq-mode=3:no-cutree")]).unwrap();
        let options = options(
            x265,
            (&Vec::new(), true),
            &HdrStatic::default(),
            &further(x265, &[pair("x265-params", "rd=4")]).unwrap(),
        );
        assert_eq!(options, [pair("x265-params", "log-level=none:open-gop=0:info=0:rd=4")]);
    }

    #[test]
    fn what_our_own_settings_decide_cannot_be_passed_on() {
        for (name, value, part) in [("crf", "20", "crf=20"), ("x264-params", "aq-mode=1:annexb=0", "annexb=0")] {
            let error = further(&ROWS[0], &[pair(name, value)]).unwrap_err();
            assert_eq!(error.kind(), ErrorKind::Usage);
            assert!(error.to_string().contains(part), "{error}");
        }
    }
}
