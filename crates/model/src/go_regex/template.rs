//! Go's `Regexp.Expand`: a template with `$1`, `${1}`, `$name`, `${name}` and `$$`.

/// Writes `template` to `out`; `value` gives what a group holds, by its name or number, or nothing.
pub(super) fn expand<'t>(template: &str, out: &mut String, mut value: impl FnMut(Group<'_>) -> Option<&'t str>) {
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('$') {
        out.push_str(before);
        if let Some(more) = after.strip_prefix('$') {
            out.push('$');
            rest = more;
        } else if let Some((name, more)) = reference(after) {
            out.push_str(value(group(name)).unwrap_or(""));
            rest = more;
        } else {
            out.push('$');
            rest = after;
        }
    }
    out.push_str(rest);
}

/// What a reference names.
pub(super) enum Group<'a> {
    /// A group by its number; 0 is the whole match.
    Number(usize),
    /// A group by its name.
    Name(&'a str),
}

/// The name at the beginning, in braces or not, and what comes behind it.
fn reference(text: &str) -> Option<(&str, &str)> {
    let braced = text.strip_prefix('{');
    let body = braced.unwrap_or(text);
    let len = body.find(|c: char| !(c.is_alphabetic() || c.is_numeric() || c == '_')).unwrap_or(body.len());
    let (name, rest) = body.split_at(len);
    let rest = if braced.is_some() { rest.strip_prefix('}')? } else { rest };
    (!name.is_empty()).then_some((name, rest))
}

/// Digits without a leading zero are a number, everything else is a name.
fn group(name: &str) -> Group<'_> {
    let digits = name.bytes().all(|b| b.is_ascii_digit()) && (name == "0" || !name.starts_with('0'));
    match name.parse() {
        Ok(number) if digits => Group::Number(number),
        _ => Group::Name(name),
    }
}
