//! `drapto probe`.

use std::fmt::Write;

use drapto::data::{PictureReport, ProbeReport, StreamInfo};
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
