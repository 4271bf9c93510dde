//! libavcodec's encoders behind the room's trait.
#![deny(unsafe_code)]

use std::sync::OnceLock;

use crate::av::{CodecEncoder, CodecSettings, has_video_encoder, versions};
use crate::base::{CancelToken, Error, ErrorKind, Rational, Result};
use crate::media::{Color, Crf, HdrStatic, PixelFormat, Subsampling};
use crate::video::facts::{EncoderTraits, QualityScale};
use crate::video::spec::{EncodeSpec, VideoParams, nominal_rate};
use crate::video::traits::{EncoderFactory, VideoEncoder};

use super::encoder::AvEncoder;
use super::parameters::{self, Further, Parameters};
use super::table::{EncoderRow, ROWS, StoredForm};

/// The encoder of that name; `None` where the table has none, `Unsupported` where libavcodec has none.
pub(in crate::video) fn factory(name: &str) -> Result<Option<&'static dyn EncoderFactory>> {
    let Some(factory) = factories().iter().find(|factory| factory.row.name == name) else { return Ok(None) };
    if !has_video_encoder(name) {
        return Err(Error::new(ErrorKind::Unsupported, format!("this FFmpeg has no video encoder {name}")));
    }
    Ok(Some(factory))
}

/// The names in the table.
pub(in crate::video) fn names() -> impl Iterator<Item = &'static str> {
    ROWS.iter().map(|row| row.name)
}

fn factories() -> &'static [AvFactory] {
    static ALL: OnceLock<Vec<AvFactory>> = OnceLock::new();
    ALL.get_or_init(|| ROWS.iter().map(|row| AvFactory { row, depths: OnceLock::new() }).collect())
}

#[derive(Debug)]
struct AvFactory {
    row: &'static EncoderRow,
    /// Found out at the first question, by opening it.
    depths: OnceLock<&'static [u8]>,
}

impl AvFactory {
    /// The depths it was built for: one opens, the other does not.
    fn depths(&self) -> &'static [u8] {
        let takes = |depth| {
            let options = parameters::options(self.row, (&Parameters::new(), false), &HdrStatic::default(), &[]);
            let settings = settings(self.row, (64, 64), depth, Rational::ONE, Color::default());
            CodecEncoder::open(&CodecSettings { options: &options, ..settings }).is_ok()
        };
        if let Some(hardware) = self.row.hardware {
            return hardware.depths;
        }
        self.depths.get_or_init(|| match (takes(8), takes(10)) {
            (true, true) => &[8, 10],
            (true, false) => &[8],
            (false, true) => &[10],
            (false, false) => &[],
        })
    }

    /// Opens it, or finds out which of the user's parameters it is that it refuses.
    fn open_with(
        &self,
        settings: &CodecSettings<'_>,
        own: (&Parameters, bool),
        hdr: &HdrStatic,
        further: &[Further],
    ) -> Result<CodecEncoder> {
        let open = |further: &[Further]| {
            let options = parameters::options(self.row, own, hdr, further);
            CodecEncoder::open(&CodecSettings { options: &options, ..settings.clone() })
        };
        let error = match open(further) {
            Ok(encoder) => return Ok(encoder),
            Err(error) => error,
        };
        if further.is_empty() || error.kind() == ErrorKind::Usage || open(&[]).is_err() {
            return Err(error);
        }
        let refused = further.iter().find(|one| open(std::slice::from_ref(one)).is_err());
        let name = self.row.name;
        let message = match refused {
            Some(Further { name: key, value, .. }) => {
                format!("{name} does not know the parameter {key}={value} (unknown name, or a value it does not take)")
            }
            None => format!("{name} refuses these parameters together: {}", list(further)),
        };
        Err(Error::new(ErrorKind::Usage, message))
    }
}

fn list(further: &[Further]) -> String {
    further.iter().map(|one| format!("{}={}", one.name, one.value)).collect::<Vec<_>>().join(", ")
}

fn settings(
    row: &EncoderRow,
    size: (u32, u32),
    depth: u8,
    frame_rate: Rational,
    color: Color,
) -> CodecSettings<'static> {
    CodecSettings {
        name: row.name,
        size,
        format: PixelFormat::Planar { subsampling: Subsampling::Yuv420, depth },
        frame_rate,
        sample_aspect_ratio: None,
        color,
        keyframe_interval: 250,
        threads: row.threads,
        upload: row.hardware.and_then(|hardware| hardware.upload),
        semi_planar: row.hardware.is_some(),
        options: &[],
    }
}

impl EncoderFactory for AvFactory {
    fn traits(&self) -> EncoderTraits {
        let row = self.row;
        // All are on the scale.
        let crf = |quarters| Crf::from_quarters(quarters).unwrap_or(Crf::MAX);
        EncoderTraits {
            name: row.name,
            codec: row.form.codec(),
            limits: row.limits,
            depths: self.depths(),
            scale: QualityScale {
                min: Crf::MIN,
                max: crf(row.worst),
                step: row.step,
                lower_is_better: true,
                default_hd: crf(row.defaults[0]),
                default_uhd: crf(row.defaults[1]),
            },
            fastest_preset: row.presets.len().saturating_sub(1) as u8,
            memory: row.memory,
            probe: row.probe,
            search: row.search,
            reorders: row.form != StoredForm::Av1,
            hardware: row.hardware.is_some(),
            film_grain: false,
            same_bytes_in_parallel: false,
        }
    }

    fn many_at_once(&self) -> bool {
        true
    }

    fn version(&self) -> String {
        let found = versions().into_iter().find(|(name, _)| *name == "libavcodec");
        format!("{} (libavcodec {})", self.row.name, found.map(|(_, version)| version).unwrap_or_default())
    }

    fn parameters(&self, spec: &EncodeSpec, video: &VideoParams) -> Result<Vec<(String, String)>> {
        let mut all = parameters::own(self.row, spec);
        all.push(("g".to_owned(), spec.keyframes.frames(video.frame_rate).to_string()));
        let further = parameters::further(self.row, &spec.parameters)?;
        all.extend(further.into_iter().map(|one| (one.name, one.value)));
        Ok(all)
    }

    fn open(&self, spec: &EncodeSpec, video: &VideoParams, cancel: &CancelToken) -> Result<Box<dyn VideoEncoder>> {
        cancel.check()?;
        let (row, traits) = (self.row, self.traits());
        spec.check(&traits)?;
        video.check(&traits)?;
        let further = parameters::further(row, &spec.parameters)?;
        let (num, den) = nominal_rate(video.frame_rate);
        let rate = Rational::positive(num as i32, den as i32).unwrap_or(video.frame_rate);
        let settings = CodecSettings {
            sample_aspect_ratio: video.sample_aspect_ratio,
            keyframe_interval: spec.keyframes.frames(video.frame_rate),
            threads: if spec.parallelism == 0 { row.threads } else { spec.parallelism },
            ..settings(row, (video.width, video.height), video.bit_depth, rate, video.color)
        };
        let inner = self.open_with(&settings, (&parameters::own(row, spec), spec.joined), &video.hdr, &further)?;
        let encoder = AvEncoder::new(inner, row, (video.width, video.height), video.bit_depth, spec.forced_keyframes)?;
        Ok(Box::new(encoder))
    }
}
