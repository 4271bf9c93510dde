//! The front door, without films.

use std::sync::Arc;

use super::*;
use crate::base::ErrorKind;
use crate::config::Quality;
use crate::event::Silent;
use crate::flow::RunState;

#[test]
fn a_request_is_read_as_it_was_written_and_each_output_has_settings_of_its_own() {
    let mut request = EncodeRequest::new("film.mkv", "film.av1.mkv");
    request.set("quality.target_vmaf", "95").unwrap();
    request.set("run.workers", "2").unwrap();
    let small = request.add_output("small.mkv");
    request.set_for(small, "picture.scale", "480").unwrap();
    request.set_for(small, "quality.crf", "35").unwrap();
    let read = EncodeRequest::from_json(&request.to_json().unwrap()).unwrap();
    assert_eq!(read, request);
    assert_eq!(read.get("quality.target_vmaf").unwrap().as_deref(), Some("95"));
    let (first, _) = read.resolve(0).unwrap();
    let (second, warnings) = read.resolve(small).unwrap();
    assert!(matches!(first.quality, Quality::Target(_)) && first.picture.scale.is_none());
    assert!(matches!(second.quality, Quality::Crf(Some(_))) && second.picture.scale.is_some());
    assert!(warnings[0].contains("workers"), "{warnings:?}");
    assert_eq!(read.check().unwrap(), warnings);
}

#[test]
fn what_is_no_request_is_a_usage_error() {
    let refused = |text: &str, part: &str| {
        let error = EncodeRequest::from_json(text).unwrap_err();
        assert!(error.kind() == ErrorKind::Usage && error.to_string().contains(part), "{error}");
    };
    refused("{", "cannot read the request");
    refused(r#"{"version": 2, "input": "a", "outputs": []}"#, "version 2");
    refused(r#"{"version": 1, "input": "a", "outputs": [], "speed": 1}"#, "speed");
    refused(r#"{"version": 1, "input": "a", "outputs": [], "settings": {"video.preset": 14}}"#, "preset 14");
    let number = r#"{"version": 1, "input": "a", "outputs": [{"path": "b"}], "settings": {"video.preset": 4}}"#;
    assert_eq!(EncodeRequest::from_json(number).unwrap().get("video.preset").unwrap().as_deref(), Some("4"));
    let mut twice = EncodeRequest::new("a", "b");
    twice.add_output("b");
    assert!(twice.check().unwrap_err().to_string().contains("two outputs"));
    assert!(twice.set("video.speed", "1").unwrap_err().to_string().contains("video.speed"));
    assert!(twice.set_for(2, "video.preset", "1").is_err());
}

#[test]
fn the_last_of_crf_and_target_that_a_program_sets_holds() {
    let mut request = EncodeRequest::new("a", "b");
    request.set("quality.crf", "30").unwrap();
    request.set("quality.target_vmaf", "90").unwrap();
    assert!(matches!(request.resolve(0).unwrap().0.quality, Quality::Target(_)));
    request.set("quality.crf", "30").unwrap();
    assert!(matches!(request.resolve(0).unwrap().0.quality, Quality::Crf(_)));
}

#[test]
fn a_job_that_fails_says_so_by_wait_and_health() {
    let job = start(EncodeRequest::new("no/such/film.mkv", "out.mkv"), Arc::new(Silent)).unwrap();
    while !job.is_finished() {
        std::thread::sleep(std::time::Duration::from_millis(5));
    }
    assert_eq!(job.health().state, RunState::Error);
    assert_eq!(job.wait().unwrap_err().kind(), ErrorKind::Input);
    let (a, b) = (EncodeRequest::new("no/such", "a"), EncodeRequest::new("no/such", "b"));
    let (a, b) = (start(a, Arc::new(Silent)).unwrap(), start(b, Arc::new(Silent)).unwrap());
    assert_ne!(a.id(), b.id());
}

#[test]
fn a_request_that_cannot_be_never_becomes_a_job() {
    let mut request = EncodeRequest::new("a", "b");
    request.set("quality.crf_min", "40").unwrap();
    request.set("quality.crf_max", "30").unwrap();
    assert_eq!(start(request, Arc::new(Silent)).unwrap_err().kind(), ErrorKind::Usage);
}

#[test]
fn a_skip_as_an_error_has_the_same_words() {
    let error = crate::base::Error::new(ErrorKind::Skipped, "left alone").with_file(std::path::Path::new("a.mkv"));
    let reason = SkipReason { file: Some("a.mkv".into()), message: "left alone".to_owned() };
    assert_eq!(reason.to_string(), error.to_string());
    assert_eq!(crate::base::Error::from(reason).to_string(), error.to_string());
}
