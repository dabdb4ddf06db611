//! The nearest known word to an unknown one.

/// The known word that is most likely meant by `word`: the nearest by edits, where at most a third of it differs.
pub fn suggestion<'a>(word: &str, known: &[&'a str]) -> Option<&'a str> {
    let allowed = (word.chars().count() / 3).max(1);
    let near = |candidate: &&'a str| (distance(&word.to_lowercase(), candidate), *candidate);
    known.iter().map(near).filter(|(edits, _)| *edits <= allowed).min().map(|(_, candidate)| candidate)
}

/// How many characters must be inserted, deleted, replaced or swapped with their neighbour to come from `a` to `b`.
fn distance(a: &str, b: &str) -> usize {
    let (a, b): (Vec<char>, Vec<char>) = (a.chars().collect(), b.chars().collect());
    let mut before_last: Vec<usize> = Vec::new();
    let mut last: Vec<usize> = (0..=b.len()).collect();
    for i in 1..=a.len() {
        let mut row = vec![i];
        for j in 1..=b.len() {
            let replace = last[j - 1] + usize::from(a[i - 1] != b[j - 1]);
            let mut best = replace.min(last[j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                best = best.min(before_last[j - 2] + 1);
            }
            row.push(best);
        }
        before_last = std::mem::replace(&mut last, row);
    }
    last[b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn finds_the_word_that_was_meant() {
        let known = ["scrape_interval", "scrape_timeout", "job_name", "static_configs"];
        let check = |word: &str, want: Option<&str>| assert_eq!(suggestion(word, &known), want, "{word}");
        check("scrape_intervall", Some("scrape_interval"));
        check("scrap_interval", Some("scrape_interval"));
        check("Job_Name", Some("job_name"));
        check("jobname", Some("job_name"));
        check("static_config", Some("static_configs"));
        check("colour", None);
    }
}
