//! `match` and `reReplaceAll`: Go's regular expressions that search anywhere in a text.

use regex_automata::meta::Regex;
use regex_automata::util::interpolate;

/// Whether the expression matches somewhere in the text.
pub(crate) fn is_match(pattern: &str, text: &str) -> Result<bool, String> {
    Ok(compile(pattern)?.is_match(text))
}

/// Every match replaced, with `$1` and `${name}` in `replacement` standing for groups.
pub(crate) fn replace_all(pattern: &str, replacement: &str, text: &str) -> Result<String, String> {
    let regex = compile(pattern)?;
    let mut out = String::with_capacity(text.len());
    let mut end = 0;
    for captures in regex.captures_iter(text) {
        let Some(found) = captures.get_match() else { continue };
        out.push_str(&text[end..found.start()]);
        interpolate::string(
            replacement,
            |group, out| out.push_str(captures.get_group(group).map_or("", |span| &text[span.range()])),
            |name| regex.group_info().to_index(found.pattern(), name),
            &mut out,
        );
        end = found.end();
    }
    out.push_str(&text[end..]);
    Ok(out)
}

fn compile(pattern: &str) -> Result<Regex, String> {
    Regex::new(pattern).map_err(|e| format!("error parsing regexp: {e}: `{pattern}`"))
}
