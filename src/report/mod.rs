//! A run's report as people read it: one HTML page that needs nothing beside itself.
//!
//! Owns the words, tables and plots of the page. Refuses files (the page is a `String`), scripts and the network.
#![deny(unsafe_code)]

mod page;
mod plots;
mod text;

pub use page::html;
pub use text::{bytes, duration};
