//! Ctrl-C, SIGTERM and SIGHUP: the first asks the run to stop, the second leaves at once.

use std::sync::atomic::{AtomicBool, Ordering};

use drapto::{CancelToken, Error, ErrorKind, Result};

/// Lets signals cancel `token`.
pub fn install(token: &CancelToken) -> Result<()> {
    static ASKED: AtomicBool = AtomicBool::new(false);
    let token = token.clone();
    ctrlc::set_handler(move || {
        if ASKED.swap(true, Ordering::SeqCst) {
            std::process::exit(i32::from(ErrorKind::Interrupted.exit_code()));
        }
        token.cancel();
    })
    .map_err(|e| Error::new(ErrorKind::Encode, "cannot watch for signals").caused_by(e))
}
