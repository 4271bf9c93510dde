//! Languages as Matroska names them: an ISO 639-2 code for every reader, a BCP 47 tag for newer ones.
//!
//! Owns the tables of codes that have two forms. Sources bring either form: MP4 the terminological codes
//! (`deu`), Matroska the bibliographic ones (`ger`) or BCP 47 tags (`de-CH`).
#![deny(unsafe_code)]

/// The codes of one track or chapter title.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Language {
    /// ISO 639-2, bibliographic form, `und` where unknown: the `Language` and `ChapLanguage` elements.
    pub iso639_2: String,
    /// BCP 47, where the source gave more than an ISO 639-2 code: the `…BCP47` elements.
    pub bcp47: Option<String>,
}

/// ISO 639-1 codes, each followed by the ISO 639-2/B code of the same language.
const TWO_LETTERS: &str = "\
    aaaar ababk aeave afafr akaka amamh anarg arara asasm avava ayaym azaze babak bebel bgbul bhbih bibis \
    bmbam bnben botib brbre bsbos cacat ceche chcha cocos crcre cscze cuchu cvchv cywel dadan deger dvdiv \
    dzdzo eeewe elgre eneng eoepo esspa etest eubaq faper ffful fifin fjfij fofao frfre fyfry gagle gdgla \
    glglg gngrn guguj gvglv hahau heheb hihin hohmo hrhrv hthat huhun hyarm hzher iaina idind ieile igibo \
    iiiii ikipk ioido isice itita iuiku jajpn jvjav kageo kgkon kikik kjkua kkkaz klkal kmkhm knkan kokor \
    krkau kskas kukur kvkom kwcor kykir lalat lbltz lglug lilim lnlin lolao ltlit lulub lvlav mgmlg mhmah \
    mimao mkmac mlmal mnmon mrmar msmay mtmlt mybur nanau nbnob ndnde nenep ngndo nldut nnnno nonor nrnbl \
    nvnav nynya ococi ojoji omorm orori ososs papan pipli plpol pspus ptpor quque rmroh rnrun rorum rurus \
    rwkin sasan scsrd sdsnd sesme sgsag sisin skslo slslv smsmo snsna sosom sqalb srsrp ssssw stsot susun \
    svswe swswa tatam tetel tgtgk ththa titir tktuk tltgl tntsn toton trtur tstso tttat twtwi tytah uguig \
    ukukr ururd uzuzb veven vivie vovol wawln wowol xhxho yiyid yoyor zazha zhchi zuzul";

/// Terminological ISO 639-2 codes and the bibliographic ones Matroska asks for.
const BIBLIOGRAPHIC: [(&str, &str); 20] = [
    ("bod", "tib"),
    ("ces", "cze"),
    ("cym", "wel"),
    ("deu", "ger"),
    ("ell", "gre"),
    ("eus", "baq"),
    ("fas", "per"),
    ("fra", "fre"),
    ("hye", "arm"),
    ("isl", "ice"),
    ("kat", "geo"),
    ("mkd", "mac"),
    ("mri", "mao"),
    ("msa", "may"),
    ("mya", "bur"),
    ("nld", "dut"),
    ("ron", "rum"),
    ("slk", "slo"),
    ("sqi", "alb"),
    ("zho", "chi"),
];

/// Languages that ISO 639-2 has no code for, by the macrolanguage that has one (RFC 5646 §3.1.9, "Macrolanguage").
const ENCOMPASSED: [(&str, &str); 10] = [
    ("chi", "cmn yue nan wuu hak gan hsn cjy cdo czh czo mnp cpx lzh"),
    ("ara", "arb arz apc ary acm ajp afb aeb arq ars ayl apd"),
    ("may", "zsm"),
    ("per", "pes prs"),
    ("est", "ekk vro"),
    ("lav", "lvs ltg"),
    ("mon", "khk"),
    ("swa", "swh"),
    ("kur", "ckb kmr sdh"),
    ("uzb", "uzn uzs"),
];

/// What to write for a source's language.
///
/// `None` and what is no language tag at all give `und`. A plain three-letter code gives no BCP 47 tag, as
/// it says nothing more; two-letter codes and tags with subtags (`pt-BR`) give both.
pub fn language(source: Option<&str>) -> Language {
    let undetermined = || Language { iso639_2: "und".to_owned(), bcp47: None };
    // POSIX writes pt_BR; case is free in BCP 47 and lower in ISO 639.
    let Some(tag) = source.map(|s| s.trim().replace('_', "-")) else { return undetermined() };
    let mut subtags = tag.split('-');
    let primary = subtags.next().unwrap_or_default().to_ascii_lowercase();
    let rest: Vec<&str> = subtags.collect();
    let alphanumeric = |s: &&str| (1..=8).contains(&s.len()) && s.bytes().all(|b| b.is_ascii_alphanumeric());
    if !(2..=3).contains(&primary.len())
        || !primary.bytes().all(|b| b.is_ascii_lowercase())
        || !rest.iter().all(alphanumeric)
    {
        return undetermined();
    }
    let (iso639_2, short) = if primary.len() == 2 {
        let Some(code) = from_two_letters(&primary) else { return undetermined() };
        (code.to_owned(), Some(primary.clone()))
    } else {
        let code = bibliographic(&primary);
        let short = to_two_letters(code).map(str::to_owned);
        (code.to_owned(), short)
    };
    let around = ENCOMPASSED.iter().find(|(_, within)| within.split(' ').any(|code| code == primary));
    if let Some((code, _)) = around {
        let bcp47 = Some([vec![primary.as_str()], rest].concat().join("-"));
        return Language { iso639_2: (*code).to_owned(), bcp47 };
    }
    if primary.len() == 3 && rest.is_empty() {
        return Language { iso639_2, bcp47: None };
    }
    // RFC 5646 §2.2.1: the shortest code of a language is the one to use.
    let mut bcp47 = short.unwrap_or(primary);
    for subtag in rest {
        bcp47.push('-');
        bcp47.push_str(subtag);
    }
    Language { iso639_2, bcp47: Some(bcp47) }
}

fn bibliographic(code: &str) -> &str {
    BIBLIOGRAPHIC.iter().find(|(t, _)| *t == code).map_or(code, |(_, b)| b)
}

fn entries() -> impl Iterator<Item = (&'static str, &'static str)> {
    TWO_LETTERS.split_ascii_whitespace().filter_map(|entry| entry.split_at_checked(2))
}

fn from_two_letters(code: &str) -> Option<&'static str> {
    entries().find(|(two, _)| *two == code).map(|(_, three)| three)
}

fn to_two_letters(code: &str) -> Option<&'static str> {
    entries().find(|(_, three)| *three == code).map(|(two, _)| two)
}

/// The ISO 639-2 code of a language in its terminological form (`deu`), as MP4 wants it; `und` where unknown.
pub fn terminological(name: &str) -> String {
    let code = language(Some(name)).iso639_2;
    let known = BIBLIOGRAPHIC.iter().find(|(_, bibliographic)| *bibliographic == code);
    known.map_or(code, |(terminological, _)| (*terminological).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both(source: &str) -> (String, Option<String>) {
        let l = language(Some(source));
        (l.iso639_2, l.bcp47)
    }

    #[test]
    fn every_form_a_source_brings_gives_the_code_readers_know() {
        assert_eq!(both("eng"), ("eng".into(), None));
        assert_eq!(both("deu"), ("ger".into(), None));
        assert_eq!(both("en"), ("eng".into(), Some("en".into())));
        assert_eq!(both("pt-BR"), ("por".into(), Some("pt-BR".into())));
        assert_eq!(both("zh_Hant"), ("chi".into(), Some("zh-Hant".into())));
        assert_eq!(both("fre-ca"), ("fre".into(), Some("fr-ca".into())));
        assert_eq!(both("cmn-Hans"), ("chi".into(), Some("cmn-Hans".into())));
        assert_eq!(both("yue"), ("chi".into(), Some("yue".into())));
        assert_eq!(both("es-419"), ("spa".into(), Some("es-419".into())));
        assert_eq!(both("sr-Latn-RS"), ("srp".into(), Some("sr-Latn-RS".into())));
        assert_eq!(both("und"), ("und".into(), None));
    }

    #[test]
    fn what_is_no_language_is_undetermined() {
        for source in ["", "English", "```", "e", "xx", "en-", "日本"] {
            assert_eq!(both(source), ("und".into(), None), "{source}");
        }
        assert_eq!(language(None).iso639_2, "und");
    }

    #[test]
    fn the_tables_are_sorted_and_have_no_terminological_codes() {
        let all: Vec<_> = entries().collect();
        assert!(all.len() > 180 && all.windows(2).all(|w| w[0].0 < w[1].0));
        assert!(all.iter().all(|(two, three)| two.len() == 2 && three.len() == 3));
        assert!(all.iter().all(|(_, three)| BIBLIOGRAPHIC.iter().all(|(t, _)| t != three)));
    }
}
