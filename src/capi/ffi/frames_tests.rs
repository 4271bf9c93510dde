//! Pictures in and packets out, as C calls it.

use std::ffi::CStr;
use std::ptr::{null, null_mut};

use super::error::*;
use super::frames::*;
use super::look::{drapto_token_cancel, drapto_token_free, drapto_token_new};
use super::tests::{said, taken};
use crate::capi::failure::drapto_code;
use drapto_code::*;

const SIDE: usize = 64;

/// The samples of a grey 8-bit picture.
struct Gray([Vec<u8>; 3]);

impl Gray {
    fn new(luma: u8) -> Self {
        Gray([vec![luma; SIDE * SIDE], vec![128; SIDE * SIDE / 4], vec![128; SIDE * SIDE / 4]])
    }

    fn picture(&self) -> drapto_picture {
        let planes = self.0.each_ref().map(Vec::as_ptr);
        drapto_picture { version: PICTURE, planes, strides: [SIDE, SIDE / 2, SIDE / 2] }
    }
}

fn video() -> drapto_video {
    let (width, height) = (SIDE as u32, SIDE as u32);
    drapto_video {
        version: VIDEO,
        width,
        height,
        frame_rate_num: 25,
        frame_rate_den: 1,
        bit_depth: 8,
        primaries: 1,
        transfer: 1,
        matrix: 1,
        forced_keyframes: true,
        ..drapto_video::default()
    }
}

fn options(settings: &[(&CStr, &CStr)]) -> *mut drapto_encoder_options {
    let (mut options, mut error) = (null_mut(), null_mut());
    // SAFETY: all pointers are of this function.
    unsafe {
        assert_eq!(drapto_encoder_options_new(&video(), &mut options, &mut error), DRAPTO_OK);
        for (name, value) in settings {
            let code = drapto_encoder_options_set(options, name.as_ptr(), value.as_ptr(), &mut error);
            assert_eq!(code, DRAPTO_OK, "{}", said(error).1);
        }
    }
    options
}

#[test]
fn each_picture_comes_back_as_a_packet_that_names_it() {
    let fast = [(c"video.preset", c"12"), (c"quality.crf", c"50"), (c"threads", c"1")];
    // SAFETY: all pointers are of this function, each object is freed once.
    unsafe {
        let options = options(&fast);
        let (mut encoder, mut error, mut packet) = (null_mut(), null_mut(), null_mut());
        assert_eq!(drapto_encoder_open(options, null(), &mut encoder, &mut error), DRAPTO_OK);
        drapto_encoder_options_free(options);
        for n in 0..8_u8 {
            let gray = Gray::new(20 * n);
            let code = drapto_encoder_send(encoder, &gray.picture(), 1000 + 40 * i64::from(n), n == 4, &mut error);
            assert_eq!(code, DRAPTO_OK, "{}", said(error).1);
        }
        assert_eq!(drapto_encoder_send(encoder, &Gray::new(0).picture(), 1000, false, &mut error), DRAPTO_USAGE);
        assert!(said(error).1.contains("came after"));
        assert_eq!(drapto_encoder_finish(encoder, &mut error), DRAPTO_OK);
        let mut packets = Vec::new();
        loop {
            assert_eq!(drapto_encoder_receive(encoder, &mut packet, &mut error), DRAPTO_OK);
            if packet.is_null() {
                break;
            }
            packets.push(packet);
        }
        let (mut data, mut size) = (null(), 0);
        assert_eq!(drapto_encoder_codec_config(encoder, &mut data, &mut size, &mut error), DRAPTO_OK);
        assert!(!data.is_null() && size > 4);
        drapto_encoder_free(encoder);
        let mut shown: Vec<_> = packets.iter().map(|p| ((**p).index, (**p).pts, (**p).keyframe)).collect();
        shown.sort_unstable();
        let expected: Vec<_> = (0..8).map(|n| (n, 1000 + 40 * n as i64, n % 4 == 0)).collect();
        assert_eq!(shown, expected);
        for packet in packets {
            let bytes = std::slice::from_raw_parts((*packet).data, (*packet).size);
            assert!(!bytes.is_empty() && (*packet).version == PACKET, "they outlive the encoder");
            drapto_packet_free(packet);
        }
    }
}

#[test]
fn a_structure_of_another_version_is_refused_before_it_is_read() {
    // SAFETY: all pointers are of this function; the numbers are all a reader of a wrong version may look at.
    unsafe {
        let (later, mut options, mut error) = (VIDEO + 1, null_mut(), null_mut());
        let code = drapto_encoder_options_new((&raw const later).cast(), &mut options, &mut error);
        assert!(code == DRAPTO_WRONG_VERSION && options.is_null());
        assert!(said(error).1.contains("the drapto_video is of version 2"));

        let (mut meter, none) = (null_mut(), 0_u32);
        assert_eq!(drapto_meter_open(c"psnr".as_ptr(), 64, 64, 8, &mut meter, &mut error), DRAPTO_OK);
        let gray = Gray::new(9).picture();
        let code = drapto_meter_push(meter, &gray, (&raw const none).cast(), &mut error);
        assert_eq!(code, DRAPTO_WRONG_VERSION);
        assert!(said(error).1.contains("distorted is of version 0"));
        drapto_meter_free(meter);
    }
}

#[test]
fn what_no_encoder_takes_is_said_in_words() {
    // SAFETY: all pointers are of this function, each object is freed once.
    unsafe {
        let (mut made, mut error) = (null_mut(), null_mut());
        let wrong = drapto_video { primaries: 300, ..video() };
        assert_eq!(drapto_encoder_options_new(&wrong, &mut made, &mut error), DRAPTO_USAGE);
        assert!(said(error).1.contains("primaries 300"));
        let options = options(&[]);
        for (name, value, part) in [
            (c"threads", c"many", "threads"),
            (c"run.workers", c"2", "no meaning for an encoder"),
            (c"video.preset", c"14", "preset 14"),
        ] {
            let code = drapto_encoder_options_set(options, name.as_ptr(), value.as_ptr(), &mut error);
            let (own, text) = said(error);
            assert!(code == DRAPTO_USAGE && own == code && text.contains(part), "{text}");
        }
        assert_eq!(drapto_encoder_options_from_json(c"{\"width\": 64}".as_ptr(), &mut made, &mut error), DRAPTO_USAGE);
        assert!(said(error).1.contains("height"));
        let (mut encoder, token) = (null_mut(), drapto_token_new());
        drapto_token_cancel(token);
        assert_eq!(drapto_encoder_open(options, token, &mut encoder, &mut error), DRAPTO_INTERRUPTED);
        assert!(encoder.is_null() && said(error).0 == DRAPTO_INTERRUPTED);
        drapto_token_free(token);
        drapto_encoder_options_free(options);
    }
}

#[test]
fn a_null_plane_and_rows_that_are_too_short_are_usage_errors() {
    // SAFETY: all pointers are of this function, each object is freed once.
    unsafe {
        let (mut meter, mut error) = (null_mut(), null_mut());
        assert_eq!(drapto_meter_open(c"psnr".as_ptr(), 64, 64, 8, &mut meter, &mut error), DRAPTO_OK);
        let gray = Gray::new(50);
        let refused = |bad: drapto_picture, part: &str| {
            let mut error = null_mut();
            let code = drapto_meter_push(meter, &gray.picture(), &bad, &mut error);
            let text = said(error).1;
            assert!(code == DRAPTO_USAGE && text.contains(part), "{text}");
        };
        let mut bad = gray.picture();
        bad.planes[1] = null();
        refused(bad, "plane 1 of distorted is null");
        let mut bad = gray.picture();
        bad.strides[0] = 63;
        refused(bad, "63 bytes apart");
        let mut bad = gray.picture();
        bad.strides[0] = usize::MAX;
        refused(bad, "too long");
        let code = drapto_meter_push(meter, &gray.picture(), null(), &mut error);
        assert!(code == DRAPTO_USAGE && said(error).1.contains("distorted is null"));
        drapto_meter_free(meter);
    }
}

#[test]
fn a_meter_gives_its_scores_once() {
    // SAFETY: all pointers are of this function, each object is freed once.
    unsafe {
        let (mut meter, mut error, mut json) = (null_mut(), null_mut(), null_mut());
        assert_eq!(drapto_meter_open(c"vmaf".as_ptr(), 64, 64, 8, &mut meter, &mut error), DRAPTO_OK);
        let (one, other) = (Gray::new(100), Gray::new(104));
        for _ in 0..2 {
            assert_eq!(drapto_meter_push(meter, &one.picture(), &other.picture(), &mut error), DRAPTO_OK);
        }
        assert_eq!(drapto_meter_finish(meter, &mut json, &mut error), DRAPTO_OK);
        assert!(taken(json).contains("harmonic_mean"));
        assert_eq!(drapto_meter_finish(meter, &mut json, &mut error), DRAPTO_USAGE);
        assert!(json.is_null() && said(error).1.contains("ended"));
        drapto_meter_free(meter);
    }
}

#[test]
fn null_is_an_error_for_frames_too() {
    // SAFETY: null is what is tried.
    unsafe {
        let refused = |code: drapto_code, error: *mut drapto_error, part: &str| {
            let text = said(error).1;
            assert!(code == DRAPTO_USAGE && text.contains(part), "{text}");
        };
        let (mut error, mut options, mut encoder, mut packet) = (null_mut(), null_mut(), null_mut(), null_mut());
        let (mut meter, mut data, mut size, mut json) = (null_mut(), null(), 0, null_mut());
        refused(drapto_encoder_options_new(null(), &mut options, &mut error), error, "video is null");
        refused(drapto_encoder_options_from_json(null(), &mut options, &mut error), error, "json_text is null");
        refused(drapto_encoder_options_set(null_mut(), null(), null(), &mut error), error, "options is null");
        refused(drapto_encoder_open(null(), null(), &mut encoder, &mut error), error, "options is null");
        refused(drapto_encoder_send(null_mut(), null(), 0, false, &mut error), error, "encoder is null");
        refused(drapto_encoder_receive(null_mut(), &mut packet, &mut error), error, "encoder is null");
        refused(drapto_encoder_finish(null_mut(), &mut error), error, "encoder is null");
        let code = drapto_encoder_codec_config(null_mut(), &mut data, &mut size, &mut error);
        refused(code, error, "encoder is null");
        refused(drapto_meter_open(null(), 64, 64, 8, &mut meter, &mut error), error, "metric is null");
        refused(drapto_meter_push(null_mut(), null(), null(), &mut error), error, "meter is null");
        refused(drapto_meter_finish(null_mut(), &mut json, &mut error), error, "meter is null");
        drapto_packet_free(null_mut());
        drapto_encoder_free(null_mut());
        drapto_encoder_options_free(null_mut());
        drapto_meter_free(null_mut());
    }
}
