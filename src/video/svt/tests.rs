//! The encoder as a whole: what goes in comes out, as the reference programs see it.
#![deny(unsafe_code)]

// The program's own way; what limits the arenas is not called.
#[allow(unsafe_code, dead_code)]
#[path = "../../cli/ffi.rs"]
mod ffi;
pub(in crate::video) mod support;

use std::any::Any;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use svt_av1_sys as sys;

use super::*;
use crate::base::{CancelToken, ErrorKind, Rational};
use crate::media::{
    ChromaLocation, Color, ColorRange, ContentLight, Frame, HdrStatic, MasteringDisplay, Matrix, PacketData,
    PixelFormat, Planes, Primaries, Transfer,
};
use crate::video::{Crf, Limits};
use support::*;

pub(in crate::video) fn hdr10() -> (Color, HdrStatic) {
    let r = |n, d| Rational::new(n, d).unwrap();
    let xy = |x, y| [r(x, 50_000), r(y, 50_000)];
    let color = Color {
        primaries: Primaries(9),
        transfer: Transfer::PQ,
        matrix: Matrix(9),
        range: ColorRange::Limited,
        chroma_location: ChromaLocation::TopLeft,
    };
    let display = MasteringDisplay {
        red: xy(35_400, 14_600),
        green: xy(8_500, 39_850),
        blue: xy(6_550, 2_300),
        white: xy(15_635, 16_450),
        min_luminance: r(50, 10_000),
        max_luminance: r(10_000_000, 10_000),
    };
    let light = ContentLight { max_cll: 1_000, max_fall: 400 };
    (color, HdrStatic { mastering_display: Some(display), content_light: Some(light) })
}

#[test]
fn every_frame_comes_back_once_in_display_order() {
    let packets = encode(&config(320, 180, 10), film(320, 180, 10, 60).map(|f| Frame { index: f.index + 7, ..f }));
    let indices: Vec<u64> = packets.iter().map(|p| p.frame_index).collect();
    assert_eq!(indices, (7..67).collect::<Vec<_>>());
    assert!(packets[0].keyframe && packets[1..].iter().all(|p| !p.keyframe));
    for packet in &packets {
        let kinds: Vec<u8> = obus(&packet.data).iter().map(|(kind, _)| *kind).collect();
        assert_eq!(kinds[0], OBU_TEMPORAL_DELIMITER);
        assert_eq!(kinds.iter().filter(|k| **k == OBU_TEMPORAL_DELIMITER).count(), 1);
        assert_eq!(kinds.contains(&OBU_SEQUENCE_HEADER), packet.keyframe);
    }
}

#[test]
fn keyframes_carry_their_sequence_header() {
    let packets = encode(&config(320, 180, 10), film(320, 180, 10, 3));
    let header = packets[0].sequence_header().expect("a keyframe");
    let alone = obus(header);
    assert_eq!((alone.len(), alone[0].0), (1, OBU_SEQUENCE_HEADER));
    assert!(obus(&packets[0].data).contains(&alone[0]));
    assert!(packets[1].sequence_header().is_none());
    let cut = EncodedPacket { data: PacketData::new(packets[0].data[..6].to_vec()), ..packets[0].clone() };
    assert!(cut.sequence_header().is_none());
}

#[test]
fn the_sequence_header_is_the_same_at_any_crf() {
    for (preset, size) in [(4, 512), (6, 320), (10, 320)] {
        let header = |crf: u8| {
            let crf = crate::media::Crf::whole(crf).unwrap();
            let config = EncoderConfig { preset, crf, ..config(size, 180, 10) };
            let packets = encode(&config, film(size, 180, 10, 3));
            packets[0].sequence_header().expect("a keyframe").to_vec()
        };
        let lowest = header(8);
        for crf in [25, 40, 55, 63] {
            assert_eq!(header(crf), lowest, "preset {preset}, CRF {crf}");
        }
    }
}

#[test]
fn colour_and_hdr_metadata_reach_the_stream() {
    let (color, hdr) = hdr10();
    let packets = encode(&EncoderConfig { color, hdr, ..config(320, 180, 10) }, film(320, 180, 10, 60));
    let mdcv = metadata(&packets[0].data, 2).expect("a mastering display");
    let be16: Vec<u16> = mdcv[..16].chunks(2).map(|b| u16::from_be_bytes([b[0], b[1]])).collect();
    assert_eq!(be16, [46_399, 19_137, 11_141, 52_232, 8_585, 3_015, 20_493, 21_561]);
    assert_eq!(mdcv[16..24], [0, 3, 0xe8, 0, 0, 0, 0, 82], "1000 and 0.005 cd/m²");
    let cll = metadata(&packets[0].data, 1).expect("light levels");
    assert_eq!(cll[..4], [3, 0xe8, 1, 0x90]);

    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("hdr.ivf");
    write_ivf(&path, 320, 180, &packets);
    let entries = "stream=nb_read_frames,width,height,pix_fmt,color_primaries,color_transfer,color_space,color_range,\
                   chroma_location";
    let args = ["-v", "error", "-count_frames", "-show_entries", entries, "-of", "json", path.to_str().unwrap()];
    let Some(text) = output_of("ffprobe", &args) else { return };
    let json: serde_json::Value = serde_json::from_str(&text).unwrap();
    let found = |key: &str| json["streams"][0][key].to_string().replace('"', "");
    for (key, expected) in [
        ("nb_read_frames", "60"),
        ("width", "320"),
        ("height", "180"),
        ("pix_fmt", "yuv420p10le"),
        ("color_primaries", "bt2020"),
        ("color_transfer", "smpte2084"),
        ("color_space", "bt2020nc"),
        ("color_range", "tv"),
        ("chroma_location", "topleft"),
    ] {
        assert_eq!(found(key), expected, "{key}");
    }
}

#[test]
fn a_source_that_says_nothing_gets_no_metadata() {
    let packets = encode(&config(64, 64, 10), film(64, 64, 10, 2));
    assert!(obus(&packets[0].data).iter().all(|(kind, _)| *kind != OBU_METADATA));
}

/// The strongest test: with the same settings the library's own program writes the same bytes.
#[test]
fn the_bitstream_is_that_of_the_reference_program() {
    let program = std::env::var("SVT_AV1_APP").unwrap_or_else(|_| "SvtAv1EncApp".to_owned());
    let Some(version) = output_of(&program, &["--version"]) else { return };
    if !version.contains(&library_version()) {
        let version = version.trim();
        crate::base::skipped(format_args!("{program} is {version}, the library is {}", library_version()));
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    for (depth, crf, keyint) in [(10, 35, 30), (8, 50, 250)] {
        let (y4m, ivf) = (dir.path().join("in.y4m"), dir.path().join("out.ivf"));
        write_y4m(&y4m, 320, 180, depth, 60);
        let (crf_text, keyint_text) = (crf.to_string(), keyint.to_string());
        let (y4m_text, ivf_text) = (y4m.to_str().unwrap(), ivf.to_str().unwrap());
        let flags = ["--preset", "10", "--tune", "0", "--crf", &crf_text, "--keyint", &keyint_text];
        output_of(&program, &[&["-i", y4m_text, "-b", ivf_text], &flags[..]].concat());
        let config = EncoderConfig {
            bit_depth: depth,
            crf: Crf::whole(crf).unwrap(),
            keyframe_interval: keyint,
            ..config(320, 180, 10)
        };
        let packets = encode(&config, film(320, 180, depth, 60));
        assert!(bytes(&packets) == read_ivf(&ivf), "{depth} bits: the streams differ");
        let keyframes: Vec<u64> = packets.iter().filter(|p| p.keyframe).map(|p| p.frame_index).collect();
        assert_eq!(keyframes, if keyint == 30 { vec![0, 30] } else { vec![0] });
    }
}

#[test]
fn the_output_does_not_depend_on_parallelism() {
    let of =
        |parallelism| bytes(&encode(&EncoderConfig { parallelism, ..config(320, 180, 10) }, film(320, 180, 10, 40)));
    assert!(of(1) == of(4));
}

/// Planes inside a larger picture, as a crop by pointer arithmetic gives them.
struct Window {
    whole: Arc<dyn Planes>,
    /// Bytes before the first visible sample of each plane.
    offsets: [usize; 3],
    /// Bytes from there to the last visible sample.
    lens: [usize; 3],
}

impl Planes for Window {
    fn plane(&self, index: usize) -> &[u8] {
        &self.whole.plane(index)[self.offsets[index]..][..self.lens[index]]
    }
    fn stride(&self, index: usize) -> usize {
        self.whole.stride(index)
    }
    fn byte_len(&self) -> usize {
        self.whole.byte_len()
    }
    fn as_any(&self) -> &dyn Any {
        self
    }
}

#[test]
fn a_crop_by_pointer_encodes_as_a_copy_of_it_would() {
    for depth in [8, 10] {
        let config = EncoderConfig { bit_depth: depth, ..config(160, 90, 10) };
        let bps = if depth == 8 { 1 } else { 2 };
        // The last rows and columns of a larger picture, so that nothing lies behind the last sample.
        let cropped = (0..20).map(|n| {
            let whole = frame(224, 120, depth, n);
            let mut crop = Frame { width: 160, height: 90, ..whole.clone() };
            let (mut offsets, mut lens) = ([0; 3], [0; 3]);
            for plane in 0..3 {
                let ((w, h), (cw, ch)) = (whole.plane_size(plane), crop.plane_size(plane));
                offsets[plane] = (h - ch) * whole.planes.stride(plane) + (w - cw) * bps;
                lens[plane] = (ch - 1) * whole.planes.stride(plane) + cw * bps;
            }
            crop.planes = Arc::new(Window { whole: whole.planes, offsets, lens });
            crop
        });
        let copied = cropped.clone().map(|crop| {
            let mut copy = frame(160, 90, depth, crop.index as usize);
            let mut buffer = crate::media::FramePool::new(copy.format, 160, 90).take();
            for (plane, (to, stride)) in buffer.planes_mut().into_iter().enumerate() {
                let row_bytes = crop.plane_size(plane).0 * bps;
                for (to, from) in to.chunks_mut(stride).zip(crop.planes.plane(plane).chunks(crop.planes.stride(plane)))
                {
                    to[..row_bytes].copy_from_slice(&from[..row_bytes]);
                }
            }
            copy.planes = Arc::new(buffer);
            copy
        });
        assert!(bytes(&encode(&config, cropped)) == bytes(&encode(&config, copied)), "{depth} bits");
    }
}

#[test]
fn a_frame_can_be_made_a_keyframe() {
    let config = EncoderConfig { force_keyframes: true, ..config(320, 180, 10) };
    let mut encoder = open(&config);
    let mut keyframes = Vec::new();
    let mut note = |packet: EncodedPacket| {
        if packet.keyframe {
            keyframes.push(packet.frame_index);
        }
    };
    for frame in film(320, 180, 10, 50) {
        match frame.index {
            17 | 33 => encoder.send_keyframe(&frame).unwrap(),
            _ => encoder.send(&frame).unwrap(),
        }
        while let Some(packet) = encoder.receive().unwrap() {
            note(packet);
        }
    }
    let mut rest = encoder.finish().unwrap();
    while let Some(packet) = rest.next_packet().unwrap() {
        note(packet);
    }
    assert_eq!(keyframes, [0, 17, 33]);

    drop(rest);
    let mut other = open(&EncoderConfig { force_keyframes: false, ..config });
    assert_eq!(other.send_keyframe(&frame(320, 180, 10, 0)).unwrap_err().kind(), ErrorKind::Usage);
}

#[test]
fn overlays_still_give_one_packet_a_frame() {
    let parameters = vec![("enable-overlays".to_owned(), "1".to_owned())];
    let packets = encode(&EncoderConfig { parameters, ..config(320, 180, 8) }, film(320, 180, 10, 70));
    assert_eq!(packets.len(), 70);
}

#[test]
fn a_one_frame_film_and_an_empty_one_end_properly() {
    assert_eq!(encode(&config(64, 64, 10), film(64, 64, 10, 1)).len(), 1);
    assert_eq!(encode(&config(64, 64, 10), film(64, 64, 10, 0)).len(), 0);
}

#[test]
fn dropping_an_encoder_in_the_middle_neither_hangs_nor_fails() {
    let start = Instant::now();
    drop(open(&config(320, 180, 10)));
    for sent in [1, 20] {
        let mut encoder = open(&config(320, 180, 10));
        for frame in film(320, 180, 10, sent) {
            encoder.send(&frame).unwrap();
        }
        drop(encoder);
    }
    let mut encoder = open(&config(320, 180, 10));
    for frame in film(320, 180, 10, 20) {
        encoder.send(&frame).unwrap();
    }
    let mut rest = encoder.finish().unwrap();
    assert_eq!(rest.next_packet().unwrap().unwrap().frame_index, 0);
    drop(rest);
    assert!(start.elapsed() < Duration::from_secs(120));
}

#[test]
fn encoders_side_by_side_write_what_they_write_alone() {
    let config = config(320, 180, 10);
    let alone = bytes(&encode(&config, film(320, 180, 10, 50)));
    let threads: Vec<_> = (0..3)
        .map(|_| {
            let config = config.clone();
            thread::spawn(move || bytes(&encode(&config, film(320, 180, 10, 50))))
        })
        .collect();
    for thread in threads {
        assert!(thread.join().unwrap() == alone);
    }
}

#[test]
fn encoders_that_run_beside_each_other_are_really_open_at_once() {
    if !many_encoders() {
        return;
    }
    // Opened before any is fed, fed in turns, by one thread: nobody can have waited for another.
    let configs = [12, 6, 8].map(|preset| config(320, 180, preset));
    let alone = configs.each_ref().map(|config| bytes(&encode(config, film(320, 180, 10, 50))));
    let mut encoders = configs.each_ref().map(|config| SvtSession::new(config).unwrap());
    let mut packets = [const { Vec::new() }; 3];
    for frame in film(320, 180, 10, 50) {
        for (encoder, packets) in encoders.iter_mut().zip(&mut packets) {
            encoder.send(&frame).unwrap();
            packets.extend(std::iter::from_fn(|| encoder.receive().unwrap()));
        }
    }
    for ((encoder, mut packets), alone) in encoders.into_iter().zip(packets).zip(alone) {
        let mut rest = encoder.finish().unwrap();
        packets.extend(std::iter::from_fn(|| rest.next_packet().unwrap()));
        assert!(bytes(&packets) == alone);
    }
}

#[test]
fn encoders_at_different_presets_never_disturb_each_other() {
    let presets = [12, 6, 8];
    let alone: Vec<_> =
        presets.iter().map(|preset| bytes(&encode(&config(320, 180, *preset), film(320, 180, 10, 50)))).collect();
    let threads: Vec<_> = presets
        .iter()
        .map(|preset| {
            let config = config(320, 180, *preset);
            thread::spawn(move || bytes(&encode(&config, film(320, 180, 10, 50))))
        })
        .collect();
    for (thread, alone) in threads.into_iter().zip(alone) {
        assert!(thread.join().unwrap() == alone);
    }
}

#[test]
fn an_encoder_that_would_crash_a_running_one_is_refused_or_waits() {
    let config = config(320, 180, 12);
    let running = open(&config);
    if many_encoders() {
        let others: Vec<_> = (0..3).map(|_| SvtSession::new(&config).unwrap()).collect();
        assert_eq!(others.len(), 3);
        return;
    }
    let error = SvtSession::new(&config).err().expect("one is open");
    assert_eq!(error.kind(), ErrorKind::Encode, "{error}");
    let cancel = CancelToken::new();
    cancel.cancel();
    let error = SvtSession::open_when_free(&config, &cancel).err().expect("cancelled");
    assert_eq!(error.kind(), ErrorKind::Interrupted);
    let waiting = thread::spawn(move || drop(open(&config)));
    thread::sleep(Duration::from_millis(50));
    drop(running);
    waiting.join().unwrap();
}

#[test]
fn parameters_the_library_does_not_take_are_named() {
    for (name, value) in [("no-such-thing", "1"), ("scd", "many"), ("recode-loop", "9"), ("film-grain", "-1")] {
        let parameters = vec![(name.to_owned(), value.to_owned())];
        let config = EncoderConfig { parameters, ..config(320, 180, 10) };
        let error = SvtSession::open_when_free(&config, &CancelToken::new()).err().expect(name);
        assert_eq!(error.kind(), ErrorKind::Usage, "{error}");
        assert!(error.to_string().contains(&format!("{name}={value}")), "{error}");
    }
    let parameters = vec![("scd".to_owned(), "1\0".to_owned())];
    let error = SvtSession::new(&EncoderConfig { parameters, ..config(320, 180, 10) }).err().expect("NUL");
    assert_eq!(error.kind(), ErrorKind::Usage);
}

#[test]
fn a_parameter_of_the_user_wins_over_the_default() {
    let parameters = vec![("keyint".to_owned(), "20".to_owned()), ("film-grain".to_owned(), "8".to_owned())];
    let packets = encode(&EncoderConfig { parameters, ..config(320, 180, 10) }, film(320, 180, 10, 50));
    let keyframes: Vec<u64> = packets.iter().filter(|p| p.keyframe).map(|p| p.frame_index).collect();
    assert_eq!(keyframes, [0, 20, 40]);
}

#[test]
fn the_limits_of_size_are_those_of_the_library() {
    let Limits { min, even, .. } = limits();
    let smallest = if even { min } else { min.max(1) };
    let packets = encode(&config(smallest, smallest, 10), film(smallest, smallest, 10, 3));
    assert_eq!(packets.len(), 3);
    let below = SvtSession::new(&config(min - 1, 64.max(min), 10)).err().expect("too small");
    assert_eq!(below.kind(), ErrorKind::Unsupported);
    if !even {
        let packets = encode(&config(161, 91, 10), film(161, 91, 10, 3));
        assert_eq!(packets.len(), 3);
    }
}

#[test]
fn quarter_steps_of_crf_change_the_stream_where_they_exist() {
    if !sys::QUARTER_STEP_CRF {
        crate::base::skipped(format_args!("SVT-AV1 {} has whole steps only", sys::HEADER_VERSION));
        return;
    }
    let of = |crf| {
        let config = EncoderConfig { crf: Crf::from_f64(crf).unwrap(), ..config(320, 180, 10) };
        bytes(&encode(&config, film(320, 180, 10, 10)))
    };
    assert!(of(35.0) != of(35.5));
}

#[test]
fn wrong_frames_are_refused() {
    let mut encoder = open(&config(320, 180, 10));
    let good = |n| frame(320, 180, 10, n);
    let fails = |encoder: &mut SvtSession, frame: Frame, part: &str| {
        let error = encoder.send(&frame).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::Encode);
        assert!(error.to_string().contains(part), "{error}");
    };
    fails(&mut encoder, frame(322, 180, 10, 0), "322x180");
    fails(&mut encoder, frame(320, 180, 8, 0), "depth: 8");
    fails(&mut encoder, Frame { format: PixelFormat::Other(3), ..good(0) }, "Other(3)");
    let small = frame(64, 64, 10, 0);
    fails(&mut encoder, Frame { planes: small.planes, ..good(0) }, "shorter");
    encoder.send(&good(0)).unwrap();
    fails(&mut encoder, good(2), "frame 2 came where frame 1 was due");
    encoder.send(&good(1)).unwrap();
    let packets = {
        let mut rest = encoder.finish().unwrap();
        std::iter::from_fn(move || rest.next_packet().unwrap()).count()
    };
    assert_eq!(packets, 2);
}

#[test]
fn an_encoder_gives_the_same_bytes_also_in_memory_that_others_used() {
    around_opening(ffi::zeroed_memory);
    let config = EncoderConfig { crf: Crf::whole(50).unwrap(), ..config(320, 180, 10) };
    let first = bytes(&encode(&config, film(320, 180, 10, 60)));
    for size in [1 << 12, 1 << 15, 1 << 17, 1 << 12, 1 << 16] {
        // What the allocator gives out next is full of this.
        drop((0..(64 << 20) / size).map(|_| vec![0x5a_u8; size]).collect::<Vec<_>>());
        assert!(bytes(&encode(&config, film(320, 180, 10, 60))) == first, "after blocks of {size} bytes");
    }
}
