//! What all tries of a film have in common.
#![deny(unsafe_code)]

use super::chunk::Chunk;
use super::workers::{TryJob, TryKind};
use crate::base::Result;
use crate::config::{EncodeSettings, Quality, Target};
use crate::media::VideoInfo;
use crate::meter::MetricSpec;
use crate::plan::Treatment;
use crate::stages::spec::{encode_spec, factory, video_params};
use crate::store::job::SegmentRecord;
use crate::video::EncodeSpec;

/// A film's settings, as its tries take them.
pub(super) struct TryTemplate {
    settings: EncodeSettings,
    stream: usize,
    video: VideoInfo,
    treatment: Treatment,
    metric: MetricSpec,
}

impl TryTemplate {
    pub(super) fn new(
        settings: &EncodeSettings,
        stream: usize,
        video: VideoInfo,
        treatment: Treatment,
        metric: MetricSpec,
    ) -> Self {
        TryTemplate { settings: settings.clone(), stream, video, treatment, metric }
    }

    pub(super) fn settings(&self) -> &EncodeSettings {
        &self.settings
    }

    pub(super) fn treatment(&self) -> Treatment {
        self.treatment
    }

    /// The level of parallelism that an encoder is told: its own where the bytes follow from it.
    pub(super) fn level(&self, parallelism: u32) -> Result<u32> {
        Ok(if factory(&self.settings)?.traits().same_bytes_in_parallel { parallelism } else { 0 })
    }

    /// The longest chunk, in seconds.
    pub(super) fn longest_chunk(&self) -> f64 {
        match &self.settings.quality {
            Quality::Target(target) => target.chunk_seconds,
            Quality::Crf(_) => Target::default().chunk_seconds,
        }
    }

    /// A job for `chunk`, at the CRF of the settings.
    ///
    /// # Errors
    /// As [`encode_spec`].
    pub(super) fn job(&self, kind: TryKind, chunk: &Chunk) -> Result<TryJob> {
        let params = video_params(&self.video, &chunk.shown);
        Ok(TryJob {
            kind,
            source: self.settings.source().to_path_buf(),
            stream: self.stream,
            span: SegmentRecord::of(&chunk.span),
            from: 0,
            treatment: self.treatment,
            shown: chunk.shown,
            frame_rate: (params.frame_rate.num(), params.frame_rate.den()),
            depth: params.bit_depth,
            encode: EncodeSpec { joined: true, ..encode_spec(&self.settings, &chunk.shown)? },
            metric: self.metric,
            watch: None,
        })
    }
}
