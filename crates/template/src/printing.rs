//! Go's `print`, `println` and `printf`, with numbers as Go prints them: the engine's own write 1000000 where Go writes 1e+06.

use gotmpl::Value;

use crate::value;

/// A space between neighbours that are both no strings.
pub(crate) fn print(args: &[Value]) -> String {
    let is_string = |arg: &Value| matches!(arg, Value::String(_));
    let mut out = String::new();
    for (i, arg) in args.iter().enumerate() {
        if i > 0 && !is_string(arg) && !is_string(&args[i - 1]) {
            out.push(' ');
        }
        out.push_str(&operand(arg));
    }
    out
}

/// A space between all, a line's end behind them.
pub(crate) fn println(args: &[Value]) -> String {
    let operands: Vec<String> = args.iter().map(operand).collect();
    operands.join(" ") + "\n"
}

/// The engine's `printf`, given the texts for what a `%v` prints.
pub(crate) fn printf(args: &[Value]) -> Result<Value, String> {
    let mut args = args.to_vec();
    if let Some(Value::String(format)) = args.first().cloned() {
        for at in general_verbs(&format) {
            if let Some(arg @ (Value::Float(_) | Value::List(_) | Value::Map(_))) = args.get_mut(at + 1) {
                *arg = operand(arg).into();
            }
        }
    }
    let names: Vec<String> = (0..args.len()).map(|i| format!("a{i}")).collect();
    let call: String = names.iter().map(|name| format!(" .{name}")).collect();
    let data: std::collections::BTreeMap<String, Value> = names.into_iter().zip(args).collect();
    gotmpl::execute(&format!("{{{{printf{call}}}}}"), &Value::from(data)).map(Value::from).map_err(|e| e.to_string())
}

fn operand(arg: &Value) -> String {
    if matches!(arg, Value::Nil) { "<nil>".to_owned() } else { value::print(arg) }
}

/// The positions of the arguments that a format prints with `%v`, as far as they can be told without the arguments: none
/// after a `*` or a `[`.
fn general_verbs(format: &str) -> Vec<usize> {
    let (mut found, mut next) = (Vec::new(), 0);
    let mut chars = format.chars();
    while chars.by_ref().any(|c| c == '%') {
        let verb = chars.find(|c| !matches!(c, '0'..='9' | '.' | '+' | '-' | ' ' | '#'));
        match verb {
            Some('*' | '[') | None => break,
            Some('%') => continue,
            Some('v') => found.push(next),
            Some(_) => {}
        }
        next += 1;
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_general_verbs() {
        let check = |format: &str, want: &[usize]| assert_eq!(general_verbs(format), want, "{format}");
        check("", &[]);
        check("%v", &[0]);
        check("%d%% %5.1f %-10v %s %v", &[2, 4]);
        check("%*v %v", &[]);
        check("100%", &[]);
    }
}
