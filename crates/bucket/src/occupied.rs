//! Which windows have samples, told without walking through the empty ones: a node that was off for a year has a year of them.

use std::sync::Arc;

use model::{TimeRange, Timestamp};
use storage::{Hints, QueryError, Queryable, SelectRequest};
use tokio::runtime::Handle;

use crate::window::Window;

/// The windows within `range`, which begins and ends where windows do, that have samples, oldest first. One that stands alone
/// is taken for occupied. Asks only for labels: once if there is nothing, otherwise a few times for each run of windows.
pub(crate) async fn occupied(
    source: &Arc<dyn Queryable>,
    range: TimeRange,
    width_ms: i64,
) -> Result<Vec<Window>, QueryError> {
    if range.min > range.max {
        return Ok(Vec::new());
    }
    let (source, runtime) = (source.clone(), Handle::current());
    // Selecting from a head is work for the processor.
    let found = tokio::task::spawn_blocking(move || {
        divide(range, width_ms, |range| runtime.block_on(has_samples(&*source, range)))
    });
    found.await.unwrap_or_else(|error| Err(QueryError::retry(error.to_string())))
}

async fn has_samples(source: &dyn Queryable, range: TimeRange) -> Result<bool, QueryError> {
    let hints = Hints { labels_only: true, limit: 1, ..Hints::default() };
    let mut set = source.select(&SelectRequest { matchers: Vec::new(), range, hints }).await?;
    set.series.next().transpose().map(|series| series.is_some())
}

fn divide<E>(
    range: TimeRange,
    width_ms: i64,
    mut has_samples: impl FnMut(TimeRange) -> Result<bool, E>,
) -> Result<Vec<Window>, E> {
    let mut found = Vec::new();
    let mut parts = vec![range];
    while let Some(part) = parts.pop().filter(|part| part.min <= part.max) {
        let number = |time: Timestamp| time.as_ms().div_euclid(width_ms);
        let windows = number(part.max) - number(part.min) + 1;
        if windows <= 1 {
            found.push(Window::at(part.min, width_ms));
        } else if has_samples(part)? {
            let middle = part.min.saturating_add(windows / 2 * width_ms);
            parts.push(TimeRange::new(middle, part.max));
            parts.push(TimeRange::new(part.min, middle.saturating_sub(1)));
        }
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_what_has_samples_and_asks_little() {
        let check = |samples: &[i64], range: (i64, i64), want: &[i64], asked_max: usize| {
            let mut asked = 0;
            let range = TimeRange::new(Timestamp::from_ms(range.0), Timestamp::from_ms(range.1));
            let found = divide(range, 100, |range| {
                asked += 1;
                Ok::<_, ()>(samples.iter().any(|sample| range.contains(Timestamp::from_ms(*sample))))
            });
            let mut starts: Vec<i64> = found.expect("no errors").iter().map(|window| window.start().as_ms()).collect();
            starts.retain(|start| samples.iter().any(|sample| (*start..start + 100).contains(sample)));
            assert_eq!(starts, want);
            assert!(asked <= asked_max, "{asked}");
        };
        check(&[], (0, -1), &[], 0);
        check(&[5], (0, 99), &[0], 0);
        check(&[5, 450, 470, 999], (0, 999), &[0, 400, 900], 12);
        check(&[-250], (-300, 299), &[-300], 4);
        check(&[], (0, 999_999_999_999), &[], 1);
        check(&[7, 999_999_999_950], (0, 999_999_999_999), &[0, 999_999_999_900], 150);
    }
}
