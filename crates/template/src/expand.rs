//! Templates: read once, filled in many times.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, LazyLock};

use gotmpl::parse::{ListNode, Parser};
use gotmpl::{FuncMap, Value};
use model::{FloatHistogram, Labels, Timestamp};

use crate::error::TemplateError;
use crate::functions::{CONTEXTUAL, fixed, is_known, pure_functions, string, wrap};
use crate::rewrite::rewrite;
use crate::text::url_path;
use crate::value::{labels_value, structure};
use crate::vectors::vector;

/// How deep `tmpl` may call itself.
const TMPL_DEPTH_MAX: usize = 32;
/// How many turns all the loops of one expansion may take together.
const LOOP_TURNS_MAX: u64 = 1_000_000;

/// Put in front of a rule's template, so that it finds its data under the short names.
const RULE_VARIABLES: &str = "{{$labels := .Labels}}{{$externalLabels := .ExternalLabels}}\
                              {{$externalURL := .ExternalURL}}{{$value := .Value}}";

static PURE_FUNCTIONS: LazyLock<FuncMap> = LazyLock::new(pure_functions);

/// Answers a template's `query`: an expression and the time to evaluate it at give the series with their values, or the
/// reason why not.
pub type QueryFn = Arc<dyn Fn(&str, Timestamp) -> Result<Vec<(Labels, f64)>, String> + Send + Sync>;

/// Where and when a template is filled in.
#[derive(Clone)]
pub struct Context {
    /// Under which URL people reach this node, without a slash at the end.
    pub external_url: String,
    /// The time of the evaluation; `query` asks for this time.
    pub time: Timestamp,
    /// Answers `query`.
    pub query: QueryFn,
}

impl Context {
    /// A context in which `query` fails.
    pub fn without_query(external_url: impl Into<String>, time: Timestamp) -> Self {
        let query: QueryFn = Arc::new(|_, _| Err("query is not available here".to_owned()));
        Context { external_url: external_url.into(), time, query }
    }
}

impl fmt::Debug for Context {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Context").field("external_url", &self.external_url).field("time", &self.time).finish()
    }
}

/// What the template of an alerting rule sees.
#[derive(Debug, Clone, Copy)]
pub struct RuleData<'a> {
    /// `.Labels`, `$labels`: the labels of the series that the expression gave.
    pub labels: &'a Labels,
    /// `.ExternalLabels`, `$externalLabels`.
    pub external_labels: &'a Labels,
    /// `.Value`, `$value`: the value of that series, where it is a float.
    pub value: f64,
    /// The same where it is a native histogram, which is printed.
    pub histogram: Option<&'a FloatHistogram>,
}

/// A template that has been read. Cheap to clone.
#[derive(Clone)]
pub struct Template {
    name: Arc<str>,
    /// The template itself under its name, and those that it defines.
    trees: Arc<BTreeMap<String, ListNode>>,
    /// The text, where the template is nothing but text.
    constant: Option<Arc<str>>,
    uses_query: bool,
}

impl fmt::Debug for Template {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Template").field("name", &self.name).finish_non_exhaustive()
    }
}

impl Template {
    /// Reads a template. Unknown functions and variables are errors.
    pub fn parse(name: &str, text: &str) -> Result<Self, TemplateError> {
        Self::parse_with(name, text, "")
    }

    /// Reads the template of a rule's label or annotation: `$labels`, `$externalLabels`, `$externalURL` and `$value` are
    /// there. Columns in errors are those of `text`.
    pub fn parse_for_rule(name: &str, text: &str) -> Result<Self, TemplateError> {
        Self::parse_with(name, text, RULE_VARIABLES)
    }

    fn parse_with(name: &str, text: &str, prologue: &str) -> Result<Self, TemplateError> {
        if !text.contains("{{") {
            let constant = Some(Arc::from(text));
            return Ok(Template { name: name.into(), trees: Arc::default(), constant, uses_query: false });
        }
        let failed = |reason: String| TemplateError::Parse { name: name.to_owned(), reason };
        let source = format!("{prologue}{text}");
        let (main, defines) = Parser::with_name(None, &source, "{{", "}}")
            .and_then(Parser::parse)
            .map_err(|e| failed(positioned(name, e, prologue.chars().count())))?;
        let mut trees = BTreeMap::from([(name.to_owned(), main)]);
        for define in defines {
            if trees.insert(define.name.to_string(), define.body).is_some() {
                return Err(failed(format!("template: {name}: multiple definition of template {:?}", define.name)));
            }
        }
        let mut uses_query = false;
        for tree in trees.values_mut() {
            let names = rewrite(tree);
            uses_query |= names.functions.iter().any(|function| function == "query");
            if let Some(function) = names.functions.iter().find(|function| !is_known(function)) {
                return Err(failed(format!("template: {name}: function {function:?} not defined")));
            }
            if let Some((variable, offset)) = names.undefined_variable {
                let line = 1 + source.bytes().take(offset).filter(|b| *b == b'\n').count();
                return Err(failed(format!("template: {name}:{line}: undefined variable {variable:?}")));
            }
        }
        Ok(Template { name: name.into(), trees: Arc::new(trees), constant: None, uses_query })
    }

    /// Whether filling it in may ask queries, which takes time.
    pub fn uses_query(&self) -> bool {
        self.uses_query
    }

    /// Fills it in with any data.
    pub fn expand(&self, data: &Value, context: &Context) -> Result<String, TemplateError> {
        match &self.constant {
            Some(text) => Ok(text.to_string()),
            None => execute(&self.trees, &self.name, data, &Arc::new(context.clone()), 0)
                .map_err(|reason| TemplateError::Execute { name: self.name.to_string(), reason }),
        }
    }

    /// Fills in the template of a rule. Where that fails, the text says so: an alert with an odd text is better than none.
    pub fn expand_for_rule(&self, data: &RuleData<'_>, context: &Context) -> String {
        if let Some(text) = &self.constant {
            return text.to_string();
        }
        let data = structure(
            "template.AlertTemplateData",
            [
                ("Labels", labels_value(data.labels)),
                ("ExternalLabels", labels_value(data.external_labels)),
                ("ExternalURL", Value::from(context.external_url.as_str())),
                ("Value", data.histogram.map_or(Value::Float(data.value), |native| native.to_string().into())),
            ],
        );
        self.expand(&data, context).unwrap_or_else(|error| format!("<error expanding template: {error}>"))
    }
}

/// The engine's complaint with Go's `template: name:line:column:` in front; what was put in front of the first line is
/// taken off its columns.
fn positioned(name: &str, error: gotmpl::TemplateError, prologue_chars: usize) -> String {
    match error {
        gotmpl::TemplateError::Parse { line, col, message, .. }
        | gotmpl::TemplateError::Lex { line, col, message, .. } => {
            let col = if line == 1 { col.saturating_sub(prologue_chars).max(1) } else { col };
            format!("template: {name}:{line}:{col}: {message}")
        }
        other => format!("template: {name}: {other}"),
    }
}

fn execute(
    trees: &Arc<BTreeMap<String, ListNode>>,
    name: &str,
    data: &Value,
    context: &Arc<Context>,
    depth: usize,
) -> Result<String, String> {
    let mut engine = gotmpl::Template::new("").max_range_iters(LOOP_TURNS_MAX).funcs(PURE_FUNCTIONS.clone());
    engine = engine.funcs(contextual_functions(trees, context, depth));
    for (name, tree) in trees.iter() {
        engine = engine.add_parse_tree(name, tree.clone());
    }
    engine.execute_template_to_string(name, data).map_err(|error| match error {
        gotmpl::TemplateError::Exec(reason) => format!("template: {name}: {reason}"),
        other => format!("template: {name}: {other}"),
    })
}

/// The functions of [`CONTEXTUAL`].
fn contextual_functions(trees: &Arc<BTreeMap<String, ListNode>>, context: &Arc<Context>, depth: usize) -> FuncMap {
    let (of_query, of_url, of_prefix, of_tmpl) = (context.clone(), context.clone(), context.clone(), context.clone());
    let now = context.time.as_secs_f64();
    let trees = trees.clone();
    let functions = [
        wrap("query", move |args| {
            fixed("query", 1, args, |args| Ok(vector(&(of_query.query)(string(args, 0)?, of_query.time)?)))
        }),
        wrap("externalURL", move |args| fixed("externalURL", 0, args, |_| Ok(of_url.external_url.as_str().into()))),
        wrap("pathPrefix", move |args| fixed("pathPrefix", 0, args, |_| Ok(url_path(&of_prefix.external_url).into()))),
        wrap("now", move |args| fixed("now", 0, args, |_| Ok(Value::Float(now)))),
        wrap("tmpl", move |args| {
            fixed("tmpl", 2, args, |args| {
                if depth >= TMPL_DEPTH_MAX {
                    return Err(format!("tmpl is nested more than {TMPL_DEPTH_MAX} deep"));
                }
                execute(&trees, string(args, 0)?, &args[1], &of_tmpl, depth + 1).map(Value::from)
            })
        }),
    ];
    CONTEXTUAL.iter().map(|name| (*name).to_owned()).zip(functions).collect()
}
