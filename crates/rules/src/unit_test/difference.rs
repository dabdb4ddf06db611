//! Two lists of lines beside each other.

/// Beyond so many pairs of lines both lists are shown one after the other.
const PAIRS_MAX: usize = 4_000_000;

/// The lines of both lists: `  ` before those in both, `- ` before those that were expected only, `+ ` before those that came only.
pub(crate) fn difference(expected: &[String], got: &[String]) -> Vec<String> {
    let common = if expected.len().saturating_mul(got.len()) > PAIRS_MAX { Vec::new() } else { common(expected, got) };
    let mut lines = Vec::new();
    let (mut left, mut right) = (0, 0);
    for (i, j) in common.into_iter().chain([(expected.len(), got.len())]) {
        lines.extend(expected[left..i].iter().map(|line| format!("- {line}")));
        lines.extend(got[right..j].iter().map(|line| format!("+ {line}")));
        lines.extend(expected.get(i).map(|line| format!("  {line}")));
        (left, right) = (i + 1, j + 1);
    }
    lines
}

/// The places of the longest list of lines that is in both, in order.
fn common(a: &[String], b: &[String]) -> Vec<(usize, usize)> {
    // How long it is for what is behind i and j.
    let width = b.len() + 1;
    let mut lengths = vec![0_usize; (a.len() + 1) * width];
    for i in (0..a.len()).rev() {
        for j in (0..b.len()).rev() {
            lengths[i * width + j] = if a[i] == b[j] {
                lengths[(i + 1) * width + j + 1] + 1
            } else {
                lengths[(i + 1) * width + j].max(lengths[i * width + j + 1])
            };
        }
    }
    let (mut i, mut j) = (0, 0);
    let mut places = Vec::new();
    while i < a.len() && j < b.len() {
        if a[i] == b[j] {
            places.push((i, j));
            (i, j) = (i + 1, j + 1);
        } else if lengths[(i + 1) * width + j] >= lengths[i * width + j + 1] {
            i += 1;
        } else {
            j += 1;
        }
    }
    places
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_in_both_stands_once() {
        let check = |expected: &str, got: &str, want: &[&str]| {
            let lines = |text: &str| text.chars().map(String::from).collect::<Vec<_>>();
            assert_eq!(difference(&lines(expected), &lines(got)), want, "{expected} {got}");
        };
        check("", "", &[]);
        check("a", "", &["- a"]);
        check("", "a", &["+ a"]);
        check("ab", "ab", &["  a", "  b"]);
        check("abc", "axc", &["  a", "- b", "+ x", "  c"]);
        check("abcd", "bd", &["- a", "  b", "- c", "  d"]);
        check("bd", "abcd", &["+ a", "  b", "+ c", "  d"]);
        check("ab", "cd", &["- a", "- b", "+ c", "+ d"]);
    }
}
