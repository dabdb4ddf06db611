//! The functions that templates can call, as one table.

use std::sync::Arc;

use gotmpl::{FuncMap, Value, ValueFunc};

use crate::value::{self, type_name};
use crate::{numbers, printing, rewrite, search, text, vectors};

/// A function of fixed arity that depends on its arguments alone.
type Pure = fn(&[Value]) -> Result<Value, String>;

/// Name, number of arguments, function.
const TABLE: &[(&str, usize, Pure)] = &[
    ("first", 1, |args| vectors::first(&args[0])),
    ("value", 1, |args| vectors::value(&args[0])),
    ("label", 2, |args| vectors::label(&args[0], &args[1])),
    ("sortByLabel", 2, |args| vectors::sort_by_label(&args[0], &args[1])),
    ("strvalue", 1, |args| vectors::strvalue(&args[0])),
    ("humanize", 1, |args| numbers::humanize(&args[0])),
    ("humanize1024", 1, |args| numbers::humanize_1024(&args[0])),
    ("humanizeDuration", 1, |args| numbers::humanize_duration(&args[0])),
    ("humanizePercentage", 1, |args| numbers::humanize_percentage(&args[0])),
    ("humanizeTimestamp", 1, |args| numbers::humanize_timestamp(&args[0])),
    ("toTime", 1, |args| numbers::to_time(&args[0])),
    ("parseDuration", 1, |args| numbers::parse_duration_seconds(&args[0])),
    ("title", 1, |args| Ok(text::title(string(args, 0)?).into())),
    ("toUpper", 1, |args| Ok(string(args, 0)?.to_uppercase().into())),
    ("toLower", 1, |args| Ok(string(args, 0)?.to_lowercase().into())),
    ("stripPort", 1, |args| Ok(text::strip_port(string(args, 0)?).into())),
    ("stripDomain", 1, |args| Ok(text::strip_domain(string(args, 0)?).into())),
    ("graphLink", 1, |args| Ok(text::graph_link(string(args, 0)?).into())),
    ("tableLink", 1, |args| Ok(text::table_link(string(args, 0)?).into())),
    ("safeHtml", 1, |args| Ok(string(args, 0)?.into())),
    ("match", 2, |args| Ok(Value::Bool(search::is_match(string(args, 0)?, string(args, 1)?)?))),
    ("reReplaceAll", 3, |args| Ok(search::replace_all(string(args, 0)?, string(args, 1)?, string(args, 2)?)?.into())),
    (rewrite::PRINT, 1, |args| Ok(value::print(&args[0]).into())),
];

/// What Go's text/template brings along; the engine has them.
const BUILTIN: &[&str] = &[
    "and", "call", "eq", "ge", "gt", "html", "index", "js", "le", "len", "lt", "ne", "not", "or", "print", "printf",
    "println", "slice", "urlquery",
];

/// The functions whose answer depends on where and when a template is filled in.
pub(crate) const CONTEXTUAL: &[&str] = &["query", "externalURL", "pathPrefix", "now", "tmpl"];

/// Whether a template may call this name.
pub(crate) fn is_known(name: &str) -> bool {
    name == "args" || BUILTIN.contains(&name) || CONTEXTUAL.contains(&name) || TABLE.iter().any(|(n, ..)| *n == name)
}

/// The functions that depend on their arguments alone.
pub(crate) fn pure_functions() -> FuncMap {
    let mut map: FuncMap = TABLE
        .iter()
        .map(|&(name, arity, function)| (name.to_owned(), wrap(name, move |args| fixed(name, arity, args, function))))
        .collect();
    map.insert("args".to_owned(), wrap("args", |args| Ok(numbered(args))));
    map.insert("index".to_owned(), wrap("index", value::index));
    map.insert("print".to_owned(), wrap("print", |args| Ok(printing::print(args).into())));
    map.insert("println".to_owned(), wrap("println", |args| Ok(printing::println(args).into())));
    map.insert("printf".to_owned(), wrap("printf", printing::printf));
    map.insert(rewrite::FIELD.to_owned(), wrap("field", walk_fields));
    map
}

/// A function with its name in front of what it complains of, as Go says it.
pub(crate) fn wrap(
    name: &'static str,
    function: impl Fn(&[Value]) -> Result<Value, String> + Send + Sync + 'static,
) -> ValueFunc {
    Arc::new(move |args| {
        function(args).map_err(|reason| gotmpl::TemplateError::Exec(format!("error calling {name}: {reason}")))
    })
}

/// Calls a function after counting its arguments.
pub(crate) fn fixed(
    name: &str,
    arity: usize,
    args: &[Value],
    function: impl Fn(&[Value]) -> Result<Value, String>,
) -> Result<Value, String> {
    if args.len() == arity {
        function(args)
    } else {
        Err(format!("wrong number of args for {name}: want {arity} got {}", args.len()))
    }
}

/// The text of an argument.
pub(crate) fn string(args: &[Value], at: usize) -> Result<&str, String> {
    args[at].as_str().ok_or_else(|| format!("wrong type for value; expected string; got {}", type_name(&args[at])))
}

/// `args`: its arguments under `arg0`, `arg1`, …, for handing several values to a template.
fn numbered(args: &[Value]) -> Value {
    let named = args.iter().enumerate().map(|(i, arg)| (Arc::<str>::from(format!("arg{i}")), arg.clone()));
    Value::Map(Arc::new(named.collect()))
}

/// What `.a.b` stands for; see [`rewrite::FIELD`].
fn walk_fields(args: &[Value]) -> Result<Value, String> {
    let [receiver, Value::String(path), rest @ ..] = args else {
        return Err("malformed field access".to_owned());
    };
    if !rest.is_empty() {
        return Err(format!(".{path} has arguments but cannot be invoked as function"));
    }
    path.split('.').try_fold(receiver.clone(), |at, name| value::field(&at, name))
}
