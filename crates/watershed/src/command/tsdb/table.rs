//! A table of blocks and the forms of its numbers, as promtool prints them.

use std::io::{self, Write};

/// A column is at least so wide, and so far from the next.
const WIDTH_MIN: usize = 13;
const PADDING: usize = 2;

/// The first line of a table of blocks.
pub(super) const BLOCK_COLUMNS: [&str; 8] =
    ["BLOCK ULID", "MIN TIME", "MAX TIME", "DURATION", "NUM SAMPLES", "NUM CHUNKS", "NUM SERIES", "SIZE"];

/// A block's figures, as they are known.
pub(super) struct Row {
    pub(super) name: String,
    pub(super) min_time: i64,
    pub(super) max_time: i64,
    pub(super) samples: u64,
    pub(super) chunks: u64,
    pub(super) series: u64,
    pub(super) bytes: u64,
}

impl Row {
    /// The cells in the order of [`BLOCK_COLUMNS`].
    pub(super) fn cells(&self, human_readable: bool) -> Vec<String> {
        vec![
            self.name.clone(),
            time(self.min_time, human_readable),
            time(self.max_time, human_readable),
            duration(self.max_time.saturating_sub(self.min_time)),
            self.samples.to_string(),
            self.chunks.to_string(),
            self.series.to_string(),
            if human_readable { bytes(self.bytes) } else { self.bytes.to_string() },
        ]
    }
}

/// Prints rows with aligned columns; the last is as wide as it is.
pub(super) fn print(out: &mut impl Write, rows: &[Vec<String>]) -> io::Result<()> {
    let columns = rows.iter().map(Vec::len).max().unwrap_or(0);
    let width = |column: usize| {
        let longest = rows.iter().filter_map(|row| row.get(column)).map(String::len).max().unwrap_or(0);
        WIDTH_MIN.max(longest + PADDING)
    };
    let widths: Vec<usize> = (0..columns).map(width).collect();
    for row in rows {
        for (column, cell) in row.iter().enumerate() {
            if column + 1 < row.len() {
                write!(out, "{cell:<width$}", width = widths[column])?;
            } else {
                writeln!(out, "{cell}")?;
            }
        }
    }
    Ok(())
}

/// Milliseconds, or the second they are in.
pub(super) fn time(ms: i64, human_readable: bool) -> String {
    match jiff::Timestamp::from_second(ms / 1000) {
        Ok(time) if human_readable => time.strftime("%Y-%m-%d %H:%M:%S +0000 UTC").to_string(),
        _ => ms.to_string(),
    }
}

/// Milliseconds in Go's form: `2h0m0s`, `1.5s`, `7ms`.
pub(super) fn duration(ms: i64) -> String {
    let sign = if ms < 0 { "-" } else { "" };
    let total = ms.unsigned_abs();
    if total == 0 {
        return "0s".to_owned();
    }
    if total < 1000 {
        return format!("{sign}{total}ms");
    }
    let (hours, minutes, rest) = (total / 3_600_000, total / 60_000 % 60, total % 60_000);
    let fraction = format!("{:03}", rest % 1000);
    let fraction = fraction.trim_end_matches('0');
    let point = if fraction.is_empty() { "" } else { "." };
    let seconds = format!("{}{point}{fraction}s", rest / 1000);
    match (hours, minutes) {
        (0, 0) => format!("{sign}{seconds}"),
        (0, _) => format!("{sign}{minutes}m{seconds}"),
        _ => format!("{sign}{hours}h{minutes}m{seconds}"),
    }
}

/// Bytes in parts: `1GiB512MiB1KiB3B`.
pub(super) fn bytes(count: u64) -> String {
    if count == 0 {
        return "0B".to_owned();
    }
    let units = ["EiB", "PiB", "TiB", "GiB", "MiB", "KiB", "B"];
    let mut out = String::new();
    for (i, unit) in units.iter().enumerate() {
        let part = count >> (10 * (units.len() - 1 - i)) & if i == 0 { u64::MAX } else { 1023 };
        if part > 0 {
            out.push_str(&format!("{part}{unit}"));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn prints_numbers_as_promtool_does() {
        let check = |ms: i64, want: &str| assert_eq!(duration(ms), want);
        check(0, "0s");
        check(1, "1ms");
        check(1501, "1.501s");
        check(7_200_000, "2h0m0s");
        check(7_199_501, "1h59m59.501s");
        check(64_800_000, "18h0m0s");
        check(61_000, "1m1s");
        check(-1500, "-1.5s");
        let check = |count: u64, want: &str| assert_eq!(bytes(count), want);
        check(0, "0B");
        check(669, "669B");
        check(1024, "1KiB");
        check(1_614_807_043, "1GiB516MiB3B");
        assert_eq!(time(1_700_000_001_501, true), "2023-11-14 22:13:21 +0000 UTC");
        assert_eq!(time(-5, false), "-5");
    }

    #[test]
    fn columns_are_aligned() {
        let mut out = Vec::new();
        let row = |cells: &[&str]| cells.iter().map(|cell| (*cell).to_owned()).collect::<Vec<_>>();
        print(&mut out, &[row(&["A", "B"]), row(&["01ARZ3NDEKTSV4RRFFQ69G5FAV", "1"])]).expect("memory");
        let want = "A                           B\n01ARZ3NDEKTSV4RRFFQ69G5FAV  1\n";
        assert_eq!(String::from_utf8_lossy(&out), want);
    }
}
