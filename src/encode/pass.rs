//! One pass over a source into any number of files, as a graph.
//!
//! ```text
//!                      ┌─► convert ─► encode ─┬─► check          (one such row a file)
//! demux ─► decode ─────┤                      └─► track ─► mux ─► file
//!   │                  ├─► convert ─► …
//!   │                  └─► stills
//!   ├────► audio (one a stream, an encoder a treatment) ─► mux (of every file that has it)
//!   └────► copied packets ───────────────────────────────► mux (of every file)
//! ```
//!
//! A picture that was encoded in chunks before comes from its job directory instead of the decoder.

use std::collections::{BTreeMap, VecDeque};
use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;

use super::tracks::Tracks;
use crate::av::{Input, InputPacket, SubtitleConverter};
use crate::base::Result;
use crate::config::EncodeSettings;
use crate::container::{Format, MuxStats};
use crate::flow::{Bound, Graph, Outlet, Port, Promise};
use crate::media::{Frame, MediaInfo};
use crate::meter::MetricSpec;
use crate::pixel::Converter;
use crate::plan::{PicturePlan, SoundLevel};
use crate::search::{Film, chunks};
use crate::source::{AudioDecoder, Source, VideoDecoder, video_options};
use crate::stages::demux::{Demux, DemuxFindings, Route};
use crate::stages::describe::FileDescription;
use crate::stages::mux::{Mux, MuxMessage, TrackOut};
use crate::stages::pairing::{FrameNote, Kept};
use crate::stages::picture::{
    AsReference, Check, CheckFound, CodedPicture, Convert, ConvertFound, Decode, DecodeFound, Encode, EncodeFound,
};
use crate::stages::progress::Progress;
use crate::stages::sound::{AudioFindings, EncodeSound, SoundOut};
use crate::stages::spec::factory;
use crate::stages::streams::{StreamDecision, Task};
use crate::stages::track::{TrackPlan, TrackStage, VideoFindings};
use crate::stages::treat::{Treat, dolby_vision_record};
use crate::still::{MadeStill, StillWatch, WatchStills};
use crate::store::job::Job;

/// Pictures a queue holds: enough to smooth the decoder's bursts, few enough not to matter beside the
/// encoder's own look-ahead.
const FRAMES: Bound = Bound::new(4, 192 << 20);
const PACKETS: Bound = Bound::new(256, 16 << 20);

/// Coded pictures beside their frames, where those are kept for a metric.
const SCORED: Bound = Bound::new(32, 16 << 20);

/// Everything a pass starts from.
pub(super) struct PassPlan<'a> {
    pub(super) info: &'a MediaInfo,
    /// What becomes of streams, by group of files that have the same sound.
    pub(super) sound: Vec<PassSound<'a>>,
    pub(super) outputs: Vec<PassOutput<'a>>,
    /// What watches the decoded pictures for stills; only where any file is encoded.
    pub(super) stills: Option<StillWatch>,
}

/// What becomes of streams in a group of files.
pub(super) struct PassSound<'a> {
    /// One a stream, as Matroska holds it.
    pub(super) decisions: &'a [StreamDecision],
    /// What is done to the loudness of streams.
    pub(super) levels: &'a BTreeMap<usize, SoundLevel>,
}

/// One file of a pass.
pub(super) struct PassOutput<'a> {
    pub(super) settings: &'a EncodeSettings,
    pub(super) picture: &'a PicturePlan,
    /// What becomes of each stream in this file.
    pub(super) decisions: &'a [StreamDecision],
    /// Its group of those that have the same sound.
    pub(super) sound: usize,
    /// What this file says of itself.
    pub(super) said: &'a FileDescription,
    pub(super) format: Format,
    pub(super) file: File,
    /// Where it is while it is written.
    pub(super) path: PathBuf,
    /// The picture track, where it is encoded already.
    pub(super) finished: Option<FinishedPicture>,
    pub(super) progress: Arc<Progress>,
}

impl PassOutput<'_> {
    /// What becomes of a source stream in this file.
    fn task(&self, stream: usize) -> Option<&Task> {
        self.decisions.iter().find(|d| d.index == stream).map(|d| &d.task)
    }

    /// The number of the track that is made of a source stream.
    fn number(&self, stream: usize) -> Option<usize> {
        self.said.tracks.iter().position(|track| track.stream == stream)
    }
}

/// A picture track whose chunks are in a job directory.
pub(super) struct FinishedPicture {
    pub(super) job: Arc<Job>,
    pub(super) film: Film,
}

/// What the stages of a pass will have found.
pub(super) struct PassPromises {
    demux: Promise<DemuxFindings>,
    decode: Option<Promise<DecodeFound>>,
    /// By source stream, for the groups that encode it.
    audio: BTreeMap<usize, EncodedSound>,
    groups: usize,
    stills: Option<Promise<Vec<MadeStill>>>,
    outputs: Vec<OutputPromises>,
}

/// The groups that encode a stream, and what came of it for each.
struct EncodedSound {
    groups: Vec<usize>,
    found: Promise<Vec<AudioFindings>>,
}

struct OutputPromises {
    picture: PicturePromises,
    track: Promise<Option<VideoFindings>>,
    mux: Promise<MuxStats>,
}

enum PicturePromises {
    Encoded {
        convert: Promise<ConvertFound>,
        encode: Promise<EncodeFound>,
        check: Promise<CheckFound>,
    },
    /// The mean CRF over its frames. Each was decoded when it was scored, and the chunk files are as they were then.
    Finished {
        crf: f64,
    },
}

/// What a pass came to.
pub(super) struct PassFindings {
    pub(super) demux: DemuxFindings,
    pub(super) decode: DecodeFound,
    /// By group, then by source stream index.
    pub(super) audio: Vec<BTreeMap<usize, AudioFindings>>,
    /// Where it was watched for stills.
    pub(super) stills: Option<Vec<MadeStill>>,
    /// In the order of the plan.
    pub(super) outputs: Vec<OutputFindings>,
}

/// What one file of a pass came to.
pub(super) struct OutputFindings {
    pub(super) converted: ConvertFound,
    pub(super) checked: CheckFound,
    pub(super) crf: f64,
    pub(super) video: Option<VideoFindings>,
    pub(super) mux: MuxStats,
}

/// Adds all stages of `plan` to `graph`.
///
/// # Errors
/// Of opening decoders and encoders.
pub(super) fn build(graph: &mut Graph, mut plan: PassPlan<'_>, mut source: Source) -> Result<PassPromises> {
    let watch = plan.stills.take();
    let sound: Vec<_> = plan.sound.iter().map(|group| (group.decisions, group.levels)).collect();
    let mut tracks = Tracks::new(plan.info, &sound)?;
    let decisions = plan.sound.first().map_or(&[][..], |group| group.decisions);
    let muxes: Vec<(Outlet<MuxMessage>, Port<MuxMessage>)> =
        plan.outputs.iter().map(|_| graph.channel(PACKETS)).collect();
    let outlets: Vec<Outlet<MuxMessage>> = muxes.iter().map(|(outlet, _)| outlet.clone()).collect();
    let mut routes = Routes {
        graph: &mut *graph,
        source: &source,
        plan: &plan,
        outlets,
        audio: BTreeMap::new(),
        found: DemuxFindings::default(),
    };
    let mut all = Vec::new();
    for decision in decisions {
        all.push(routes.of(decision.index, &mut tracks)?);
    }
    let Routes { audio, found, .. } = routes;
    let mut routes = all;
    let groups = plan.sound.len();
    let main = decisions.iter().find(|d| matches!(d.task, Task::EncodeVideo)).map_or(0, |d| d.index);
    let mut pictures = PassPictures::new(graph, &plan, source.input(), (main, watch.is_some()))?;
    let still_port = if watch.is_some() { pictures.ports.pop() } else { None };
    let stills = watch.zip(still_port).map(|(watch, port)| graph.sink("stills", port, WatchStills { watch }));
    if let Some(outlet) = pictures.packets.take() {
        routes[main] = Route::Decode(outlet);
    }
    // The main video's times pace the tracks that come seldom, also where nothing else is wanted of it.
    let wanted: Vec<usize> =
        routes.iter().enumerate().filter(|(i, r)| *i == main || !matches!(r, Route::Skip)).map(|(i, _)| i).collect();
    source.keep_only(&wanted);

    let mut outputs = Vec::new();
    for (number, (output, (mux, messages))) in plan.outputs.into_iter().zip(muxes).enumerate() {
        let track = output.number(main).unwrap_or(0);
        let row = PassRow { number, track, mux, main };
        let PassOutput { format, file, path, .. } = &output;
        let start = plan.info.start_kept(output.settings.keep_start);
        let writer = Mux::new(
            *format,
            (file.try_clone().map_err(|e| cannot_write(path, e))?, path.clone()),
            tracks.params_of(output.sound, (output.decisions, output.said), &output.picture.treatment, start),
            (track, start),
            Arc::clone(&output.progress),
        );
        let (picture, track) = row.build(graph, output, &mut pictures)?;
        outputs.push(OutputPromises { picture, track, mux: graph.sink(row_name("mux", number), messages, writer) });
    }
    let demux = Demux { source, routes, main, found };
    let demux = graph.task("demux", move |context| demux.run(context));
    Ok(PassPromises { demux, decode: pictures.decoded, audio, groups, stills, outputs })
}

/// The ways of a source's packets while they are laid.
struct Routes<'a, 'p> {
    graph: &'a mut Graph,
    source: &'a Source,
    plan: &'a PassPlan<'p>,
    /// To the muxer of each file.
    outlets: Vec<Outlet<MuxMessage>>,
    audio: BTreeMap<usize, EncodedSound>,
    found: DemuxFindings,
}

impl Routes<'_, '_> {
    /// Where the packets of a stream go; those of the main video are for whoever decodes it.
    fn of(&mut self, stream: usize, tracks: &mut Tracks<'_>) -> Result<Route> {
        let mut routes = Vec::new();
        routes.extend(self.sound(stream, tracks)?);
        routes.extend(self.copied(stream));
        let text = self.places(stream, |file| is_text(file.task(stream)));
        if !text.0.is_empty() {
            routes.push(self.text(stream, text)?);
        }
        Ok(routes.into_iter().reduce(|one, other| Route::Both(Box::new([one, other]))).unwrap_or(Route::Skip))
    }

    /// The tracks that are made of a stream, in the files where what is made of it is so.
    fn places(&self, stream: usize, so: impl Fn(&PassOutput<'_>) -> bool) -> TrackOut {
        let place = |(file, mux): (&PassOutput<'_>, &Outlet<MuxMessage>)| {
            let number = file.number(stream).filter(|_| so(file))?;
            Some((mux.clone(), number))
        };
        TrackOut(self.plan.outputs.iter().zip(&self.outlets).filter_map(place).collect())
    }

    /// Sound that is encoded: decoded once, with an encoder for each group of files.
    fn sound(&mut self, stream: usize, tracks: &mut Tracks<'_>) -> Result<Option<Route>> {
        let (mut groups, mut encoders, mut all) = (Vec::new(), Vec::new(), Vec::new());
        for group in 0..self.plan.sound.len() {
            let encoded =
                |file: &PassOutput<'_>| file.sound == group && matches!(file.task(stream), Some(Task::EncodeAudio(_)));
            let track = self.places(stream, encoded);
            if !track.0.is_empty() {
                all.extend(track.0.iter().cloned());
                groups.push(group);
                encoders.push(SoundOut { encoder: tracks.encoder(group, stream)?, track, start: None });
            }
        }
        if encoders.is_empty() {
            return Ok(None);
        }
        let (outlet, packets) = self.graph.channel::<InputPacket>(PACKETS);
        let decoder = AudioDecoder::of(self.source.input(), &self.plan.info.streams[stream])?;
        let found = self.graph.sink(("audio", stream), packets, EncodeSound { stream, decoder, encoders });
        self.audio.insert(stream, EncodedSound { groups, found });
        Ok(Some(Route::Sound { outlet, track: TrackOut(all), begun: false }))
    }

    /// Packets that go into files as they are. What they are is the same wherever they are copied.
    fn copied(&self, stream: usize) -> Option<Route> {
        let is_copied = |task: Option<&Task>| matches!(task, Some(Task::CopyAudio(_) | Task::CopySubtitle { .. }));
        let track = self.places(stream, |file| is_copied(file.task(stream)));
        let tasks = self.plan.outputs.iter().map(|file| file.task(stream));
        match tasks.flatten().find(|task| is_copied(Some(task)))? {
            _ if track.0.is_empty() => None,
            Task::CopyAudio(mapping) => {
                let (delay_ns, opus) = (mapping.codec_delay_ns, mapping.codec_id == "A_OPUS");
                Some(Route::CopyAudio { track, delay_ns, opus })
            }
            Task::CopySubtitle { codec_id, .. } => {
                Some(Route::CopySubtitle { track, webvtt: codec_id == "S_TEXT/WEBVTT" })
            }
            _ => None,
        }
    }

    fn text(&mut self, stream: usize, track: TrackOut) -> Result<Route> {
        match SubtitleConverter::open(self.source.input(), stream) {
            Ok(converter) => Ok(Route::ConvertSubtitle { track, converter }),
            // A film does not fail over a subtitle.
            Err(error) => {
                track.end()?;
                self.found.warn(format!("a subtitle track stays empty: {error}"));
                Ok(Route::Skip)
            }
        }
    }
}

fn is_text(task: Option<&Task>) -> bool {
    matches!(task, Some(Task::ConvertSubtitle))
}

fn cannot_write(path: &std::path::Path, cause: std::io::Error) -> crate::base::Error {
    crate::base::Error::new(crate::base::ErrorKind::Output, "cannot write the output").caused_by(cause).with_file(path)
}

/// A stage of the first file has its plain name, those of further files their number.
fn row_name(kind: &'static str, number: usize) -> crate::flow::StageName {
    if number == 0 { kind.into() } else { (kind, number).into() }
}

/// The decoded pictures of the source, where any file encodes them.
struct PassPictures {
    packets: Option<Outlet<InputPacket>>,
    /// One port for each file that encodes, the next last.
    ports: Vec<Port<Frame>>,
    decoded: Option<Promise<DecodeFound>>,
}

impl PassPictures {
    fn new(graph: &mut Graph, plan: &PassPlan<'_>, input: &Input, (main, stills): (usize, bool)) -> Result<Self> {
        let encoding = plan.outputs.iter().filter(|output| output.finished.is_none());
        let Some(first) = encoding.clone().next() else {
            return Ok(PassPictures { packets: None, ports: Vec::new(), decoded: None });
        };
        let (packets, port) = graph.channel::<InputPacket>(PACKETS);
        let options = video_options(&first.settings.hwaccel)?;
        let decoder = VideoDecoder::open(input, &plan.info.streams[main], options)?;
        let (frames, decoded) = graph.add("decode", port, Decode { decoder }, FRAMES);
        let ports = match encoding.count() + usize::from(stills) {
            1 => vec![frames],
            n => graph.tee(frames, n),
        };
        Ok(PassPictures { packets: Some(packets), ports, decoded: Some(decoded) })
    }
}

/// The stages of one file's picture.
struct PassRow {
    number: usize,
    /// The video's track.
    track: usize,
    mux: Outlet<MuxMessage>,
    /// The source stream.
    main: usize,
}

impl PassRow {
    fn build(
        self,
        graph: &mut Graph,
        output: PassOutput<'_>,
        pictures: &mut PassPictures,
    ) -> Result<(PicturePromises, Promise<Option<VideoFindings>>)> {
        let (settings, picture) = (output.settings, output.picture);
        let video = picture.video()?.clone();
        let encoder = factory(settings)?;
        let plan = TrackPlan {
            track: self.track,
            codec: encoder.traits().codec,
            dolby_vision: dolby_vision_record(&picture.treatment, &video),
            video,
        };
        if let Some(FinishedPicture { job, film }) = output.finished {
            let crf = film.mean_crf(&job);
            let codec = plan.codec;
            let (units, _) = graph.source(row_name("chunks", self.number), PACKETS, move |out, context| {
                chunks(&job, (&film, codec), out, context)
            });
            let track = TrackStage::<FrameNote>::new(plan, output.progress);
            let track = graph.add_to(row_name("track", self.number), units, track, self.mux);
            return Ok((PicturePromises::Finished { crf }, track));
        }
        let (Some(frames), Some(decoded)) = (pictures.ports.pop(), pictures.decoded.clone()) else {
            return Err(crate::base::Error::new(
                crate::base::ErrorKind::Encode,
                "internal error: a file without pictures",
            ));
        };
        let treatment = picture.treatment;
        let convert = Convert {
            treat: Treat::new(treatment),
            converter: Converter::to_depth(treatment.depth),
            ready: VecDeque::new(),
        };
        let (converted, convert) = graph.add(row_name("convert", self.number), frames, convert, FRAMES);
        let words = encoder.version();
        let PassRow { number, mux, main, .. } = self;
        let encoding = Encoding { number, mux, main, settings, plan, converted, decoded, progress: output.progress };
        let (encode, check, track) = if settings.measure {
            let metric = MetricSpec::vmaf(None);
            encoding.build::<Frame>(graph, SCORED, |codec| Check::new(codec, words).scored(metric, treatment.depth))
        } else {
            encoding.build::<FrameNote>(graph, PACKETS, |codec| Check::new(codec, words))
        };
        Ok((PicturePromises::Encoded { convert, encode, check }, track))
    }
}

/// What the encode of one file's picture is built from.
struct Encoding<'a> {
    number: usize,
    mux: Outlet<MuxMessage>,
    main: usize,
    settings: &'a EncodeSettings,
    plan: TrackPlan,
    converted: Port<Frame>,
    decoded: Promise<DecodeFound>,
    progress: Arc<Progress>,
}

type EncodePromises = (Promise<EncodeFound>, Promise<CheckFound>, Promise<Option<VideoFindings>>);

impl Encoding<'_> {
    fn build<K: Kept + AsReference + Clone>(
        self,
        graph: &mut Graph,
        bound: Bound,
        check: impl FnOnce(&'static str) -> Check<K>,
    ) -> EncodePromises {
        let Encoding { number, mux, main, settings, plan, converted, decoded, progress } = self;
        let codec = plan.codec;
        let encode = Encode::<K>::new(settings.clone(), plan.video.clone(), main, decoded);
        let (coded, encode) = graph.add(row_name("encode", number), converted, encode, bound);
        let [to_check, to_track]: [Port<CodedPicture<K>>; 2] = two(graph.tee(coded, 2));
        let check = graph.sink(row_name("check", number), to_check, check(codec));
        let track = graph.add_to(row_name("track", number), to_track, TrackStage::<K>::new(plan, progress), mux);
        (encode, check, track)
    }
}

/// A tee of two gives two ports.
fn two<T>(ports: Vec<T>) -> [T; 2] {
    match <[T; 2]>::try_from(ports) {
        Ok(two) => two,
        Err(_) => unreachable!("a tee gives as many ports as it is asked for"),
    }
}

impl PassPromises {
    /// What the stages found, after they all ended well.
    ///
    /// # Errors
    /// `Encode` for a stage that found nothing.
    pub(super) fn found(self) -> Result<PassFindings> {
        let demux = self.demux.found()?;
        let mut audio = vec![demux.copied.clone(); self.groups];
        for (stream, EncodedSound { groups, found }) in self.audio {
            for (group, found) in groups.into_iter().zip(found.found()?) {
                audio[group].insert(stream, found);
            }
        }
        let outputs = self.outputs.into_iter().map(OutputPromises::found).collect::<Result<Vec<_>>>()?;
        let decode = self.decode.map(|d| d.found()).transpose()?.unwrap_or_default();
        let stills = self.stills.map(|stills| stills.found()).transpose()?;
        Ok(PassFindings { demux, decode, audio, stills, outputs })
    }
}

impl OutputPromises {
    fn found(self) -> Result<OutputFindings> {
        let (converted, checked, crf) = match self.picture {
            PicturePromises::Encoded { convert, encode, check } => {
                (convert.found()?, check.found()?, encode.found()?.crf)
            }
            PicturePromises::Finished { crf } => (ConvertFound::default(), CheckFound::default(), crf),
        };
        Ok(OutputFindings { converted, checked, crf, video: self.track.found()?, mux: self.mux.found()? })
    }
}
