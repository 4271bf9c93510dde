//! How a picture is turned and mirrored to be shown.
//!
//! Sources: ISO/IEC 14496-12 §6.2.2 and §8.3.2 (the matrix of `tkhd`), RFC 9559 §5.1.4.1.28.49 (ProjectionPoseRoll).

use serde::{Deserialize, Serialize};

/// Which way a picture is mirrored.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Flip {
    /// Left becomes right.
    Horizontal,
    /// Top becomes bottom.
    Vertical,
}

/// What is done to a picture to show it: first it is flipped, then it is turned.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Orientation {
    /// How it is mirrored.
    pub flip: Option<Flip>,
    /// By how many degrees it is turned clockwise after that.
    pub rotation: i32,
}

impl Orientation {
    /// Of a display matrix as FFmpeg has it: `a b u c d v x y w`, by which a point (p, q) of the picture, y downwards, is
    /// shown at (a·p + c·q, b·p + d·q). One without a direction changes nothing.
    ///
    /// A mirror image is a flip and a turn in many ways. This takes the one without a turn where there is one, else a
    /// vertical flip, which keeps rows whole.
    pub fn of_matrix(matrix: [i32; 9]) -> Self {
        let [a, b, _, c, d, ..] = matrix.map(f64::from);
        if a * d - b * c >= 0.0 {
            return Orientation { flip: None, rotation: turn(a, b, c, d) };
        }
        match turn(a, b, -c, -d) {
            180 => Orientation { flip: Some(Flip::Horizontal), rotation: 0 },
            rotation => Orientation { flip: Some(Flip::Vertical), rotation },
        }
    }
}

/// The clockwise turn of a matrix that does not mirror, in whole degrees.
fn turn(a: f64, b: f64, c: f64, d: f64) -> i32 {
    let (width, height) = (a.hypot(c), b.hypot(d));
    if width == 0.0 || height == 0.0 {
        return 0;
    }
    (b / height).atan2(a / width).to_degrees().round().rem_euclid(360.0) as i32
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Where an orientation shows a point.
    fn shown(orientation: Orientation, (x, y): (i32, i32)) -> (i32, i32) {
        let (x, y) = match orientation.flip {
            None => (x, y),
            Some(Flip::Horizontal) => (-x, y),
            Some(Flip::Vertical) => (x, -y),
        };
        match orientation.rotation {
            90 => (-y, x),
            180 => (-x, -y),
            270 => (y, -x),
            _ => (x, y),
        }
    }

    #[test]
    fn all_eight_matrices_show_every_point_where_they_say() {
        const ONE: i32 = 1 << 16;
        let mut flips = 0;
        for [a, b, c, d] in [
            [1, 0, 0, 1],
            [0, 1, -1, 0],
            [-1, 0, 0, -1],
            [0, -1, 1, 0],
            [-1, 0, 0, 1],
            [1, 0, 0, -1],
            [0, 1, 1, 0],
            [0, -1, -1, 0],
        ] {
            let found = Orientation::of_matrix([a * ONE, b * ONE, 0, c * ONE, d * ONE, 0, 7 * ONE, 9 * ONE, 1 << 30]);
            for (p, q) in [(1, 0), (0, 1), (3, 5)] {
                assert_eq!(shown(found, (p, q)), (a * p + c * q, b * p + d * q), "{a} {b} {c} {d}: {found:?}");
            }
            flips += usize::from(found.flip.is_some());
        }
        assert_eq!(flips, 4);
    }

    #[test]
    fn a_matrix_of_nothing_changes_nothing_and_odd_angles_stay() {
        assert_eq!(Orientation::of_matrix([0; 9]), Orientation::default());
        let (sin, cos) = 7f64.to_radians().sin_cos();
        let one = 65_536.0;
        let [sin, cos] = [sin, cos].map(|v: f64| (v * one) as i32);
        assert_eq!(Orientation::of_matrix([cos, sin, 0, -sin, cos, 0, 0, 0, 1 << 30]).rotation, 7);
    }
}
