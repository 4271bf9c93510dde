//! (room under construction)
#![deny(unsafe_code)]
