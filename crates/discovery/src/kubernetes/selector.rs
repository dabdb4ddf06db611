//! The selectors of the API, checked before they are sent: `app in (a,b),tier!=x` for labels, `spec.nodeName=a` for fields.

/// Checks a selector for labels.
///
/// # Errors
/// The part that isn't one.
pub(crate) fn check_label_selector(text: &str) -> Result<(), String> {
    let mut rest = text.trim_start();
    if rest.is_empty() {
        return Ok(());
    }
    loop {
        rest = requirement(rest).map_err(|reason| format!("invalid label selector {text:?}: {reason}"))?.trim_start();
        match rest.strip_prefix(',') {
            Some(more) => rest = more.trim_start(),
            None if rest.is_empty() => return Ok(()),
            None => return Err(format!("invalid label selector {text:?}: a comma is missing before {rest:?}")),
        }
    }
}

/// Checks one requirement at the start of `text`; the answer is what follows it.
fn requirement(text: &str) -> Result<&str, String> {
    if let Some(text) = text.strip_prefix('!') {
        let (name, rest) = word(text.trim_start());
        return check_name(name).map(|()| rest);
    }
    let (name, rest) = word(text);
    check_name(name)?;
    let rest = rest.trim_start();
    for operator in ["==", "!=", "="] {
        if let Some(rest) = rest.strip_prefix(operator) {
            let (value, rest) = word(rest.trim_start());
            return check_value(value).map(|()| rest);
        }
    }
    for operator in [">", "<"] {
        if let Some(rest) = rest.strip_prefix(operator) {
            let (value, rest) = word(rest.trim_start());
            return value.parse::<i64>().map(|_| rest).map_err(|_| format!("{value:?} is not a number"));
        }
    }
    match word(rest) {
        ("in" | "notin", rest) => values(rest.trim_start()),
        _ => Ok(rest), // the label has to be there
    }
}

/// Checks values in brackets at the start of `text`.
fn values(text: &str) -> Result<&str, String> {
    let missing = || "values in brackets are missing".to_owned();
    let (inside, rest) = text.strip_prefix('(').ok_or_else(missing)?.split_once(')').ok_or_else(missing)?;
    inside.split(',').try_for_each(|value| check_value(value.trim()))?;
    Ok(rest)
}

/// The text up to what can't be part of a name or a value.
fn word(text: &str) -> (&str, &str) {
    let end = text.find(|c: char| c.is_whitespace() || "=!<>(),".contains(c)).unwrap_or(text.len());
    text.split_at(end)
}

/// `name` or `prefix/name`.
fn check_name(name: &str) -> Result<(), String> {
    let (prefix, own) = name.split_once('/').unwrap_or(("x", name));
    let is_host = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || "-.".contains(c);
    let is_prefix = !prefix.is_empty() && prefix.len() <= 253 && prefix.chars().all(is_host);
    if !is_prefix || own.is_empty() || check_value(own).is_err() {
        return Err(format!("{name:?} is not the name of a label"));
    }
    Ok(())
}

fn check_value(value: &str) -> Result<(), String> {
    let is_end = |c: Option<char>| c.is_none_or(|c| c.is_ascii_alphanumeric());
    let is_inside = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let is_good = value.len() <= 63 && value.chars().all(is_inside);
    if !is_good || !is_end(value.chars().next()) || !is_end(value.chars().last()) {
        return Err(format!("{value:?} is not the value of a label"));
    }
    Ok(())
}

/// Checks a selector for fields. Which fields there are, only the API server knows.
///
/// # Errors
/// The part that isn't one.
pub(crate) fn check_field_selector(text: &str) -> Result<(), String> {
    let invalid =
        |part: &str| Err(format!("invalid field selector {text:?}: {part:?} is not field=value or field!=value"));
    let (mut part, mut is_escaped, mut has_operator) = (String::new(), false, false);
    for character in text.chars() {
        match character {
            _ if is_escaped => {
                if !"\\,=".contains(character) {
                    return Err(format!("invalid field selector {text:?}: a backslash before {character:?}"));
                }
                is_escaped = false;
            }
            '\\' => is_escaped = true,
            ',' => {
                if !has_operator && !part.is_empty() {
                    return invalid(&part);
                }
                (part, has_operator) = (String::new(), false);
                continue;
            }
            '=' if !has_operator => {
                if part.trim_end_matches('!').is_empty() {
                    return invalid(&part);
                }
                has_operator = true;
            }
            _ => {}
        }
        part.push(character);
    }
    if is_escaped {
        return Err(format!("invalid field selector {text:?}: it ends with a backslash"));
    }
    if !has_operator && !part.is_empty() {
        return invalid(&part);
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn knows_selectors_of_labels() {
        let good = [
            "",
            "app",
            "!app",
            "app=web",
            "app==web,tier!=db",
            "app.kubernetes.io/name in (a, b),!x",
            "app notin (a)",
            "n>5,m<7",
            "app=",
            " app = web , b ",
            "in in (in)",
        ];
        for text in good {
            assert_eq!(check_label_selector(text), Ok(()), "{text}");
        }
        let check = |text: &str, want: &str| {
            assert_eq!(check_label_selector(text), Err(format!("invalid label selector {text:?}: {want}")));
        };
        check("app=web,", "\"\" is not the name of a label");
        check("=web", "\"\" is not the name of a label");
        check("-a", "\"-a\" is not the name of a label");
        check("A.b/c/d", "\"A.b/c/d\" is not the name of a label");
        check("app=-x", "\"-x\" is not the value of a label");
        check("app in a", "values in brackets are missing");
        check("app in (a", "values in brackets are missing");
        check("app in (a b)", "\"a b\" is not the value of a label");
        check("n>x", "\"x\" is not a number");
        check("a b", "a comma is missing before \"b\"");
    }

    #[test]
    fn knows_selectors_of_fields() {
        for text in ["", "metadata.name=a", "spec.nodeName==a,status.phase!=Running", "a=b\\,c", "a=", "a=b=c"] {
            assert_eq!(check_field_selector(text), Ok(()), "{text}");
        }
        for text in ["metadata.name", "=a", "!=a", "a=b,c", "a=\\x", "a=b\\"] {
            assert!(check_field_selector(text).is_err(), "{text}");
        }
    }
}
