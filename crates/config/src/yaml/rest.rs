//! What else is wrong with a file that could not be read. A reader stops at its first error; here the key that it stopped at is
//! blanked out with all that stands below it, which leaves other places where they are, and the rest is read again.

use serde_yaml::Error as Yaml;

/// Errors of one file that are told.
const ERRORS_MAX: usize = 32;

/// The largest text that is read again and again.
const TEXT_BYTES_MAX: usize = 1 << 20;

/// All errors of a text in their order, of which reading it brought the first.
pub(super) fn errors(text: &str, first: Yaml, read: impl Fn(&str) -> Option<Yaml>) -> Vec<Yaml> {
    let mut lines: Vec<&str> = if text.len() > TEXT_BYTES_MAX { Vec::new() } else { text.lines().collect() };
    let mut errors = vec![first];
    while errors.len() < ERRORS_MAX
        && let Some(line) = errors.last().and_then(line_of_key)
        && blank_key(&mut lines, line)
        && let Some(next) = read(&lines.join("\n"))
        && line_of_key(&next).is_some_and(|other| other != line)
    {
        errors.push(next);
    }
    errors.sort_by_key(line_of_key);
    errors
}

/// The line, from 0, of an error that is one key's alone. An alias stands in one place and its text in another, what is missing has
/// no place, and what is no YAML has no keys.
fn line_of_key(error: &Yaml) -> Option<usize> {
    match error {
        Yaml::SerdeUnknownField { .. }
        | Yaml::SerdeUnknownVariant { .. }
        | Yaml::SerdeInvalidType { .. }
        | Yaml::SerdeInvalidValue { .. }
        | Yaml::DuplicateMappingKey { .. }
        | Yaml::NullIntoString { .. }
        | Yaml::Unexpected { .. }
        | Yaml::InvalidScalar { .. }
        | Yaml::Message { .. } => usize::try_from(error.location()?.line()).ok()?.checked_sub(1),
        _ => None,
    }
}

/// Blanks out the key on a line, the first one where there are several, with the lines that are its value. False where there is nothing.
fn blank_key(lines: &mut [&str], line: usize) -> bool {
    let Some((text, below)) = lines.get_mut(line..).and_then(<[_]>::split_first_mut) else { return false };
    let start = start_of_key(text);
    if start == text.len() {
        return false;
    }
    *text = &text[..start];
    for text in below {
        let indent = text.len() - text.trim_start_matches(' ').len();
        let is_item = text[indent..] == *"-" || text[indent..].starts_with("- ");
        let is_value = indent > start || indent == start && is_item;
        match text.trim_start() {
            "" => {}
            comment if comment.starts_with('#') => {}
            _ if is_value => *text = "",
            _ => break,
        }
    }
    true
}

/// Where the key of a line starts, behind spaces and the `-` of list items.
fn start_of_key(line: &str) -> usize {
    let mut rest = line.trim_start_matches(' ');
    while let Some(item) = rest.strip_prefix("- ") {
        rest = item.trim_start_matches(' ');
    }
    line.len() - rest.len()
}
