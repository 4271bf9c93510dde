//! `drapto probe`.

use std::fmt::Write;

use drapto::data::{PictureReport, ProbeReport, Provenance, StreamInfo};
use drapto::{CancelToken, Result};

use super::args::ProbeArgs;
use super::places::input;
use super::text::{print, print_json};
use super::{signals, text};

pub fn run(args: &ProbeArgs) -> Result<()> {
    let cancel = CancelToken::new();
    signals::install(&cancel)?;
    let found = drapto::inspect(input(&args.input), args.crop, &cancel)?;
    if args.json { print_json(&found) } else { print(&describe(&found)) }
}

fn describe(found: &ProbeReport) -> String {
    let info = &found.info;
    let mut out = String::new();
    // Writing to a String cannot fail.
    let length = info.duration_s.map_or("unknown".to_owned(), text::duration);
    let _ = writeln!(out, "{}, {length}", info.container);
    if let Some(title) = &info.title {
        let _ = writeln!(out, "title: {title}");
    }
    for stream in &info.streams {
        let _ = writeln!(out, "{}", stream_line(stream));
    }
    if let Some(picture) = &found.picture {
        let _ = writeln!(out, "picture: {}", picture_line(picture));
    }
    if let Some(provenance) = &found.provenance {
        out.push_str(&provenance_lines(provenance));
    }
    if let Some(crop) = &found.crop {
        let _ = write!(out, "crop: {}", super::crop::describe(crop));
    }
    for attachment in &info.attachments {
        let size = text::bytes(attachment.data.len() as u64);
        let _ = writeln!(out, "attachment: {} ({}, {size})", attachment.name, attachment.mime);
    }
    for chapter in &info.chapters {
        let title = chapter.title.as_deref().unwrap_or_default();
        let _ = writeln!(out, "chapter {}  {title}", text::duration(chapter.start.as_secs_f64()));
    }
    out
}

fn picture_line(picture: &PictureReport) -> String {
    let mut parts = vec![format!("{}x{}", picture.width, picture.height), picture.fields.to_owned()];
    parts.push(picture.hdr_kind.to_owned());
    if let Some(dolby) = &picture.dolby_vision {
        let level = dolby.facts.level.map_or(String::new(), |l| format!(" level {l}"));
        parts.push(format!("Dolby Vision {}{level} ({})", dolby.name, dolby.layers));
    }
    parts.join(", ")
}

/// How the picture was made; chunks as a whole, one by one they are in the JSON.
fn provenance_lines(p: &Provenance) -> String {
    let version = p.version.as_ref().map_or("drapto".to_owned(), |v| format!("drapto {v}"));
    let by: Vec<_> = p.encoder.iter().cloned().chain([version]).collect();
    let mut out = format!("made by: {}\n", by.join(", "));
    for (name, text) in [("settings", &p.settings), ("encoder settings", &p.encoder_settings)] {
        if let Some(text) = text {
            let _ = writeln!(out, "  {name}: {text}");
        }
    }
    if let Some(t) = &p.target {
        let every = if t.stride == 1 { "every frame".to_owned() } else { format!("one frame of {}", t.stride) };
        let _ =
            writeln!(out, "  target: VMAF {} ± {} per {} ({}, {every} scored)", t.vmaf, t.tolerance, t.per, t.model);
    }
    if let Some(s) = &p.score {
        let _ = writeln!(
            out,
            "  score: harmonic mean {:.2}, mean {:.2}, 5th percentile {:.2}, lowest frame {:.2}, worst chunk {:.2}",
            s.harmonic_mean, s.mean, s.p5, s.min, s.worst_chunk
        );
    }
    if let Some(chunks) = &p.chunks {
        let range = |values: &mut dyn Iterator<Item = f64>| {
            values.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (v.min(low), v.max(high)))
        };
        let (least, most) = range(&mut chunks.iter().map(|c| c.crf));
        let (worst, best) = range(&mut chunks.iter().map(|c| c.score));
        let spread = if chunks.is_empty() {
            String::new()
        } else {
            format!(", CRF {least} to {most}, scores {worst:.2} to {best:.2} (--json lists them)")
        };
        let _ = writeln!(out, "  chunks: {}{spread}", chunks.len());
    }
    if !p.unreadable.is_empty() {
        let _ = writeln!(out, "  unreadable: {}", p.unreadable.join(", "));
    }
    out
}

fn stream_line(stream: &StreamInfo) -> String {
    let mut parts = vec![format!("#{} {:?} {}", stream.index, stream.kind, stream.codec).to_lowercase()];
    parts.extend(stream.profile.clone());
    if let Some(v) = &stream.video {
        parts.push(format!("{}x{} {}", v.width, v.height, v.pixel_format));
        parts.extend(v.frame_rate.map(|r| format!("{:.3} fps", r.as_f64())));
        parts.extend(v.sample_aspect_ratio.map(|r| format!("SAR {}:{}", r.num(), r.den())));
        let c = &v.color;
        parts.push(
            format!("{:?}/{}/{}/{}", c.range, c.primaries.name(), c.transfer.name(), c.matrix.name()).to_lowercase(),
        );
        if v.hdr.mastering_display.is_some() {
            parts.push("mastering display".to_owned());
        }
        parts.extend(v.hdr.content_light.map(|l| format!("MaxCLL {} MaxFALL {}", l.max_cll, l.max_fall)));
        parts.extend(v.flip.map(|flip| format!("mirrored {flip:?}").to_lowercase()));
        if v.rotation != 0 {
            parts.push(format!("rotated {}°", v.rotation));
        }
    }
    if let Some(a) = &stream.audio {
        parts.push(format!("{} channels {} {} Hz", a.channels, a.layout, a.sample_rate));
    }
    parts.extend(stream.language.clone());
    parts.extend(stream.title.as_ref().map(|t| format!("{t:?}")));
    let d = &stream.disposition;
    for (flag, name) in [(d.default, "default"), (d.forced, "forced"), (d.commentary, "commentary")] {
        if flag {
            parts.push(name.to_owned());
        }
    }
    parts.join(", ")
}
