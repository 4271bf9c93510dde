//! One file beside its reference: pictures paired by their order, and what the metrics say of the pairs.
#![deny(unsafe_code)]

use std::collections::{BTreeMap, VecDeque};
use std::path::Path;

use super::film::JudgedFilm;
use super::metric::QualityMetric;
use crate::analyze::{Analysis, Looks, OutputFacts, plan_told_by};
use crate::base::{CancelToken, Error, ErrorKind, Result, Timestamp};
use crate::media::{Frame, PixelFormat, StreamInfo};
use crate::meter::{FeatureSet, Model, PairFeature, SessionConfig, Ssimulacra, Stride};
use crate::pixel::Converter;
use crate::plan::{SourceFacts, Treatment};
use crate::stages::treat::{Treat, at_depth};

/// Why scores by metrics that know no HDR are relative ones.
const NO_HDR: &str =
    "the metric was made for SDR: for PQ and HLG its scores compare with each other, and are no others";

/// What is measured of the pairs and how.
#[derive(Clone, Debug)]
pub(super) struct PairingRules {
    pub(super) metrics: Vec<QualityMetric>,
    pub(super) model: Option<Model>,
    pub(super) stride: Stride,
    /// Threads for libvmaf.
    pub(super) threads: u32,
}

/// The reference as it is known before it is decoded.
pub(super) struct ReferenceFacts {
    pub(super) main: StreamInfo,
    facts: SourceFacts,
}

impl ReferenceFacts {
    /// Looks at the reference at `path`, also for black bars where a file is of another size.
    ///
    /// # Errors
    /// `Input` and `Unsupported` for files that cannot be read or hold no video; `Interrupted`.
    pub(super) fn look(path: &Path, files: &[&StreamInfo], cancel: &CancelToken) -> Result<Self> {
        let analysis = Analysis::open(path, cancel)?;
        let main = analysis.main_video()?.clone();
        let size = |stream: &StreamInfo| stream.video.as_ref().map(|v| (v.width, v.height));
        let crop = files.iter().any(|file| size(file) != size(&main));
        let facts = analysis.facts(Looks { crop, fields: true }).map_err(|e| e.with_file(path))?;
        Ok(ReferenceFacts { main, facts })
    }

    /// What makes the reference's pictures those of the file at `path`, as far as that file tells.
    ///
    /// # Errors
    /// As of the plan of an encode.
    pub(super) fn treatment(&self, path: &Path, file: &StreamInfo, cancel: &CancelToken) -> Result<Treatment> {
        let said = OutputFacts::of(path, cancel);
        Ok(plan_told_by(&said, file.video.as_ref(), &self.facts, &self.main)?.treatment)
    }
}

/// What was done to the reference, in words; empty where nothing was.
pub(super) fn treated_words(treatment: &Treatment) -> String {
    let mut out = Vec::new();
    if treatment.deinterlace.is_some() {
        out.push("deinterlaced".to_owned());
    }
    if treatment.is_cropped() {
        out.push(format!("cropped to {}", treatment.crop));
    }
    if treatment.flip.is_some() {
        out.push("mirrored".to_owned());
    }
    if let Some((width, height)) = treatment.scale {
        out.push(format!("scaled to {width}x{height}"));
    }
    out.join(", ")
}

/// The metrics of one file beside its reference.
pub(super) struct Pairing {
    rules: PairingRules,
    treatment: Treatment,
    treat: Treat,
    ready: VecDeque<Frame>,
    set: Option<FeatureSet>,
    depth: u8,
    converters: (Converter, Converter),
    ssimulacra: Option<Ssimulacra>,
    absent: Vec<(QualityMetric, String)>,
    /// The times of both pictures of each pair.
    times: Vec<(Timestamp, Timestamp)>,
    missing: u64,
    hdr: bool,
}

/// What a [`Pairing`] came to.
pub(super) struct PairedFilm {
    pub(super) treatment: Treatment,
    /// The scores by metric: one for each `stride`-th pair.
    pub(super) scores: BTreeMap<QualityMetric, Vec<f32>>,
    pub(super) model: Option<Model>,
    pub(super) absent: Vec<(QualityMetric, String)>,
    pub(super) times: Vec<(Timestamp, Timestamp)>,
    /// Pictures of the reference that have no partner.
    pub(super) missing: u64,
    /// Pictures of the file that have none.
    pub(super) extra: u64,
    hdr: bool,
}

impl Pairing {
    pub(super) fn new(rules: PairingRules, treatment: Treatment) -> Self {
        Pairing {
            rules,
            treatment,
            treat: Treat::new(treatment),
            ready: VecDeque::new(),
            set: None,
            depth: 10,
            converters: (Converter::new(), Converter::new()),
            ssimulacra: None,
            absent: Vec::new(),
            times: Vec::new(),
            missing: 0,
            hdr: false,
        }
    }

    /// Takes the next picture of the reference as it was decoded, and as many of the file as follow from that.
    ///
    /// # Errors
    /// `Unsupported` for pictures that cannot be compared, `Encode` where a metric fails.
    pub(super) fn push(&mut self, reference: Frame, film: &mut JudgedFilm) -> Result<()> {
        self.treat.push(reference, &mut self.ready)?;
        self.pair(film)
    }

    fn pair(&mut self, film: &mut JudgedFilm) -> Result<()> {
        while let Some(reference) = self.ready.pop_front() {
            match film.next()? {
                Some(picture) => {
                    let picture = film.upright(picture)?;
                    self.score(reference, picture)?;
                }
                None => self.missing += 1,
            }
        }
        Ok(())
    }

    fn score(&mut self, reference: Frame, picture: Frame) -> Result<()> {
        let sizes = ((reference.width, reference.height), (picture.width, picture.height));
        if sizes.0 != sizes.1 {
            let ((rw, rh), (w, h)) = sizes;
            let message =
                format!("the pictures differ in size: the reference's comes to {rw}x{rh}, the file's is {w}x{h}");
            return Err(Error::new(ErrorKind::Unsupported, message).at(picture.pts));
        }
        if self.set.is_none() {
            self.open(&reference, &picture)?;
        }
        let index = self.times.len() as u64;
        self.times.push((reference.pts, picture.pts));
        if let Some(ssimulacra) = &mut self.ssimulacra {
            ssimulacra.push(index, &reference, &picture)?;
        }
        let one = at_depth(&mut self.converters.0, reference, self.depth)?;
        let other = at_depth(&mut self.converters.1, picture, self.depth)?;
        let Some(set) = &mut self.set else { return Ok(()) };
        if set.features().is_empty() { Ok(()) } else { set.push(index, &one, &other) }
    }

    fn open(&mut self, reference: &Frame, picture: &Frame) -> Result<()> {
        let eight = reference.format == PixelFormat::YUV420P8 && picture.format == PixelFormat::YUV420P8;
        self.depth = if eight { 8 } else { 10 };
        self.converters = (Converter::to_depth(self.depth), Converter::to_depth(self.depth));
        self.hdr = reference.color.transfer.is_hdr() || picture.color.transfer.is_hdr();
        let (width, height) = (picture.width, picture.height);
        let model = self.rules.model.unwrap_or_else(|| Model::for_size(width, height));
        let mut config = SessionConfig::new(model, width, height, self.depth);
        (config.stride, config.threads) = (self.rules.stride, self.rules.threads);
        let wanted: Vec<PairFeature> = self.rules.metrics.iter().filter_map(|m| m.feature()).collect();
        let (set, absent) = FeatureSet::open(&wanted, config)?;
        let metric = |feature| QualityMetric::ALL.iter().copied().find(|m| m.feature() == Some(feature));
        self.absent.extend(absent.into_iter().filter_map(|(feature, why)| Some((metric(feature)?, why))));
        self.set = Some(set);
        if self.rules.metrics.contains(&QualityMetric::Ssimulacra2) {
            match self.hdr {
                true => self.absent.push((QualityMetric::Ssimulacra2, "it knows no PQ and no HLG".to_owned())),
                false => self.ssimulacra = Some(Ssimulacra::new(self.rules.stride)),
            }
        }
        if self.rules.metrics.contains(&QualityMetric::Xpsnr) {
            let why = "this drapto does not measure it: libavfilter has it from 7.1 on only";
            self.absent.push((QualityMetric::Xpsnr, why.to_owned()));
        }
        Ok(())
    }

    /// After the reference's last picture.
    ///
    /// # Errors
    /// As [`push`](Self::push), and `Input` where there was no pair.
    pub(super) fn finish(mut self, film: &mut JudgedFilm) -> Result<PairedFilm> {
        self.treat.finish(&mut self.ready)?;
        self.pair(film)?;
        let mut extra = 0;
        while film.next()?.is_some() {
            extra += 1;
        }
        let Some(set) = self.set else {
            return Err(Error::new(ErrorKind::Input, "there is no picture to compare"));
        };
        let model = set.model();
        let mut scores = BTreeMap::new();
        for series in set.finish()? {
            let metric = QualityMetric::ALL.iter().find(|m| m.feature() == Some(series.feature));
            let values = series.scores.into_iter().map(|score| score as f32).collect();
            metric.map(|metric| scores.insert(*metric, values));
        }
        if let Some(ssimulacra) = self.ssimulacra {
            let values = ssimulacra.finish().into_iter().map(|s| s.score as f32).collect();
            scores.insert(QualityMetric::Ssimulacra2, values);
        }
        Ok(PairedFilm {
            treatment: self.treatment,
            scores,
            model,
            absent: self.absent,
            times: self.times,
            missing: self.missing,
            extra,
            hdr: self.hdr,
        })
    }
}

impl PairedFilm {
    /// Why the scores of a metric are relative, where they are.
    pub(super) fn relative(&self, metric: QualityMetric) -> Option<&'static str> {
        use QualityMetric as M;
        (self.hdr && matches!(metric, M::Vmaf | M::Ciede2000 | M::Cambi)).then_some(NO_HDR)
    }
}
