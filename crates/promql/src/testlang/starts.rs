//! Start timestamps in short: `metric{label="value"}@st _ -30s-1mx5 0`, in front of the line with the values of the same series.
//!
//! Each is a duration from the time of its value, mostly a negative one.

use model::Labels;

use crate::testlang::notation::{NotationError, Reader, VALUES_MAX};

/// The start of each value as milliseconds from its time, `None` where it has none.
pub type Starts = Vec<Option<i64>>;

/// What stands behind the labels.
const MARK: &str = "@st";

/// Reads a line of starts; `None` where it is none.
pub(crate) fn parse_starts(line: &str) -> Option<Result<(Labels, Starts), NotationError>> {
    let mut reader = Reader::new(line);
    let labels = reader.labels().ok()?;
    let is_marked = reader.eat(MARK) && reader.rest().chars().next().is_none_or(char::is_whitespace);
    is_marked.then(|| Ok((labels, starts(&mut reader)?)))
}

fn starts(reader: &mut Reader<'_>) -> Result<Starts, NotationError> {
    let mut starts = Starts::new();
    loop {
        reader.skip_space();
        if reader.rest().is_empty() {
            return Ok(starts);
        }
        let before = reader.clone();
        let item = reader.take_while(|c| !c.is_whitespace());
        match read_item(item) {
            Ok(Item { count, .. }) if count > VALUES_MAX - starts.len() => {
                return Err(before.error(format!("more than {VALUES_MAX} start timestamps")));
            }
            Ok(Item { first: None, count, .. }) => starts.extend(std::iter::repeat_n(None, count)),
            Ok(Item { first: Some(first), step, count }) => {
                starts.extend((0..count as i64).map(|at| Some(first.saturating_add(step.saturating_mul(at)))));
            }
            Err(why) => return Err(before.error(format!("{item:?} is no start timestamp: {why}"))),
        }
    }
}

/// Starts that follow each other, `step` apart.
struct Item {
    first: Option<i64>,
    step: i64,
    count: usize,
}

/// `_`, `_x3`, `-1m`, `-1mx3`, `-30s-1mx3`; behind a duration `x3` stands for four.
fn read_item(item: &str) -> Result<Item, String> {
    if let Some(rest) = item.strip_prefix('_') {
        let count = if rest.is_empty() { 1 } else { repetitions(rest)? };
        return if count > 0 { Ok(Item { first: None, step: 0, count }) } else { Err("there are none".to_owned()) };
    }
    let (first, rest) = duration(item)?;
    if rest.is_empty() {
        return Ok(Item { first: Some(first), step: 0, count: 1 });
    }
    let (step, rest) = match (rest.strip_prefix('+'), rest.strip_prefix('-')) {
        (Some(rest), _) => duration(rest)?,
        (_, Some(rest)) => duration(rest).map(|(step, rest)| (-step, rest))?,
        (None, None) => (0, rest),
    };
    Ok(Item { first: Some(first), step, count: repetitions(rest)?.saturating_add(1) })
}

/// The number behind an `x`.
fn repetitions(text: &str) -> Result<usize, String> {
    let number = text.strip_prefix('x').and_then(|number| number.parse().ok());
    number.ok_or_else(|| format!("expected \"x\" and a number of repetitions instead of {text:?}"))
}

/// The milliseconds at the beginning of a text, of one unit, and what is behind them.
fn duration(text: &str) -> Result<(i64, &str), String> {
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let digits = unsigned.len() - unsigned.trim_start_matches(|c: char| c.is_ascii_digit()).len();
    let is_unit = |c: char| c.is_ascii_alphabetic() && c != 'x';
    let rest = unsigned[digits..].trim_start_matches(is_unit);
    let ms = model::parse_duration(&unsigned[..unsigned.len() - rest.len()]).map_err(|error| error.to_string())?;
    Ok((if text.starts_with('-') { -ms } else { ms }, rest))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_starts() {
        let check = |line: &str, labels: &str, want: &[Option<i64>]| {
            let (read, starts) = parse_starts(line).expect("marked").unwrap_or_else(|e| panic!("{line}: {e}"));
            assert_eq!((read.to_string(), &starts[..]), (labels.to_owned(), want), "{line}");
        };
        let (m, s) = (60_000, 1000);
        check("a@st _ 0 1ms -1m +1m", "a", &[None, Some(0), Some(1), Some(-m), Some(m)]);
        check("a@st _x2 -0msx1", "a", &[None, None, Some(0), Some(0)]);
        check("a{b=\"c d\"}@st\t-30s-1mx2", "a{b=\"c d\"}", &[Some(-30 * s), Some(-90 * s), Some(-150 * s)]);
        check("{b=\"c\"}@st 0+1hx1 0-1mx1", "{b=\"c\"}", &[Some(0), Some(60 * m), Some(0), Some(-m)]);
        check("a@st", "a", &[]);
    }

    #[test]
    fn other_lines_are_none() {
        for line in ["a 1", "a @st 1", "a{b=\"@st\"} 1", "a@str 1", "1@st 2", "a{@st 1"] {
            assert!(parse_starts(line).is_none(), "{line}");
        }
    }

    #[test]
    fn says_where_a_line_is_wrong() {
        let check = |line: &str, want: &str| {
            let error = parse_starts(line).expect("marked").expect_err(line).to_string();
            assert_eq!(error, want);
        };
        let repetitions = |text: &str| format!("expected \"x\" and a number of repetitions instead of {text:?}");
        let no_duration = |text: &str| model::parse_duration(text).expect_err(text).to_string();
        check("a@st 0 1", &format!("column 8: \"1\" is no start timestamp: {}", no_duration("1")));
        check("a@st -", &format!("column 6: \"-\" is no start timestamp: {}", no_duration("")));
        check("a@st 1mé", &format!("column 6: \"1mé\" is no start timestamp: {}", repetitions("é")));
        check("a@st _ 1m+1m", &format!("column 8: \"1m+1m\" is no start timestamp: {}", repetitions("")));
        check("a@st 1mx", &format!("column 6: \"1mx\" is no start timestamp: {}", repetitions("x")));
        check("a@st 1h30m", &format!("column 6: \"1h30m\" is no start timestamp: {}", repetitions("30m")));
        check("a@st _x0", "column 6: \"_x0\" is no start timestamp: there are none");
        check("a@st _ 0x999999", "column 8: more than 1000000 start timestamps");
    }
}
