//! The process's allocator and priorities.

use drapto::data::Ionice;

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

/// Has the allocator keep what was freed for the next picture.
///
/// libvmaf's SSIM allocates some pictures of floating-point numbers for each pair; returned to the system and asked for again
/// each time, they cost a tenth of the processor time of an analysis (720p, VMAF, PSNR and SSIM).
pub fn keep_memory() {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    // SAFETY: mallopt only sets parameters of the allocator, which it guards itself.
    unsafe {
        // The most that glibc takes for it.
        libc::mallopt(libc::M_MMAP_THRESHOLD, 32 << 20);
        libc::mallopt(libc::M_TRIM_THRESHOLD, 256 << 20);
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

/// Has this thread, and those it begins, stand back behind other programs: by `nice` (0 to 19) for the processor, by `ionice`
/// for disks. What the system refuses stays as it is.
pub fn stand_back(nice: u8, ionice: Ionice) {
    #[cfg(all(target_os = "linux", target_env = "gnu"))]
    {
        /// `ioprio_set(2)`: a thread, here the calling one, and the class in the highest bits.
        const IOPRIO_WHO_PROCESS: libc::c_long = 1;
        const CLASS_SHIFT: u32 = 13;
        // The least of a class's eight priorities; the idle class has none.
        let priority: libc::c_long = match ionice {
            Ionice::None => 0,
            Ionice::BestEffort => (2 << CLASS_SHIFT) | 7,
            Ionice::Idle => 3 << CLASS_SHIFT,
        };
        if priority != 0 {
            // SAFETY: the call takes numbers alone, and changes how this thread's reads and writes are queued.
            let code = unsafe { libc::syscall(libc::SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0 as libc::c_long, priority) };
            if code != 0 {
                tracing::warn!("disks are used as by other programs");
            }
        }
        if nice > 0 {
            // SAFETY: the call takes numbers alone, and lowers the priority of this thread.
            let code = unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, libc::c_int::from(nice)) };
            if code != 0 {
                tracing::warn!("the processor is used as by other programs");
            }
        }
    }
    let _ = (nice, ionice);
}
