//! Functions of one value at a time.

/// A function of a value and of the scalar arguments at its step; `None` drops the value.
pub(crate) type Elementwise = fn(f64, &[f64]) -> Option<f64>;

/// The function of this name.
pub(crate) fn find(name: &str) -> Option<Elementwise> {
    TABLE.iter().find(|(known, _)| *known == name).map(|(_, function)| *function)
}

const TABLE: &[(&str, Elementwise)] = &[
    ("abs", |v, _| Some(v.abs())),
    ("acos", |v, _| Some(v.acos())),
    ("acosh", |v, _| Some(v.acosh())),
    ("asin", |v, _| Some(v.asin())),
    ("asinh", |v, _| Some(v.asinh())),
    ("atan", |v, _| Some(v.atan())),
    ("atanh", |v, _| Some(v.atanh())),
    ("ceil", |v, _| Some(v.ceil())),
    ("clamp", |v, args| clamp(v, args[0], args[1])),
    ("clamp_max", |v, args| Some(go_min(args[0], v))),
    ("clamp_min", |v, args| Some(go_max(args[0], v))),
    ("cos", |v, _| Some(v.cos())),
    ("cosh", |v, _| Some(v.cosh())),
    ("deg", |v, _| Some(v * 180.0 / std::f64::consts::PI)),
    ("exp", |v, _| Some(v.exp())),
    ("floor", |v, _| Some(v.floor())),
    ("ln", |v, _| Some(v.ln())),
    ("log10", |v, _| Some(v.log10())),
    ("log2", |v, _| Some(v.log2())),
    ("rad", |v, _| Some(v * std::f64::consts::PI / 180.0)),
    ("round", round),
    ("sgn", |v, _| {
        Some(if v < 0.0 {
            -1.0
        } else if v > 0.0 {
            1.0
        } else {
            v
        })
    }),
    ("sin", |v, _| Some(v.sin())),
    ("sinh", |v, _| Some(v.sinh())),
    ("sqrt", |v, _| Some(v.sqrt())),
    ("tan", |v, _| Some(v.tan())),
    ("tanh", |v, _| Some(v.tanh())),
];

/// Rounds half up, to a multiple of the argument where there is one.
fn round(value: f64, args: &[f64]) -> Option<f64> {
    let inverse = 1.0 / args.first().copied().unwrap_or(1.0);
    Some((value * inverse + 0.5).floor() / inverse)
}

fn clamp(value: f64, low: f64, high: f64) -> Option<f64> {
    if high < low { None } else { Some(go_max(low, go_min(high, value))) }
}

/// Go's `math.Max`: a NaN makes the answer NaN, other than Rust's.
pub(crate) fn go_max(a: f64, b: f64) -> f64 {
    if a.is_infinite() && a > 0.0 || b.is_infinite() && b > 0.0 {
        f64::INFINITY
    } else if a.is_nan() || b.is_nan() {
        f64::NAN
    } else {
        a.max(b)
    }
}

/// Go's `math.Min`: a NaN makes the answer NaN, other than Rust's.
pub(crate) fn go_min(a: f64, b: f64) -> f64 {
    -go_max(-a, -b)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn minimum_and_maximum_are_go_s() {
        assert!(go_max(f64::NAN, 1.0).is_nan());
        assert_eq!(go_max(f64::NAN, f64::INFINITY), f64::INFINITY);
        assert_eq!(go_min(1.0, 2.0), 1.0);
        assert_eq!(go_min(f64::NAN, f64::NEG_INFINITY), f64::NEG_INFINITY);
    }
}
