//! parse → run → ExitCode
fn main() {}
