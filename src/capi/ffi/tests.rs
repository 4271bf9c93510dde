//! The C interface as C calls it.

use std::ffi::{CStr, CString, c_char, c_void};
use std::ptr::{null, null_mut};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU32, Ordering};

use super::error::*;
use super::job::*;
use super::look::*;
use super::pointers::*;
use super::request::*;
use super::version::*;
use crate::capi::failure::drapto_code;
use drapto_code::*;

/// Text the library gave, freed.
pub(super) fn taken(text: *mut c_char) -> String {
    assert!(!text.is_null());
    // SAFETY: it came from the library and is freed once.
    unsafe {
        let copy = CStr::from_ptr(text).to_str().unwrap().to_owned();
        drapto_string_free(text);
        copy
    }
}

/// The code and words of an error the library gave, freed.
pub(super) fn said(error: *mut drapto_error) -> (drapto_code, String) {
    // SAFETY: it came from the library and is freed once.
    unsafe {
        let copy = CStr::from_ptr(drapto_error_text(error)).to_str().unwrap().to_owned();
        let code = drapto_error_code(error);
        drapto_error_free(error);
        (code, copy)
    }
}

fn c(text: &str) -> CString {
    CString::new(text).unwrap()
}

/// A fixture of ten pictures without sound.
fn short_film() -> String {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR"));
    let made = std::process::Command::new(root.join("fixtures/make")).arg("tenframes").status();
    assert!(made.is_ok_and(|status| status.success()), "fixtures/make tenframes");
    root.join("target/fixtures/tenframes.mkv").to_str().unwrap().to_owned()
}

fn request(input: &str, output: &str) -> *mut drapto_request {
    let (mut request, mut error) = (null_mut(), null_mut());
    // SAFETY: all pointers are of this function.
    let code = unsafe { drapto_request_new(c(input).as_ptr(), c(output).as_ptr(), &mut request, &mut error) };
    assert_eq!(code, DRAPTO_OK);
    assert!(error.is_null());
    request
}

#[test]
fn a_request_of_names_and_values_is_that_of_its_json() {
    // SAFETY: all pointers are of this function, each object is freed once.
    unsafe {
        let (request, mut index, mut error) = (request("film.mkv", "film.av1.mkv"), 0, null_mut());
        let preset = c("video.preset");
        assert_eq!(drapto_request_set(request, preset.as_ptr(), c"4".as_ptr(), &mut error), DRAPTO_OK);
        assert_eq!(drapto_request_add_output(request, c"small.mkv".as_ptr(), &mut index, &mut error), DRAPTO_OK);
        assert_eq!(index, 1);
        let scale = c("picture.scale");
        assert_eq!(drapto_request_set_for(request, index, scale.as_ptr(), c"480".as_ptr(), &mut error), DRAPTO_OK);
        let (mut json, mut again) = (null_mut(), null_mut());
        assert_eq!(drapto_request_to_json(request, &mut json, &mut error), DRAPTO_OK);
        let json = taken(json);
        assert_eq!(drapto_request_from_json(c(&json).as_ptr(), &mut again, &mut error), DRAPTO_OK);
        let mut value = null_mut();
        assert_eq!(drapto_request_get(again, preset.as_ptr(), &mut value, &mut error), DRAPTO_OK);
        assert_eq!(taken(value), "4");
        assert_eq!(drapto_request_get(again, c"quality.crf".as_ptr(), &mut value, &mut error), DRAPTO_OK);
        assert!(value.is_null(), "it is made up during the run");
        let mut warnings = null_mut();
        assert_eq!(drapto_request_check(again, &mut warnings, &mut error), DRAPTO_OK);
        assert!(taken(warnings).starts_with('['));
        drapto_request_free(request);
        drapto_request_free(again);
    }
}

#[test]
fn a_wrong_name_is_a_usage_error_and_its_object_says_which() {
    // SAFETY: as above.
    unsafe {
        let (request, mut error) = (request("a", "b"), null_mut());
        let code = drapto_request_set(request, c"video.speed".as_ptr(), c"1".as_ptr(), &mut error);
        assert_eq!(code, DRAPTO_USAGE);
        let (code, text) = said(error);
        assert!(code == DRAPTO_USAGE && text.contains("video.speed"), "{text}");
        assert_eq!(drapto_request_set(request, c"video.preset".as_ptr(), c"14".as_ptr(), null_mut()), DRAPTO_USAGE);
        assert_eq!(drapto_request_set(request, c"\xff".as_ptr(), c"14".as_ptr(), &mut error), DRAPTO_USAGE);
        assert!(said(error).1.contains("no UTF-8"));
        drapto_request_free(request);
    }
}

#[test]
fn null_is_an_error_and_never_a_crash() {
    // SAFETY: null is what is tried.
    unsafe {
        let mut error = null_mut();
        let refused = |code: drapto_code, error: *mut drapto_error, part: &str| {
            let (own, text) = said(error);
            assert!(code == DRAPTO_USAGE && own == code && text.contains(part), "{text}");
        };
        let (mut out, mut text, mut job) = (null_mut(), null_mut(), null_mut());
        refused(drapto_request_new(null(), c"b".as_ptr(), &mut out, &mut error), error, "input is null");
        refused(drapto_request_new(c"a".as_ptr(), null(), &mut out, &mut error), error, "output is null");
        refused(drapto_request_new(c"a".as_ptr(), c"b".as_ptr(), null_mut(), &mut error), error, "request is null");
        refused(drapto_request_from_json(null(), &mut out, &mut error), error, "json_text is null");
        refused(drapto_request_set(null_mut(), null(), null(), &mut error), error, "request is null");
        refused(drapto_request_set_for(null_mut(), 0, null(), null(), &mut error), error, "request is null");
        refused(drapto_request_get(null(), null(), &mut text, &mut error), error, "request is null");
        refused(drapto_request_check(null(), &mut text, &mut error), error, "request is null");
        refused(drapto_request_to_json(null(), &mut text, &mut error), error, "request is null");
        refused(drapto_request_add_output(null_mut(), null(), null_mut(), &mut error), error, "request is null");
        refused(drapto_start(null(), None, null_mut(), &mut job, &mut error), error, "request is null");
        refused(drapto_job_wait(null(), 0, &mut text, &mut error), error, "job is null");
        refused(drapto_job_health_json(null(), &mut text, &mut error), error, "job is null");
        refused(drapto_settings_json(null_mut(), &mut error), error, "json is null");
        refused(drapto_probe_json(null(), false, null(), &mut text, &mut error), error, "input is null");
        refused(drapto_crop_json(null(), null(), &mut text, &mut error), error, "input is null");
        refused(drapto_scenes_json(null(), 15.0, null(), &mut text, &mut error), error, "input is null");
        refused(drapto_verify_json(null(), null(), null(), &mut text, &mut error), error, "source is null");
        let code = drapto_vmaf_json(null(), null(), 0, null(), None, null_mut(), null(), &mut text, &mut error);
        refused(code, error, "reference is null");
        assert!(out.is_null() && text.is_null() && job.is_null());

        assert_eq!(drapto_job_state(null()), drapto_state::DRAPTO_STATE_ERROR);
        assert!(drapto_job_is_finished(null()) && drapto_job_id(null()) == 0);
        assert_eq!(drapto_error_code(null()), DRAPTO_OK);
        assert!(!drapto_error_text(null()).is_null() && !drapto_error_message(null()).is_null());
        assert!(drapto_error_file(null()).is_null() && drapto_error_stage(null()).is_null());
        assert!(drapto_error_stream(null()) == -1 && drapto_error_chunk(null()) == -1);
        assert!(!drapto_error_time(null(), null_mut(), null_mut(), null_mut()));
        drapto_job_cancel(null());
        drapto_job_free(null_mut());
        drapto_request_free(null_mut());
        drapto_string_free(null_mut());
        drapto_error_free(null_mut());
        drapto_token_cancel(null());
        drapto_token_free(null_mut());
        drapto_around_opening(None);
    }
}

#[test]
fn a_header_of_another_version_is_refused() {
    // SAFETY: all pointers are of this function.
    unsafe {
        let mut error = null_mut();
        assert_eq!(drapto_abi_check(ABI, &mut error), DRAPTO_OK);
        assert!(error.is_null());
        assert_eq!(drapto_abi_check(ABI + 1, &mut error), DRAPTO_WRONG_VERSION);
        let (code, text) = said(error);
        assert!(code == DRAPTO_WRONG_VERSION && text.contains("version 2"), "{text}");
        assert_eq!(CStr::from_ptr(drapto_version()).to_str().unwrap(), env!("CARGO_PKG_VERSION"));
    }
}

#[test]
fn the_header_has_the_versions_of_the_library() {
    let header = include_str!("../../../include/drapto.h");
    let has = |name: &str, value: &str| {
        let line = format!("#define DRAPTO_{name} {value}");
        assert!(header.lines().any(|l| l == line), "{line}");
    };
    has("VERSION_MAJOR", env!("CARGO_PKG_VERSION_MAJOR"));
    has("VERSION_MINOR", env!("CARGO_PKG_VERSION_MINOR"));
    has("VERSION_PATCH", env!("CARGO_PKG_VERSION_PATCH"));
    has("ABI_VERSION", &ABI.to_string());
    has("VIDEO_VERSION", &super::frames::VIDEO.to_string());
    has("PICTURE_VERSION", &super::frames::PICTURE.to_string());
    has("PACKET_VERSION", &super::frames::PACKET.to_string());
}

#[test]
fn an_error_gives_its_place_in_parts() {
    use crate::capi::failure::Failure;
    let error = drapto::Error::new(drapto::ErrorKind::Encode, "cannot resample")
        .with_file(std::path::Path::new("film.mkv"))
        .with_stream(2)
        .with_chunk(7)
        .in_stage("audio");
    // SAFETY: the error is of this function and freed once.
    unsafe {
        let error = drapto_error::into_raw(Failure::from(error));
        let text = |pointer: *const c_char| CStr::from_ptr(pointer).to_str().unwrap();
        assert_eq!(drapto_error_code(error), DRAPTO_ENCODE);
        assert_eq!(text(drapto_error_file(error)), "film.mkv");
        assert_eq!((drapto_error_stream(error), drapto_error_chunk(error)), (2, 7));
        assert_eq!((text(drapto_error_stage(error)), text(drapto_error_message(error))), ("audio", "cannot resample"));
        assert!(!drapto_error_time(error, null_mut(), null_mut(), null_mut()));
        assert_eq!(text(drapto_error_text(error)), "film.mkv: stream 2: chunk 7: stage audio: cannot resample");
        drapto_error_free(error);
    }
}

#[test]
fn an_input_that_is_not_there_is_said_with_its_path() {
    // SAFETY: all pointers are of this function.
    unsafe {
        let (mut text, mut error) = (null_mut(), null_mut());
        let code = drapto_probe_json(c"no/such/film.mkv".as_ptr(), false, null(), &mut text, &mut error);
        assert!(code == DRAPTO_INPUT && text.is_null());
        assert_eq!(CStr::from_ptr(drapto_error_file(error)).to_str().unwrap(), "no/such/film.mkv");
        drapto_error_free(error);
    }
}

#[test]
fn the_settings_come_as_json_with_their_ranges() {
    // SAFETY: all pointers are of this function.
    unsafe {
        let mut text = null_mut();
        assert_eq!(drapto_settings_json(&mut text, null_mut()), DRAPTO_OK);
        let all: serde_json::Value = serde_json::from_str(&taken(text)).unwrap();
        let preset = all.as_array().unwrap().iter().find(|s| s["name"] == "video.preset").unwrap();
        assert_eq!((preset["type"].as_str(), preset["max"].as_u64()), (Some("whole"), Some(13)));
    }
}

/// What a callback heard.
#[derive(Default)]
struct EventLog {
    events: Mutex<Vec<(u64, String, String)>>,
    calls: AtomicU32,
}

unsafe extern "C-unwind" fn keep(userdata: *mut c_void, job: u64, name: *const c_char, json: *const c_char) {
    // SAFETY: the tests give a `EventLog` that lives until the job is freed.
    unsafe {
        let text = |pointer| CStr::from_ptr(pointer).to_str().unwrap().to_owned();
        (*userdata.cast::<EventLog>()).events.lock().unwrap().push((job, text(name), text(json)));
    }
}

unsafe extern "C-unwind" fn panics(userdata: *mut c_void, _: u64, _: *const c_char, _: *const c_char) {
    // SAFETY: as above.
    unsafe { (*userdata.cast::<EventLog>()).calls.fetch_add(1, Ordering::Relaxed) };
    panic!("a caller's mistake");
}

#[test]
fn a_job_that_fails_says_so_again_and_again() {
    let heard = EventLog::default();
    let userdata = (&raw const heard).cast_mut().cast();
    // SAFETY: all pointers are of this function, each object is freed once.
    unsafe {
        let (request, mut job, mut error) = (request("no/such/film.mkv", "out.mkv"), null_mut(), null_mut());
        assert_eq!(drapto_start(request, Some(keep), userdata, &mut job, &mut error), DRAPTO_OK);
        drapto_request_free(request);
        for _ in 0..2 {
            let mut report = null_mut();
            assert_eq!(drapto_job_wait(job, -1, &mut report, &mut error), DRAPTO_INPUT);
            assert!(report.is_null() && said(error).1.contains("no/such/film.mkv"));
        }
        assert!(drapto_job_is_finished(job) && drapto_job_id(job) > 0);
        assert_eq!(drapto_job_state(job), drapto_state::DRAPTO_STATE_ERROR);
        let mut health = null_mut();
        assert_eq!(drapto_job_health_json(job, &mut health, &mut error), DRAPTO_OK);
        assert!(taken(health).starts_with(r#"{"state":"error""#));
        drapto_job_free(job);
    }
}

#[test]
fn a_panic_in_a_callback_ends_the_job_and_does_not_cross() {
    let film = short_film();
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("out.mkv");
    let heard = EventLog::default();
    let userdata = (&raw const heard).cast_mut().cast();
    // SAFETY: all pointers are of this function, each object is freed once.
    unsafe {
        let request = request(&film, output.to_str().unwrap());
        let (mut job, mut error) = (null_mut(), null_mut());
        assert_eq!(drapto_request_set(request, c"quality.crf".as_ptr(), c"50".as_ptr(), null_mut()), DRAPTO_OK);
        assert_eq!(drapto_request_set(request, c"video.preset".as_ptr(), c"12".as_ptr(), null_mut()), DRAPTO_OK);
        assert_eq!(drapto_start(request, Some(panics), userdata, &mut job, &mut error), DRAPTO_OK);
        assert_eq!(drapto_job_wait(job, -1, null_mut(), &mut error), DRAPTO_PANIC);
        let text = said(error).1;
        assert!(text.contains("a caller's mistake"), "{text}");
        assert_eq!(heard.calls.load(Ordering::Relaxed), 1, "it is not called again");
        assert!(!output.exists());
        drapto_job_free(job);
        drapto_request_free(request);
    }
}

#[test]
fn a_job_tells_its_events_and_gives_its_report() {
    let film = short_film();
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("out.mkv");
    let heard = EventLog::default();
    let userdata = (&raw const heard).cast_mut().cast();
    // SAFETY: all pointers are of this function, each object is freed once.
    unsafe {
        let request = request(&film, output.to_str().unwrap());
        let (mut job, mut error) = (null_mut(), null_mut());
        assert_eq!(drapto_request_set(request, c"quality.crf".as_ptr(), c"50".as_ptr(), null_mut()), DRAPTO_OK);
        assert_eq!(drapto_request_set(request, c"video.preset".as_ptr(), c"12".as_ptr(), null_mut()), DRAPTO_OK);
        assert_eq!(drapto_start(request, Some(keep), userdata, &mut job, &mut error), DRAPTO_OK);
        assert_eq!(drapto_job_wait(job, 0, null_mut(), &mut error), DRAPTO_TIMEOUT);
        drapto_error_free(error);
        let mut report = null_mut();
        let code = drapto_job_wait(job, -1, &mut report, &mut error);
        assert_eq!(code, DRAPTO_OK, "{}", said(error).1);
        let report: serde_json::Value = serde_json::from_str(&taken(report)).unwrap();
        assert!(report["output"]["frames"].as_u64() > Some(0));
        assert_eq!(drapto_job_state(job), drapto_state::DRAPTO_STATE_STOPPED);
        let events = heard.events.lock().unwrap();
        assert_eq!(events.first().map(|e| e.1.as_str()), Some("started"));
        assert_eq!(events.last().map(|e| e.1.as_str()), Some("finished"));
        assert!(events.iter().all(|e| e.0 == drapto_job_id(job)));
        assert!(events[0].2.contains(r#""event":"started""#));
        drop(events);
        drapto_job_free(job);

        let (source, written) = (c(&film), c(output.to_str().unwrap()));
        let mut text = null_mut();
        let code = drapto_verify_json(source.as_ptr(), written.as_ptr(), null(), &mut text, &mut error);
        assert!(code == DRAPTO_OK && taken(text).contains(r#""pass":true"#));
        let (mut scored, token) = (null_mut(), drapto_token_new());
        let (s, w, u) = (source.as_ptr(), written.as_ptr(), null_mut());
        let code = drapto_vmaf_json(s, w, 3, null(), None, u, token, &mut scored, &mut error);
        assert!(code == DRAPTO_OK && taken(scored).contains("harmonic_mean"));
        drapto_token_cancel(token);
        let code = drapto_vmaf_json(s, w, 3, null(), None, u, token, &mut scored, &mut error);
        assert!(code == DRAPTO_INTERRUPTED && scored.is_null() && said(error).0 == DRAPTO_INTERRUPTED);
        drapto_token_free(token);
        drapto_request_free(request);
    }
}

#[test]
fn freeing_a_job_that_runs_cancels_it_and_waits() {
    let film = short_film();
    let folder = tempfile::tempdir().unwrap();
    let output = folder.path().join("out.mkv");
    // SAFETY: all pointers are of this function, each object is freed once.
    unsafe {
        let request = request(&film, output.to_str().unwrap());
        let mut job = null_mut();
        assert_eq!(drapto_start(request, None, null_mut(), &mut job, null_mut()), DRAPTO_OK);
        drapto_request_free(request);
        drapto_job_cancel(job);
        let mut error = null_mut();
        assert_eq!(drapto_job_wait(job, -1, null_mut(), &mut error), DRAPTO_INTERRUPTED);
        drapto_error_free(error);
        drapto_job_free(job);
    }
    assert!(!output.exists());
}
