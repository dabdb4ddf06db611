//! The functions of the language: names and signatures. What they compute stands with the evaluator.

use crate::syntax::value_type::ValueType;
use crate::syntax::value_type::ValueType::{Matrix, Scalar, String as Text, Vector};

/// A function's name and signature.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Function {
    /// Its name.
    pub name: &'static str,
    /// The types of its arguments; where there may be more, they have the last type.
    pub args: &'static [ValueType],
    /// How the number of arguments may vary: 0, exactly as many as `args`; above 0, so many from the last of `args` on
    /// may be there or not; below 0, the last of `args` may be left out or repeated at will.
    pub variadic: i8,
    /// What it gives.
    pub returns: ValueType,
    /// Whether Prometheus keeps it behind the feature flag `promql-experimental-functions`.
    pub experimental: bool,
}

impl Function {
    /// The least and the most arguments; `None` is any number.
    pub fn argument_counts(&self) -> (usize, Option<usize>) {
        let all = self.args.len();
        match self.variadic {
            0 => (all, Some(all)),
            more if more > 0 => (all - 1, Some(all - 1 + usize::from(more.unsigned_abs()))),
            _ => (all - 1, None),
        }
    }

    /// The type of the argument at a position.
    pub(crate) fn arg_type(&self, at: usize) -> ValueType {
        self.args.get(at).or(self.args.last()).copied().unwrap_or(Scalar)
    }
}

/// All functions, sorted by name.
pub fn functions() -> &'static [Function] {
    FUNCTIONS
}

/// The function of this name.
pub(crate) fn find(name: &str) -> Option<&'static Function> {
    FUNCTIONS.binary_search_by(|function| function.name.cmp(name)).ok().map(|at| &FUNCTIONS[at])
}

/// What to say about a name that [`find`] doesn't know.
pub(crate) fn why_unknown(name: &str) -> String {
    let quoted = model::quote(name);
    match name {
        "holt_winters" => {
            format!(
                "unknown function with name {quoted}: it is called \"double_exponential_smoothing\" since Prometheus 3"
            )
        }
        _ => format!("unknown function with name {quoted}"),
    }
}

const fn vector(name: &'static str, args: &'static [ValueType]) -> Function {
    Function { name, args, variadic: 0, returns: Vector, experimental: false }
}

const fn scalar(name: &'static str, args: &'static [ValueType]) -> Function {
    Function { name, args, variadic: 0, returns: Scalar, experimental: false }
}

impl Function {
    const fn variadic(mut self, variadic: i8) -> Self {
        self.variadic = variadic;
        self
    }

    const fn experimental(mut self) -> Self {
        self.experimental = true;
        self
    }
}

const FUNCTIONS: &[Function] = &[
    vector("abs", &[Vector]),
    vector("absent", &[Vector]),
    vector("absent_over_time", &[Matrix]),
    vector("acos", &[Vector]),
    vector("acosh", &[Vector]),
    vector("asin", &[Vector]),
    vector("asinh", &[Vector]),
    vector("atan", &[Vector]),
    vector("atanh", &[Vector]),
    vector("avg_over_time", &[Matrix]),
    vector("ceil", &[Vector]),
    vector("changes", &[Matrix]),
    vector("clamp", &[Vector, Scalar, Scalar]),
    vector("clamp_max", &[Vector, Scalar]),
    vector("clamp_min", &[Vector, Scalar]),
    vector("cos", &[Vector]),
    vector("cosh", &[Vector]),
    vector("count_over_time", &[Matrix]),
    vector("day_of_month", &[Vector]).variadic(1),
    vector("day_of_week", &[Vector]).variadic(1),
    vector("day_of_year", &[Vector]).variadic(1),
    vector("days_in_month", &[Vector]).variadic(1),
    vector("deg", &[Vector]),
    vector("delta", &[Matrix]),
    vector("deriv", &[Matrix]),
    vector("double_exponential_smoothing", &[Matrix, Scalar, Scalar]).experimental(),
    scalar("end", &[]).experimental(),
    vector("exp", &[Vector]),
    vector("first_over_time", &[Matrix]),
    vector("floor", &[Vector]),
    vector("histogram_avg", &[Vector]),
    vector("histogram_count", &[Vector]),
    vector("histogram_fraction", &[Scalar, Scalar, Vector]),
    vector("histogram_quantile", &[Scalar, Vector]),
    vector("histogram_quantiles", &[Vector, Text, Scalar, Scalar]).variadic(9).experimental(),
    vector("histogram_stddev", &[Vector]),
    vector("histogram_stdvar", &[Vector]),
    vector("histogram_sum", &[Vector]),
    vector("hour", &[Vector]).variadic(1),
    vector("idelta", &[Matrix]),
    vector("increase", &[Matrix]),
    vector("info", &[Vector, Vector]).variadic(1).experimental(),
    vector("irate", &[Matrix]),
    vector("label_join", &[Vector, Text, Text, Text]).variadic(-1),
    vector("label_replace", &[Vector, Text, Text, Text, Text]),
    vector("last_over_time", &[Matrix]),
    vector("ln", &[Vector]),
    vector("log10", &[Vector]),
    vector("log2", &[Vector]),
    vector("mad_over_time", &[Matrix]).experimental(),
    scalar("max_of", &[Scalar, Scalar]).experimental(),
    vector("max_over_time", &[Matrix]),
    scalar("min_of", &[Scalar, Scalar]).experimental(),
    vector("min_over_time", &[Matrix]),
    vector("minute", &[Vector]).variadic(1),
    vector("month", &[Vector]).variadic(1),
    scalar("pi", &[]),
    vector("predict_linear", &[Matrix, Scalar]),
    vector("present_over_time", &[Matrix]),
    vector("quantile_over_time", &[Scalar, Matrix]),
    vector("rad", &[Vector]),
    scalar("range", &[]).experimental(),
    vector("rate", &[Matrix]),
    vector("resets", &[Matrix]),
    vector("round", &[Vector, Scalar]).variadic(1),
    scalar("scalar", &[Vector]),
    vector("sgn", &[Vector]),
    vector("sin", &[Vector]),
    vector("sinh", &[Vector]),
    vector("sort", &[Vector]),
    vector("sort_by_label", &[Vector, Text]).variadic(-1).experimental(),
    vector("sort_by_label_desc", &[Vector, Text]).variadic(-1).experimental(),
    vector("sort_desc", &[Vector]),
    vector("sqrt", &[Vector]),
    scalar("start", &[]).experimental(),
    vector("start_timestamp", &[Vector]).experimental(),
    vector("stddev_over_time", &[Matrix]),
    vector("stdvar_over_time", &[Matrix]),
    scalar("step", &[]).experimental(),
    vector("sum_over_time", &[Matrix]),
    vector("tan", &[Vector]),
    vector("tanh", &[Vector]),
    scalar("time", &[]),
    vector("timestamp", &[Vector]),
    vector("ts_of_first_over_time", &[Matrix]).experimental(),
    vector("ts_of_last_over_time", &[Matrix]).experimental(),
    vector("ts_of_max_over_time", &[Matrix]).experimental(),
    vector("ts_of_min_over_time", &[Matrix]).experimental(),
    vector("vector", &[Scalar]),
    vector("year", &[Vector]).variadic(1),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_function_is_found_by_its_name() {
        for function in functions() {
            assert_eq!(find(function.name), Some(function), "{} is out of order", function.name);
        }
        assert_eq!(find("nothing"), None);
    }

    #[test]
    fn argument_counts_follow_the_signature() {
        let check = |name: &str, want| assert_eq!(find(name).expect("known").argument_counts(), want, "{name}");
        check("rate", (1, Some(1)));
        check("round", (1, Some(2)));
        check("day_of_week", (0, Some(1)));
        check("label_join", (3, None));
        check("pi", (0, Some(0)));
    }
}
