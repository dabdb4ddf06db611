//! Queries by chance. Each kind of expression is a list of forms of which one is chosen.

/// Makes queries; the same of the same seed.
pub(crate) struct Generator(u64);

const METRICS: &[&str] = &["gauge", "distinct", "counter", "broken"];
const RANGES: &[&str] = &["1m", "90s", "301s", "1021s", "1h"];
const BY: &[&str] = &[
    "",
    "by (job) ",
    "by (instance) ",
    "by (job, instance) ",
    "without (job) ",
    "without (instance) ",
    "by (nothing) ",
];

impl Generator {
    pub(crate) fn new(seed: u64) -> Self {
        // Seeds beside each other are far apart.
        let mut first = Generator(seed);
        Generator(first.next())
    }

    /// Splitmix64.
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below `bound`.
    pub(crate) fn below(&mut self, bound: u64) -> u64 {
        self.next() % bound.max(1)
    }

    /// One of several.
    pub(crate) fn one_of<'a>(&mut self, choices: &[&'a str]) -> &'a str {
        choices[self.below(choices.len() as u64) as usize]
    }

    /// A query.
    pub(crate) fn query(&mut self) -> String {
        match self.below(3) {
            0 => self.whole(3),
            _ => self.any(3),
        }
    }

    fn selector(&mut self, metrics: &[&str]) -> String {
        let metric = self.one_of(metrics);
        let matchers = self.one_of(&[
            "",
            "",
            "{job=\"api\"}",
            "{job!=\"web\"}",
            "{instance=~\"[01]\"}",
            "{instance!~\"0|2\",job=~\"a.*|db\"}",
            "{job=\"none\"}",
        ]);
        format!("{metric}{matchers}")
    }

    fn modifier(&mut self) -> &'static str {
        self.one_of(&[
            "",
            "",
            "",
            "",
            " offset 7m",
            " offset -4m",
            " @ 1700000000.777",
            " @ end()",
            " @ start() offset 2m",
        ])
    }

    fn instant(&mut self) -> String {
        format!("{}{}", self.selector(METRICS), self.modifier())
    }

    fn range(&mut self, metrics: &[&str]) -> String {
        let (selector, range) = (self.selector(metrics), self.one_of(RANGES));
        format!("{selector}[{range}]{}", self.modifier())
    }

    /// An instant vector of whole numbers, so that every implementation gives the same to the last bit.
    fn whole(&mut self, depth: u32) -> String {
        if depth == 0 {
            return self.instant();
        }
        let inner = depth - 1;
        match self.below(13) {
            0 => self.instant(),
            1 => format!(
                "{} {}({})",
                self.one_of(&["sum", "min", "max", "count", "group"]),
                self.one_of(BY),
                self.whole(inner)
            ),
            2 => {
                let function = self.one_of(&[
                    "sum_over_time",
                    "min_over_time",
                    "max_over_time",
                    "count_over_time",
                    "last_over_time",
                    "present_over_time",
                    "changes",
                    "resets",
                    "idelta",
                ]);
                format!("{function}({})", self.range(METRICS))
            }
            3 => format!(
                "({} {} {})",
                self.whole(inner),
                self.one_of(&["+", "-", "*"]),
                self.one_of(&["3", "-7", "100"])
            ),
            4 => {
                let comparison = self.one_of(&["==", "!=", ">", "<", ">=", "<=", "> bool", "== bool", "<= bool"]);
                format!(
                    "({} {comparison} {})",
                    self.whole(inner),
                    self.one_of(&["0", "50", "1000", "500100", "1000500"])
                )
            }
            5 => {
                let operator =
                    self.one_of(&["and", "or", "unless", "and on (job)", "unless on (instance)", "or ignoring (job)"]);
                format!("({} {operator} {})", self.whole(inner), self.whole(inner))
            }
            6 => {
                let operator = self.one_of(&[
                    "+ on (job, instance)",
                    "- ignoring (le)",
                    "*",
                    "> on (job, instance)",
                    "== bool on (job, instance)",
                ]);
                format!("({} {operator} {})", self.whole(inner), self.whole(inner))
            }
            7 => format!("({} * on (job) group_left (team) meta)", self.whole(inner)),
            8 => format!("{}({})", self.one_of(&["abs", "ceil", "floor", "sgn", "-", "+"]), self.whole(inner)),
            9 => {
                let (function, inner) = (
                    self.one_of(&["max_over_time", "min_over_time", "count_over_time", "sum_over_time"]),
                    self.whole(inner),
                );
                format!(
                    "{function}(({inner})[{}:{}])",
                    self.one_of(&["601s", "1021s", "3601s"]),
                    self.one_of(&["1m", "45s", "7m", ""])
                )
            }
            10 => {
                let (function, k, by) =
                    (self.one_of(&["topk", "bottomk"]), self.one_of(&["1", "2", "5"]), self.one_of(BY));
                format!("{function} {by}({k}, {})", self.selector(&["distinct"]))
            }
            11 => {
                let inner = self.whole(inner);
                self.one_of(&[
                    "absent(X)",
                    "label_replace(X, \"job\", \"new-$1\", \"job\", \"(.).*\")",
                    "label_join(X, \"both\", \"-\", \"job\", \"instance\")",
                    "clamp(X, 0, 100)",
                    "clamp_max(X, 70)",
                    "clamp_min(X, 1000)",
                    "vector(scalar(sum(X) or vector(0)))",
                    "sort(X)",
                    "round(X, 10)",
                ])
                .replace('X', &inner)
            }
            _ => format!("count_values {}(\"value\", {})", self.one_of(BY), self.whole(inner)),
        }
    }

    /// An instant vector. Nothing in it jumps where a value changes in its last bits.
    fn any(&mut self, depth: u32) -> String {
        if depth == 0 {
            return self.whole(1);
        }
        let inner = depth - 1;
        match self.below(11) {
            0 => format!("{}({})", self.one_of(&["rate", "increase", "irate"]), self.range(&["counter", "broken"])),
            1 => {
                let function =
                    self.one_of(&["avg_over_time", "stddev_over_time", "stdvar_over_time", "delta", "deriv"]);
                format!("{function}({})", self.range(METRICS))
            }
            2 => format!(
                "{} {}({})",
                self.one_of(&["sum", "avg", "min", "max", "count"]),
                self.one_of(BY),
                self.any(inner)
            ),
            // Of whole numbers, as those of infinities have changed.
            9 => format!("{} {}({})", self.one_of(&["stddev", "stdvar"]), self.one_of(BY), self.whole(inner)),
            3 => format!(
                "quantile {}({}, {})",
                self.one_of(BY),
                self.one_of(&["0", "0.5", "0.9", "1", "-1"]),
                self.any(inner)
            ),
            4 => format!(
                "({} {} {})",
                self.any(inner),
                self.one_of(&["+", "-", "*", "/"]),
                self.one_of(&["3", "0.7", "1e3", "0"])
            ),
            5 => format!(
                "({} {} on (job, instance) {})",
                self.any(inner),
                self.one_of(&["+", "-", "*", "/"]),
                self.any(inner)
            ),
            6 => {
                let sum = self.one_of(&["sum by (le)", "sum by (le, job)", "sum without (instance)"]);
                let buckets = format!("rate({}[{}])", self.selector(&["latency_bucket"]), self.one_of(RANGES));
                format!("histogram_quantile({}, {sum} ({buckets}))", self.one_of(&["0.1", "0.5", "0.95", "1.1"]))
            }
            7 => {
                let function = self.one_of(&[
                    "avg_over_time",
                    "max_over_time",
                    "min_over_time",
                    "sum_over_time",
                    "quantile_over_time",
                ]);
                let q = if function == "quantile_over_time" { "0.3, " } else { "" };
                format!(
                    "{function}({q}({})[{}:{}])",
                    self.any(inner),
                    self.one_of(&["301s", "1021s"]),
                    self.one_of(&["1m", "45s"])
                )
            }
            8 => format!(
                "predict_linear({}[{}], {})",
                self.selector(METRICS),
                self.one_of(RANGES),
                self.one_of(&["60", "-300", "3600"])
            ),
            _ => format!("{}({})", self.one_of(&["sqrt", "cos", "ln", "atan", "deg", "rad"]), self.whole(inner)),
        }
    }
}
