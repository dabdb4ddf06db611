use model::Labels;

use super::*;

mod simulation;

const KEY: &str = "group:hook/webhook/0";

fn member(name: &str, run: u64) -> Member {
    Member { name: name.to_owned(), run }
}

fn group() -> GroupId {
    GroupId { route: "{}".into(), labels: Labels::empty() }
}

fn secs(secs: u64) -> Duration {
    Duration::from_secs(secs)
}

fn held(by: &str, for_ms: u64) -> Answer {
    Answer::Held { by: member(by, 1), for_ms }
}

#[test]
fn of_two_at_the_same_moment_the_lesser_name_goes_first() {
    let (a, b) = (member("a", 1), member("b", 1));
    let (mut first, mut second) = (Intents::new(a.clone()), Intents::new(b.clone()));
    assert!(first.begin(KEY, secs(0)) && second.begin(KEY, secs(0)));
    let to_second = first.asked(&b, KEY, None, secs(0));
    let to_first = second.asked(&a, KEY, None, secs(0));
    assert_eq!((&to_first, &to_second), (&Answer::Granted, &held("a", 5000)));
    assert_eq!(first.answered(KEY, vec![to_first], secs(0)), Verdict::Go);
    assert_eq!(second.answered(KEY, vec![to_second], secs(0)), Verdict::Wait);
    // The same if the answer to the second is lost: it has heard the first.
    assert!(!second.begin(KEY, secs(1)));
}

#[test]
fn who_yielded_waits_even_without_an_answer() {
    let (a, b) = (member("a", 1), member("b", 1));
    let mut second = Intents::new(b);
    assert!(second.begin(KEY, secs(0)));
    assert_eq!(second.asked(&a, KEY, None, secs(0)), Answer::Granted);
    assert_eq!(second.answered(KEY, vec![], secs(1)), Verdict::Wait);
}

#[test]
fn a_lease_lapses_without_signs_of_life_and_ends_with_the_run_of_its_holder() {
    let b = member("b", 1);
    let mut intents = Intents::new(member("a", 1));
    assert_eq!(intents.asked(&b, KEY, None, secs(0)), Answer::Granted);
    assert_eq!(intents.asked(&member("c", 1), KEY, None, secs(1)), held("b", 4000));
    assert_eq!(intents.wait(KEY, &group(), secs(1)), secs(4));
    assert_eq!(intents.alive(&b, &[KEY.to_owned()].into(), secs(4)), [], "it is at it");
    assert_eq!(intents.lapse(secs(8)), []);
    assert_eq!(intents.alive(&b, &HashSet::new(), secs(8)), [], "this doesn't renew it");
    assert_eq!(intents.lapse(secs(9)), [group()]);
    assert!(intents.begin(KEY, secs(9)));
    intents.end(KEY);
    assert_eq!(intents.asked(&b, KEY, None, secs(10)), Answer::Granted);
    assert!(intents.wait(KEY, &group(), secs(10)) > Duration::ZERO);
    assert_eq!(intents.alive(&member("b", 2), &HashSet::new(), secs(11)), [group()]);
}

#[test]
fn what_was_told_or_given_back_is_free_at_once() {
    let b = member("b", 1);
    let mut intents = Intents::new(member("a", 1));
    for free in [Intents::told, |intents: &mut Intents, key: &str| intents.given_back(&member("b", 1), key)] {
        assert_eq!(intents.asked(&b, KEY, None, secs(0)), Answer::Granted);
        assert_eq!(intents.given_back(&member("c", 1), KEY), None, "it isn't c's");
        assert!(!intents.begin(KEY, secs(1)));
        assert!(intents.wait(KEY, &group(), secs(1)) > Duration::ZERO);
        assert_eq!(free(&mut intents, KEY), Some(group()));
        assert!(intents.begin(KEY, secs(1)));
        intents.end(KEY);
    }
}

#[test]
fn what_is_being_told_is_nobody_elses_turn() {
    let b = member("0 goes first", 1);
    let mut intents = Intents::new(member("a", 1));
    assert!(intents.begin(KEY, secs(0)));
    assert_eq!(intents.answered(KEY, vec![], secs(1)), Verdict::Go, "nobody answered");
    assert_eq!(intents.holds(), [KEY.to_owned()].into());
    assert_eq!(intents.asked(&b, KEY, None, secs(60)), held("a", 5000));
    intents.end(KEY);
    assert_eq!(intents.asked(&b, KEY, None, secs(60)), Answer::Granted);
}
