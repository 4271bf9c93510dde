//! Encoders by name, and lists of them.
#![deny(unsafe_code)]

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};

use crate::base::{Error, ErrorKind, Result};

use super::av;
use super::chain::{ChainFactory, encodes_one, proportional};
use super::spec::{EncodeSpec, VideoParams};
use super::svt::SVT_AV1;
use super::traits::EncoderFactory;

/// What `auto` stands for.
const AUTO: [&str; 5] = ["nvenc", "qsv", "vaapi", "videotoolbox", SOFTWARE];

/// Stands for the encoder of a codec that needs no hardware.
const SOFTWARE: &str = "software";

/// How alike (0 to 1) a name has to be to one that was meant.
const ALIKE: f64 = 0.5;

/// The fastest preset where a list of encoders is asked for: presets of lists go from 0 (slowest) to this and are brought to
/// each encoder's own.
const FASTEST_OF_LIST: u8 = 9;

/// Encoders that are not drapto's own.
static INJECTED: Mutex<Vec<&'static dyn EncoderFactory>> = Mutex::new(Vec::new());

/// Lists that were asked for.
static CHAINS: Mutex<BTreeMap<String, &'static ChainFactory>> = Mutex::new(BTreeMap::new());

/// The encoder of that name: `svt-av1`, or one of libavcodec's by its name there: `libx264`; or several with `>` between
/// them, the first of which that works encodes, and of which the next goes on where one fails.
///
/// A further one of libavcodec is a row in the table of `video/av/table.rs`: what it is called there, which option is
/// its quality, its presets, depths and memory. It needs code only where its codec stores packets in another way than
/// the library gives them.
///
/// # Errors
/// `Usage` for a name that is not known, `Unsupported` where libavcodec was built without that encoder.
pub fn encoder(name: &str) -> Result<&'static dyn EncoderFactory> {
    if name.contains('>') {
        return chain(name);
    }
    if name == SVT_AV1.name() {
        return Ok(&SVT_AV1);
    }
    if let Some(factory) = av::factory(name)? {
        return Ok(factory);
    }
    // They may be made of others, and ask for those here.
    let injected = INJECTED.lock().unwrap_or_else(PoisonError::into_inner).clone();
    if let Some(factory) = injected.into_iter().find(|factory| factory.traits().name == name) {
        return Ok(factory);
    }
    let known = names();
    let alike = known.iter().map(|known| (strsim::normalized_damerau_levenshtein(known, name), known));
    let near = alike.max_by(|a, b| a.0.total_cmp(&b.0)).filter(|(alike, _)| *alike >= ALIKE);
    let near = near.map_or(String::new(), |(_, near)| format!("; did you mean {near}?"));
    let message = format!("there is no video encoder {name:?}{near} There are {}", known.join(", "));
    Err(Error::new(ErrorKind::Usage, message))
}

/// The names of all encoders there can be, the default first; libavcodec may have been built without some.
pub fn names() -> Vec<&'static str> {
    std::iter::once(SVT_AV1.name()).chain(av::names()).collect()
}

/// Adds an encoder that is not drapto's own, under the name it says of itself.
#[cfg(any(test, feature = "internals"))]
pub fn inject(factory: &'static dyn EncoderFactory) {
    INJECTED.lock().unwrap_or_else(PoisonError::into_inner).push(factory);
}

/// The chain of a list of names, the same one for the same list.
fn chain(list: &str) -> Result<&'static dyn EncoderFactory> {
    let mut chains = CHAINS.lock().unwrap_or_else(PoisonError::into_inner);
    if let Some(chain) = chains.get(list) {
        return Ok(*chain);
    }
    let members = list.split('>').map(encoder).collect::<Result<Vec<_>>>()?;
    // As many as there are lists that somebody writes.
    let chain: &'static ChainFactory = Box::leak(Box::new(ChainFactory::new(members)?));
    chains.insert(list.to_owned(), chain);
    Ok(chain)
}

/// Whether that asks for a choice among encoders, rather than for one by its name.
pub fn is_choice(asked: &str) -> bool {
    asked == "auto" || asked.contains(',') || AUTO.contains(&asked)
}

/// The names of the encoders that are meant, in order, where `codec` is made: of a list of names, of families of hardware
/// (`nvenc`), of `software` and of `auto`, which stands for all families and then software. A codec that a family does not
/// make is left out of it.
///
/// # Errors
/// `Usage` where nothing is left.
pub fn meant(asked: &str, codec: &str) -> Result<Vec<String>> {
    let mut all: Vec<String> = Vec::new();
    for name in asked.split(',').map(str::trim).filter(|name| !name.is_empty()) {
        let families: &[&str] = match name {
            "auto" => &AUTO,
            family => match AUTO.iter().position(|own| *own == family) {
                Some(at) => &AUTO[at..=at],
                None => {
                    all.push(name.to_owned());
                    continue;
                }
            },
        };
        for family in families {
            let of_it = match (*family, codec) {
                (SOFTWARE, "av1") => Some(SVT_AV1.name()),
                (SOFTWARE, "h264") => Some("libx264"),
                (SOFTWARE, _) => Some("libx265"),
                _ => av::names().find(|own| own.strip_prefix(codec) == Some(&format!("_{family}"))),
            };
            all.extend(of_it.map(str::to_owned));
        }
    }
    let mut seen = std::collections::BTreeSet::new();
    all.retain(|name| seen.insert(name.clone()));
    if all.is_empty() {
        return Err(Error::new(ErrorKind::Usage, format!("none of the encoders {asked:?} makes {codec}")));
    }
    Ok(all)
}

/// The encoder of those `asked` for that is known to work with pictures like `video`, because it encoded one, with those behind
/// it that need no hardware, as [`encoder`] takes it; its preset; and why those before it are not taken.
///
/// `spec` is for the first, with a preset for lists where [`is_choice`] says so.
///
/// # Errors
/// `Unsupported` where none works, with what each says.
pub fn choose(asked: &[String], spec: &EncodeSpec, video: &VideoParams) -> Result<(String, u8, Vec<String>)> {
    let mut passed_over = Vec::new();
    for (at, name) in asked.iter().enumerate() {
        let tried = encoder(name).and_then(|factory| {
            let traits = factory.traits();
            let preset = proportional(spec.preset, FASTEST_OF_LIST, traits.fastest_preset);
            let quality = traits.scale.nearest(spec.quality);
            let own = EncodeSpec { encoder: name.clone(), preset, quality, ..spec.clone() };
            encodes_one(factory, &own, video).map(|()| preset)
        });
        match tried {
            Ok(preset) => {
                let software = |name: &&String| encoder(name).is_ok_and(|factory| !factory.traits().hardware);
                let rest = asked[at + 1..].iter().filter(software).map(String::as_str);
                let first = encoder(name)?.traits();
                let mut chosen = vec![name.as_str()];
                if first.hardware {
                    chosen.extend(rest);
                }
                return Ok((chosen.join(">"), preset, passed_over));
            }
            Err(error) if matches!(error.kind(), ErrorKind::Usage | ErrorKind::Interrupted) && asked.len() == 1 => {
                return Err(error);
            }
            Err(error) => passed_over.push(format!("{name}: {error}")),
        }
    }
    let message = format!("none of the encoders that were asked for works here: {}", passed_over.join("; "));
    Err(Error::new(ErrorKind::Unsupported, message))
}
