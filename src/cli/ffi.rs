//! The process's allocator.

/// Keeps glibc to two arenas.
///
/// Frames and the encoder's buffers are allocated in one thread and freed in another; with an arena a thread,
/// each keeps what the others could use. On a 10 s clip of 720p this took 100 MB off the peak of 780 MB. Call it
/// before the first thread starts.
pub fn limit_arenas() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: mallopt only sets a parameter of the allocator; no other thread runs yet.
    unsafe {
        libc::mallopt(libc::M_ARENA_MAX, 2);
    }
}

/// Has the allocator give out zeroed memory, or whatever it finds again: SVT-AV1 2.3.0 reads memory it never wrote
/// ([`drapto::process::around_opening`]).
pub fn zeroed_memory(on: bool) {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: mallopt only sets a parameter of the allocator, which it guards itself; what other threads allocate
    // meanwhile is filled, too, which costs them time alone. Memory is filled with the complement of the byte.
    unsafe {
        libc::mallopt(libc::M_PERTURB, if on { 0xff } else { 0 });
    }
    let _ = on;
}
