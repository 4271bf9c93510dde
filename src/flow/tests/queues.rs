//! One queue: its bounds, its ends.

use std::time::Instant;

use super::super::queue::{Outside, queue};
use super::*;

fn pair(items: usize, bytes: usize, cancel: &CancelToken) -> (Outlet<Vec<u8>>, Port<Vec<u8>>) {
    queue(Bound::new(items, bytes), Outside::No, cancel)
}

#[test]
fn dropping_the_outlet_drains_the_queue_and_then_ends_it() {
    let (outlet, port) = pair(4, 1 << 20, &CancelToken::new());
    outlet.send(vec![1]).unwrap();
    outlet.send(vec![2]).unwrap();
    drop(outlet);
    assert_eq!(port.receive().unwrap(), Some(vec![1]));
    assert_eq!(port.receive().unwrap(), Some(vec![2]));
    assert_eq!(port.receive().unwrap(), None);
}

#[test]
fn a_sender_waits_for_bytes_as_well_as_for_places() {
    let (outlet, port) = pair(100, 1000, &CancelToken::new());
    outlet.send(vec![0; 900]).unwrap();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| {
            let start = Instant::now();
            outlet.send(vec![0; 200]).unwrap();
            start.elapsed()
        });
        std::thread::sleep(Duration::from_millis(60));
        port.receive().unwrap();
        assert!(waiting.join().unwrap() >= Duration::from_millis(30));
    });
}

#[test]
fn an_item_heavier_than_the_bound_travels_alone() {
    let (outlet, port) = pair(4, 10, &CancelToken::new());
    outlet.send(vec![0; 50]).unwrap();
    assert_eq!(port.receive().unwrap().map(|v| v.len()), Some(50));
}

#[test]
fn a_failed_neighbour_is_never_taken_for_the_end_of_the_stream() {
    let cancel = CancelToken::new();
    let (outlet, port) = pair(4, 10, &cancel);
    cancel.cancel();
    drop(outlet);
    assert_eq!(port.receive().unwrap_err().kind(), ErrorKind::Interrupted);
}

#[test]
fn cancelling_wakes_both_ends() {
    let cancel = CancelToken::new();
    let (outlet, full) = pair(1, 10, &cancel);
    let (_open, empty) = pair(1, 10, &cancel);
    outlet.send(vec![0; 10]).unwrap();
    std::thread::scope(|scope| {
        let sends = scope.spawn(|| outlet.send(vec![0; 10]));
        let takes = scope.spawn(move || empty.receive());
        std::thread::sleep(Duration::from_millis(20));
        cancel.cancel();
        assert_eq!(sends.join().unwrap().unwrap_err().kind(), ErrorKind::Interrupted);
        assert_eq!(takes.join().unwrap().unwrap_err().kind(), ErrorKind::Interrupted);
    });
    drop(full);
}

#[test]
fn a_consumer_that_leaves_lets_a_waiting_sender_go() {
    let (outlet, port) = pair(1, 10, &CancelToken::new());
    outlet.send(vec![0; 10]).unwrap();
    std::thread::scope(|scope| {
        let waiting = scope.spawn(|| outlet.offer(vec![0; 10]));
        std::thread::sleep(Duration::from_millis(20));
        port.leave();
        assert!(!waiting.join().unwrap().unwrap());
    });
    assert!(outlet.is_unwanted());
    assert!(outlet.send(vec![1]).unwrap_err().to_string().contains("takes no more"));
}

#[test]
fn a_consumer_that_is_gone_without_leaving_is_a_fault() {
    let (outlet, port) = pair(1, 10, &CancelToken::new());
    drop(port);
    assert!(outlet.offer(vec![1]).unwrap_err().to_string().contains("ended early"));
}

#[test]
fn what_was_queued_before_a_tee_goes_to_every_branch() {
    let mut graph = graph();
    let (outlet, port) = graph.channel::<Vec<u8>>(Bound::items(4));
    outlet.send(vec![1]).unwrap();
    let ports = graph.tee(port, 2);
    outlet.send(vec![2]).unwrap();
    drop(outlet);
    for port in ports {
        assert_eq!([(); 3].map(|()| port.receive().unwrap()), [Some(vec![1]), Some(vec![2]), None]);
    }
}
