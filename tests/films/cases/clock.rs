//! Time before zero, and one clock for a source.

use super::{Found, Lab, Row, right_if};

pub const ROWS: &[Row] = &[Row { name: "cut_mid_gop", check: cut_mid_gop }];

fn cut_mid_gop(lab: &Lab) -> Found {
    let (_, report) = lab.encode("cut_mid_gop.mp4", &[]);
    let frames = &report["output"]["frames"];
    right_if(*frames == 52, format!("{frames} pictures"))
}
