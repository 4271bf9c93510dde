//! PURE: what the measures of a film's pictures say is wrong with it.
#![deny(unsafe_code)]

use super::finding::{FindingKind, QualityFinding};
use super::series::{PictureSeries, SECOND, Stretch, secs};
use super::thresholds::Thresholds;

/// The share of luma that has to be dark in a black picture (blackdetect's `picture_black_ratio_th`).
const BLACK: f32 = 0.98;

/// A stretch of banding, blocks, blur or samples outside of the legal range is at least so long, or all of the film.
const LASTING: i64 = SECOND;

/// Cuts are counted in windows of this length.
const CUT_WINDOW: i64 = 10 * SECOND;

/// Fewer cuts than these in a window are never suspicious, however short the film.
const FEWEST_CUTS: usize = 5;

/// A picture no further than this from the one before, in full scale, is the same one: a twentieth of an 8-bit step.
const SAME: f32 = 0.000_2;

/// What a codec makes of the same picture is this much nearer to it than its neighbours are to theirs.
const NEARER: f32 = 0.03;

/// Things move where pictures differ by this, in full scale: half of an 8-bit step.
const MOVES: f32 = 0.002;

/// The longest run of pictures shown twice: pulldown shows every other one three times. What stands still longer, rests.
const LONGEST: usize = 2;

/// How many pictures on each side tell whether things move.
const AROUND: usize = 6;

/// Pictures shown twice and missing ones no further apart than this are one finding.
const TOGETHER: i64 = 2 * SECOND;

/// What is found in the pictures; not yet judged.
pub(super) fn picture_findings(series: &PictureSeries, thresholds: &Thresholds) -> Vec<QualityFinding> {
    if series.times.is_empty() {
        return Vec::new();
    }
    let black = lasting(series.stretches(|at| series.dark[at] >= BLACK), FindingKind::Black, thresholds);
    let still = still_stretches(series);
    let mut frozen = lasting(still, FindingKind::Freeze, thresholds);
    // Black stands still by nature: what of it is left without the black has to be as long.
    frozen.retain(|s| {
        let black: i64 = black.iter().map(|b| (b.to.min(s.to) - b.from.max(s.from)).max(0)).sum();
        thresholds.finding(FindingKind::Freeze).first(false).is_some_and(|limit| secs(s.length() - black) >= limit)
    });
    let mut out: Vec<QualityFinding> = Vec::new();
    let for_seconds = |kind: FindingKind, s: &Stretch| {
        let message = format!("{} for {:.2} s", kind.about(), secs(s.length()));
        QualityFinding::new(kind, Some(s.span()), secs(s.length()), message)
    };
    out.extend(black.iter().map(|s| for_seconds(FindingKind::Black, s)));
    out.extend(frozen.iter().map(|s| for_seconds(FindingKind::Freeze, s)));
    let at_rest: Vec<Stretch> = black.into_iter().chain(frozen).collect();
    out.extend(duplicates(series, &at_rest));
    out.extend(dropped(series));
    out.extend(cuts(series, thresholds));
    out.extend(outside(series, thresholds));
    let looks = [
        (FindingKind::Banding, &series.banding),
        (FindingKind::Blockiness, &series.blockiness),
        (FindingKind::Blur, &series.blur),
    ];
    for (kind, values) in looks {
        let Some(limit) = thresholds.finding(kind).first(false) else { continue };
        let found = series.looked_stretches(values, limit).into_iter().filter(|(s, _)| lasts(series, s));
        out.extend(found.map(|(s, mean)| {
            QualityFinding::new(kind, Some(s.span()), mean, format!("{} of {mean:.2} on average", kind.about()))
        }));
    }
    out
}

fn lasts(series: &PictureSeries, stretch: &Stretch) -> bool {
    stretch.length() >= LASTING || stretch.pictures.len() == series.times.len()
}

/// Those that are as long as the first limit of their kind.
fn lasting(stretches: Vec<Stretch>, kind: FindingKind, thresholds: &Thresholds) -> Vec<Stretch> {
    let Some(limit) = thresholds.finding(kind).first(false) else { return Vec::new() };
    stretches.into_iter().filter(|s| secs(s.length()) >= limit).collect()
}

/// Stretches that stand still, each with the picture it stands still from.
fn still_stretches(series: &PictureSeries) -> Vec<Stretch> {
    let found = series.stretches(|at| series.still[at]);
    found.into_iter().map(|s| series.stretch(s.pictures.start.saturating_sub(1)..s.pictures.end)).collect()
}

/// Pictures shown twice while things move around them.
fn duplicates(series: &PictureSeries, at_rest: &[Stretch]) -> Vec<QualityFinding> {
    let n = series.times.len();
    let twice: Vec<usize> = (1..n).filter(|at| is_same(&series.moved, *at)).collect();
    let rests = |at: usize| at_rest.iter().any(|s| s.pictures.contains(&at));
    let twice: Vec<usize> = twice.into_iter().filter(|at| !rests(*at)).collect();
    grouped(series, &twice)
        .into_iter()
        .map(|group| {
            let (first, last) = (group[0], group[group.len() - 1]);
            let span = series.stretch(first..last + 1).span();
            let share = group.len() as f64 * 100.0 / (last + 1 - first) as f64;
            let message = match group.len() {
                1 => "a picture is shown twice".to_owned(),
                // Pulldown without fields, animation on twos, a rate that was converted.
                count if share >= 15.0 => format!("{count} pictures are shown twice, {share:.0} % of them: a pattern"),
                count => format!("{count} pictures are shown twice"),
            };
            QualityFinding::new(FindingKind::Duplicates, Some(span), group.len() as f64, message)
        })
        .collect()
}

/// Whether the picture is the one before while things move: right before and right after it, too, or it is a picture at rest.
fn is_same(moved: &[f32], at: usize) -> bool {
    let around = at.saturating_sub(AROUND)..(at + AROUND + 1).min(moved.len());
    let mut moving: Vec<f32> = moved[around].iter().copied().filter(|m| *m > MOVES).collect();
    // Of the thirteen at least a third has to move: on twos it is half.
    if moving.len() < 4 {
        return false;
    }
    moving.sort_by(f32::total_cmp);
    let most = SAME.max(NEARER * moving[moving.len() / 2]);
    let same = |at: usize| moved[at] <= most;
    let before = (0..at).rev().find(|before| !same(*before));
    let after = (at + 1..moved.len()).find(|after| !same(*after));
    let moves = |at: Option<usize>| at.is_some_and(|at| moved[at] > MOVES || (at == 0 && moved[at].is_nan()));
    let run = after.unwrap_or(moved.len()) - before.map_or(0, |before| before + 1);
    same(at) && run <= LONGEST && moves(before) && moves(after)
}

/// Pictures that are missing by their times, where pictures come at a steady rate.
fn dropped(series: &PictureSeries) -> Vec<QualityFinding> {
    let steps: Vec<i64> = series.times.windows(2).map(|pair| pair[1] - pair[0]).collect();
    let mut sorted = steps.clone();
    sorted.sort_unstable();
    let Some(usual) = sorted.get(sorted.len() / 2).copied().filter(|usual| *usual > 0) else { return Vec::new() };
    // Containers round times to their ticks, of a millisecond in Matroska.
    let slack = (usual / 10).max(1_500_000);
    let steady = steps.iter().filter(|step| (*step - usual).abs() <= slack).count();
    if steady * 10 < steps.len() * 9 {
        return Vec::new();
    }
    let missing = |step: i64| ((step as f64 / usual as f64).round() as usize).saturating_sub(1);
    let gaps: Vec<usize> =
        (0..steps.len()).filter(|at| steps[*at] - usual > usual / 2 && missing(steps[*at]) > 0).collect();
    grouped(series, &gaps)
        .into_iter()
        .map(|group| {
            let count: usize = group.iter().map(|at| missing(steps[*at])).sum();
            let span = (secs(series.times[group[0]]), secs(series.time(group[group.len() - 1] + 1)));
            let message = match count {
                1 => "a picture is missing by the times of its neighbours".to_owned(),
                count => format!("{count} pictures are missing by the times of their neighbours"),
            };
            QualityFinding::new(FindingKind::Dropped, Some(span), count as f64, message)
        })
        .collect()
}

/// Indices whose pictures are close together.
fn grouped(series: &PictureSeries, indices: &[usize]) -> Vec<Vec<usize>> {
    let mut out: Vec<Vec<usize>> = Vec::new();
    for &at in indices {
        match out.last_mut() {
            Some(group) if series.times[at] - series.times[group[group.len() - 1]] <= TOGETHER => group.push(at),
            _ => out.push(vec![at]),
        }
    }
    out
}

/// Stretches in which cuts follow each other closely.
fn cuts(series: &PictureSeries, thresholds: &Thresholds) -> Vec<QualityFinding> {
    let Some(limit) = thresholds.finding(FindingKind::Cuts).first(false) else { return Vec::new() };
    let cuts: Vec<usize> = (0..series.times.len()).filter(|at| series.begins[*at]).collect();
    let window = CUT_WINDOW.min(series.end - series.times[0]).max(1);
    let a_minute = |count: usize, length: i64| count as f64 * 60.0 / secs(length.max(1));
    // For each cut, whether the window that begins with it holds too many.
    let held = |from: usize| {
        let until = series.times[cuts[from]] + window;
        cuts[from..].iter().take_while(|at| series.times[**at] < until).count()
    };
    let (mut out, mut from) = (Vec::new(), 0);
    while from < cuts.len() {
        let mut until = from + held(from);
        if held(from) < FEWEST_CUTS || a_minute(held(from), window) < limit {
            from += 1;
            continue;
        }
        // As long as windows that begin within hold too many, it goes on. Its value is that of its fullest window.
        let (mut at, mut most) = (from + 1, held(from));
        while at < until {
            if held(at) >= FEWEST_CUTS && a_minute(held(at), window) >= limit {
                until = until.max(at + held(at));
                most = most.max(held(at));
            }
            at += 1;
        }
        let (begin, end) = (series.times[cuts[from]], series.time(cuts[until - 1] + 1));
        let message = format!("{} scene cuts in {:.1} s", until - from, secs(end - begin));
        let span = (secs(begin), secs(end));
        out.push(QualityFinding::new(FindingKind::Cuts, Some(span), a_minute(most, window), message));
        from = until;
    }
    out
}

/// Stretches with samples outside of the legal range.
fn outside(series: &PictureSeries, thresholds: &Thresholds) -> Vec<QualityFinding> {
    let Some(limit) = thresholds.finding(FindingKind::Range).first(false) else { return Vec::new() };
    let bad = series.stretches(|at| f64::from(series.outside[at]) * 100.0 >= limit);
    let found = bad.into_iter().filter(|s| lasts(series, s));
    found
        .map(|s| {
            let of = &series.outside[s.pictures.clone()];
            let mean = of.iter().map(|v| f64::from(*v) * 100.0).sum::<f64>() / of.len() as f64;
            let message = format!("{mean:.2} % of samples are outside of the legal range");
            QualityFinding::new(FindingKind::Range, Some(s.span()), mean, message)
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Pictures at 25 a second that move all the time.
    fn moving(n: usize) -> PictureSeries {
        PictureSeries {
            times: (0..n as i64).map(|at| at * 40_000_000).collect(),
            end: n as i64 * 40_000_000,
            dark: vec![0.1; n],
            outside: vec![0.0; n],
            moved: vec![0.02; n],
            still: vec![false; n],
            begins: vec![false; n],
            ..PictureSeries::default()
        }
    }

    fn found(series: &PictureSeries) -> Vec<(FindingKind, Option<f64>, Option<f64>, f64)> {
        let findings = picture_findings(series, &Thresholds::default());
        findings.into_iter().map(|f| (f.kind, f.from_s, f.to_s, f.value)).collect()
    }

    #[test]
    fn nothing_is_found_in_a_film_that_moves() {
        assert_eq!(found(&moving(500)), []);
        assert_eq!(found(&moving(1)), []);
        assert_eq!(found(&PictureSeries::default()), []);
    }

    #[test]
    fn black_and_still_stretches_are_found_at_their_times_and_black_is_not_still_too() {
        let mut series = moving(500);
        series.dark[100..160].fill(1.0);
        series.still[101..160].fill(true);
        series.still[301..370].fill(true);
        series.moved[101..160].fill(0.0);
        series.moved[301..370].fill(0.0);
        assert_eq!(
            found(&series),
            [(FindingKind::Black, Some(4.0), Some(6.4), 2.4), (FindingKind::Freeze, Some(12.0), Some(14.8), 2.8)]
        );
    }

    #[test]
    fn a_picture_shown_twice_is_one_only_while_things_move() {
        let mut series = moving(200);
        series.moved[50] = 0.000_1;
        series.moved[60] = 0.000_5;
        series.moved[150] = 0.001;
        assert_eq!(found(&series), [(FindingKind::Duplicates, Some(2.0), Some(2.44), 2.0)]);
        let mut rests = moving(200);
        rests.moved[50..57].copy_from_slice(&[0.0002, 0.000_02, 0.0017, 0.000_06, 0.0, 0.000_04, 0.0003]);
        assert_eq!(found(&rests), [], "a moment of rest between two movements");
        let mut pulled = moving(200);
        (0..200).filter(|at| matches!(at % 5, 1 | 3 | 4)).for_each(|at| pulled.moved[at] = 0.0);
        assert!(
            matches!(found(&pulled)[..], [(FindingKind::Duplicates, Some(0.04), _, 118.0)]),
            "{:?}",
            found(&pulled)
        );
        let mut slow = moving(200);
        slow.moved.fill(0.001);
        slow.moved[50] = 0.0;
        assert_eq!(found(&slow), [], "a title that hardly moves");
    }

    #[test]
    fn a_hole_in_steady_times_is_so_many_pictures_and_times_that_vary_have_none() {
        let mut series = moving(200);
        for time in &mut series.times[80..] {
            *time += 2 * 40_000_000;
        }
        series.end += 2 * 40_000_000;
        assert_eq!(found(&series), [(FindingKind::Dropped, Some(3.16), Some(3.28), 2.0)]);
        let mut varies = moving(200);
        let mut at = 0;
        for (n, time) in varies.times.iter_mut().enumerate() {
            *time = at;
            at += if n % 3 == 0 { 80_000_000 } else { 40_000_000 };
        }
        varies.end = at;
        assert_eq!(found(&varies), []);
        // 30000/1001 in whole milliseconds.
        let mut rounded = moving(200);
        for (n, time) in rounded.times.iter_mut().enumerate() {
            *time = (n as f64 * 1001.0 / 30.0).round() as i64 * 1_000_000;
        }
        assert_eq!(found(&rounded), []);
    }

    #[test]
    fn cuts_are_suspicious_where_they_follow_each_other_closely() {
        let mut series = moving(1000);
        for at in (0..1000).step_by(50) {
            series.begins[at] = true;
        }
        assert_eq!(found(&series), [], "a cut every two seconds");
        for at in (500..600).step_by(5) {
            series.begins[at] = true;
        }
        // Windows of ten seconds with 20 cuts and more begin at 14 s, and end at 30.8.
        assert_eq!(found(&series), [(FindingKind::Cuts, Some(14.0), Some(30.04), 23.0 * 6.0)]);
    }

    #[test]
    fn samples_outside_of_the_range_are_found_where_they_last() {
        let mut series = moving(200);
        series.outside[10..20].fill(0.5);
        series.outside[100..150].fill(0.04);
        let found = found(&series);
        assert!(
            matches!(found[..], [(FindingKind::Range, Some(4.0), Some(6.0), value)] if (value - 4.0).abs() < 1e-5),
            "{found:?}"
        );
    }
}
