//! `drapto history`.

use std::fmt::Write;
use std::path::Path;

use drapto::cache::{HistoryEntry, HistoryTotals, RunOutcome};
use drapto::{Error, ErrorKind, Result};
use serde::Serialize;

use super::args::HistoryArgs;
use super::text::{bytes, duration, print, print_json};

#[derive(Serialize)]
struct HistoryPage {
    runs: Vec<HistoryEntry>,
    totals: HistoryTotals,
}

pub fn run(args: &HistoryArgs) -> Result<()> {
    let cache = super::cache::open()?;
    let (runs, totals) = (cache.history(args.limit), cache.history_totals());
    // A run goes on without what it cannot read; here it is what was asked for.
    if let Some(why) = cache.take_warnings().pop() {
        return Err(Error::new(ErrorKind::Input, why));
    }
    if args.json {
        return print_json(&HistoryPage { runs, totals });
    }
    let lines: String = runs.iter().map(line).collect();
    print(&(lines + &total(&totals)))
}

/// When, what and what came of it.
fn line(run: &HistoryEntry) -> String {
    let name = Path::new(&run.input).file_name().map_or((&*run.input).into(), |name| name.to_string_lossy());
    // A name may hold what a terminal obeys.
    let plain = |text: &str| text.chars().map(|c| if c.is_control() { '?' } else { c }).collect::<String>();
    let mut out = format!("{}  {}", minute(run.when_unix_s), plain(&name));
    // Writing to a String cannot fail.
    let _ = match run.outcome {
        RunOutcome::Done => {
            let saved = saved(run.bytes_in, run.bytes_out);
            write!(out, "  {} → {}  ({saved})", bytes(run.bytes_in), bytes(run.bytes_out))
        }
        outcome => write!(out, "  {}: {}", outcome.name(), plain(&run.reason)),
    };
    if let Some(score) = run.score {
        let _ = write!(out, "  VMAF {score:.2}");
    }
    if let Some(crf) = run.crf {
        // As many digits as tell something: 25, 27.25, 35.8.
        let _ = write!(out, "  CRF {}", (crf * 100.0).round() / 100.0);
    }
    if run.outcome == RunOutcome::Done {
        let _ = write!(out, "  {}", duration(run.wall_s));
    }
    out + "\n"
}

fn total(totals: &HistoryTotals) -> String {
    let HistoryTotals { runs, bytes_in, bytes_out } = *totals;
    if runs == 0 {
        return "no run was done yet\n".to_owned();
    }
    let runs = if runs == 1 { "1 run".to_owned() } else { format!("{runs} runs") };
    let word = if bytes_out <= bytes_in { "saved" } else { "more" };
    let change = format!("{} {word}, {}", bytes(bytes_in.abs_diff(bytes_out)), saved(bytes_in, bytes_out));
    format!("{runs} done: {} → {}  ({change})\n", bytes(bytes_in), bytes(bytes_out))
}

fn saved(bytes_in: u64, bytes_out: u64) -> String {
    if bytes_in == 0 {
        return "of nothing".to_owned();
    }
    let percent = 100.0 - 100.0 * bytes_out as f64 / bytes_in as f64;
    format!("{:.1} % {}", percent.abs(), if percent < 0.0 { "larger" } else { "smaller" })
}

/// `2026-11-21 18:03 UTC`, by the proleptic Gregorian calendar.
pub fn minute(unix_s: i64) -> String {
    let (days, second) = (unix_s.div_euclid(86400), unix_s.rem_euclid(86400));
    // Howard Hinnant, "chrono-Compatible Low-Level Date Algorithms": eras of 400 years, years that begin in March.
    let since = days + 719_468;
    let (era, day) = (since.div_euclid(146_097), since.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let day = day - (153 * month + 2) / 5 + 1;
    let month = if month < 10 { month + 3 } else { month - 9 };
    let year = year + era * 400 + i64::from(month <= 2);
    format!("{year:04}-{month:02}-{day:02} {:02}:{:02} UTC", second / 3600, second / 60 % 60)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_those_of_the_calendar() {
        for (unix_s, text) in [
            (0, "1970-01-01 00:00 UTC"),
            (-1, "1969-12-31 23:59 UTC"),
            (951_782_399, "2000-02-28 23:59 UTC"),
            (951_782_400, "2000-02-29 00:00 UTC"),
            (951_868_800, "2000-03-01 00:00 UTC"),
            (1_000_000_000, "2001-09-09 01:46 UTC"),
            (4_107_542_400, "2100-03-01 00:00 UTC"),
            (-62_135_596_800, "0001-01-01 00:00 UTC"),
        ] {
            assert_eq!(minute(unix_s), text);
        }
        let _ = (minute(i64::MIN), minute(i64::MAX));
    }

    #[test]
    fn a_run_is_a_line_whatever_its_name_holds() {
        let mut run = HistoryEntry {
            when_unix_s: 1_000_000_000,
            input: "/films/a\u{1b}[31m\n.mkv".to_owned(),
            bytes_in: 7_608_204,
            bytes_out: 3_317_200,
            wall_s: 111.0,
            crf: Some(35.8),
            score: Some(93.034),
            ..HistoryEntry::default()
        };
        let shown =
            "2001-09-09 01:46 UTC  a?[31m?.mkv  7.26 MiB → 3.16 MiB  (56.4 % smaller)  VMAF 93.03  CRF 35.8  1:51\n";
        assert_eq!(line(&run), shown);
        (run.outcome, run.reason, run.score, run.crf) = (RunOutcome::Skipped, "is AV1\nalready".to_owned(), None, None);
        assert_eq!(line(&run), "2001-09-09 01:46 UTC  a?[31m?.mkv  skipped: is AV1?already\n");
    }

    #[test]
    fn what_all_runs_saved_is_the_last_line() {
        let totals = |runs, bytes_in, bytes_out| total(&HistoryTotals { runs, bytes_in, bytes_out });
        assert_eq!(totals(0, 0, 0), "no run was done yet\n");
        assert_eq!(totals(1, 2048, 1024), "1 run done: 2.00 KiB → 1.00 KiB  (1.00 KiB saved, 50.0 % smaller)\n");
        assert_eq!(totals(2, 1024, 2048), "2 runs done: 1.00 KiB → 2.00 KiB  (1.00 KiB more, 100.0 % larger)\n");
        assert_eq!(totals(2, 0, 0), "2 runs done: 0 B → 0 B  (0 B saved, of nothing)\n");
    }
}
