//! From Go's syntax to the tree that Rust's engine compiles.

use regex_syntax::hir::{Capture, Class, ClassUnicode, Dot, Hir, Look, Repetition};

use crate::go_regex::class::{bracket_class, escaped_class, single};
use crate::go_regex::error::RegexError;
use crate::go_regex::escape::parse_escape;

/// Repetitions may ask for so many copies, nested ones together.
const REPEAT_MAX: u32 = 1000;
/// Groups may be nested so deep; the engine's compiler is recursive.
const DEPTH_MAX: usize = 250;

const MISSING_PAREN: &str = "missing closing )";
const NO_ARGUMENT: &str = "missing argument to repetition operator";
const REPEAT_COUNT: &str = "invalid repeat count";

/// A parsed expression.
#[derive(Debug)]
pub(super) struct Parsed {
    /// The expression without anchors at its ends.
    pub(super) hir: Hir,
    /// The names of the groups, from group 1 on; empty where a group has none. Go lets several have the same.
    pub(super) names: Vec<String>,
}

/// Parses an expression with Perl's syntax and `s` switched on, as Prometheus does.
pub(super) fn parse(pattern: &str) -> Result<Parsed, RegexError> {
    parse_with(pattern, Flags { dot_newline: true, ..Flags::default() })
}

/// Parses an expression with Perl's syntax, as Go's `regexp.Compile` does.
pub(super) fn parse_search(pattern: &str) -> Result<Parsed, RegexError> {
    parse_with(pattern, Flags::default())
}

fn parse_with(pattern: &str, flags: Flags) -> Result<Parsed, RegexError> {
    let root = Frame { capture: None, outer_flags: flags, branches: Vec::new(), sequence: Vec::new() };
    let mut parser = Parser { pattern, pos: 0, flags, frames: vec![root], names: Vec::new() };
    parser.run()?;
    let root = parser.frames.pop().filter(|_| parser.frames.is_empty());
    let Some(root) = root else { return Err(parser.error(MISSING_PAREN, 0, pattern.len())) };
    Ok(Parsed { hir: root.finish().hir, names: parser.names })
}

#[derive(Debug, Clone, Copy, Default)]
struct Flags {
    fold_case: bool,
    multi_line: bool,
    dot_newline: bool,
    swap_greed: bool,
}

/// A finished part of a sequence.
struct Item {
    hir: Hir,
    /// How many copies of its innermost part its repetitions ask for.
    copies: u32,
}

/// An open group.
struct Frame {
    /// The group's number, from 1, where it captures.
    capture: Option<u32>,
    /// The flags that hold again behind the group.
    outer_flags: Flags,
    branches: Vec<Item>,
    sequence: Vec<Item>,
}

impl Frame {
    /// Ends a branch of an alternation.
    fn end_branch(&mut self) {
        let copies = self.sequence.iter().map(|item| item.copies).max().unwrap_or(1);
        let hir = Hir::concat(self.sequence.drain(..).map(|item| item.hir).collect());
        self.branches.push(Item { hir, copies });
    }

    fn finish(mut self) -> Item {
        self.end_branch();
        let copies = self.branches.iter().map(|item| item.copies).max().unwrap_or(1);
        let hir = Hir::alternation(self.branches.into_iter().map(|item| item.hir).collect());
        let hir = match self.capture {
            Some(index) => Hir::capture(Capture { index, name: None, sub: Box::new(hir) }),
            None => hir,
        };
        Item { hir, copies }
    }
}

struct Parser<'a> {
    pattern: &'a str,
    pos: usize,
    flags: Flags,
    /// The open groups, the innermost last; never empty.
    frames: Vec<Frame>,
    names: Vec<String>,
}

impl Parser<'_> {
    fn run(&mut self) -> Result<(), RegexError> {
        let mut last_repeat = None;
        while let Some(c) = self.pattern[self.pos..].chars().next() {
            let start = self.pos;
            let mut repeat = None;
            match c {
                '(' if self.pattern[start..].starts_with("(?") => self.perl_group()?,
                '(' => {
                    self.pos += 1;
                    self.open_capture(String::new())?;
                }
                '|' => {
                    self.pos += 1;
                    self.frame().end_branch();
                }
                ')' => self.close_group()?,
                '*' | '+' | '?' => {
                    let (min, max) =
                        [(0, None), (1, None), (0, Some(1))][usize::from(c == '+') + 2 * usize::from(c == '?')];
                    self.pos += 1;
                    self.repeat(min, max, start, last_repeat)?;
                    repeat = Some(start);
                }
                '{' => match counted_repeat(self.pattern, start) {
                    Some((min, max, end)) => {
                        self.pos = end;
                        self.counted(min, max, start, last_repeat)?;
                        repeat = Some(start);
                    }
                    None => self.character(c),
                },
                '[' => {
                    let (class, end) = bracket_class(self.pattern, start, self.flags.fold_case)?;
                    self.pos = end;
                    self.push_class(class);
                }
                '\\' => self.escape()?,
                '^' | '$' | '.' => self.symbol(c),
                c => self.character(c),
            }
            last_repeat = repeat;
        }
        Ok(())
    }

    fn error(&self, reason: &'static str, from: usize, to: usize) -> RegexError {
        RegexError { pattern: self.pattern.to_owned(), fragment: self.pattern[from..to].to_owned(), reason }
    }

    fn frame(&mut self) -> &mut Frame {
        self.frames.last_mut().expect("the root frame is popped only when parsing is over")
    }

    fn push(&mut self, hir: Hir) {
        self.frame().sequence.push(Item { hir, copies: 1 });
    }

    fn push_class(&mut self, class: ClassUnicode) {
        self.push(Hir::class(Class::Unicode(class)));
    }

    /// One character that stands for itself.
    fn character(&mut self, c: char) {
        self.pos += c.len_utf8();
        self.push_class(single(u32::from(c), self.flags.fold_case));
    }

    fn symbol(&mut self, c: char) {
        self.pos += 1;
        self.push(match (c, self.flags) {
            ('^', Flags { multi_line: true, .. }) => Hir::look(Look::StartLF),
            ('^', _) => Hir::look(Look::Start),
            ('$', Flags { multi_line: true, .. }) => Hir::look(Look::EndLF),
            ('$', _) => Hir::look(Look::End),
            (_, Flags { dot_newline: true, .. }) => Hir::dot(Dot::AnyChar),
            _ => Hir::dot(Dot::AnyCharExceptLF),
        });
    }

    fn escape(&mut self) -> Result<(), RegexError> {
        let (start, fold) = (self.pos, self.flags.fold_case);
        let look = match self.pattern.as_bytes().get(start + 1) {
            Some(b'A') => Some(Look::Start),
            Some(b'z') => Some(Look::End),
            Some(b'b') => Some(Look::WordAscii),
            Some(b'B') => Some(Look::WordAsciiNegate),
            Some(b'Q') => {
                self.quoted();
                return Ok(());
            }
            _ => None,
        };
        if let Some(look) = look {
            self.pos += 2;
            self.push(Hir::look(look));
        } else if let Some((class, end)) = escaped_class(self.pattern, start, fold)? {
            self.pos = end;
            self.push_class(class);
        } else {
            let (code, end) = parse_escape(self.pattern, start)?;
            self.pos = end;
            self.push_class(single(code, fold));
        }
        Ok(())
    }

    /// `\Q…\E`: everything in between stands for itself; without `\E`, everything up to the end.
    fn quoted(&mut self) {
        let rest = &self.pattern[self.pos + 2..];
        let (text, len) = rest.split_once("\\E").map_or((rest, rest.len()), |(text, _)| (text, text.len() + 2));
        let end = self.pos + 2 + len;
        text.chars().for_each(|c| self.character(c));
        self.pos = end;
    }

    fn open_group(&mut self, capture: Option<u32>, inner: Flags) -> Result<(), RegexError> {
        if self.frames.len() > DEPTH_MAX {
            return Err(self.error("expression nests too deeply", 0, self.pattern.len()));
        }
        self.frames.push(Frame { capture, outer_flags: self.flags, branches: Vec::new(), sequence: Vec::new() });
        self.flags = inner;
        Ok(())
    }

    fn open_capture(&mut self, name: String) -> Result<(), RegexError> {
        self.names.push(name);
        let index = u32::try_from(self.names.len()).unwrap_or(u32::MAX);
        self.open_group(Some(index), self.flags)
    }

    fn close_group(&mut self) -> Result<(), RegexError> {
        if self.frames.len() == 1 {
            return Err(self.error("unexpected )", 0, self.pattern.len()));
        }
        self.pos += 1;
        if let Some(group) = self.frames.pop() {
            self.flags = group.outer_flags;
            let item = group.finish();
            self.frame().sequence.push(item);
        }
        Ok(())
    }

    /// `(?P<name>…)`, `(?<name>…)`, `(?flags)` and `(?flags:…)`.
    fn perl_group(&mut self) -> Result<(), RegexError> {
        const BAD_NAME: &str = "invalid named capture";
        let start = self.pos;
        let group = &self.pattern[start..];
        let named = group.strip_prefix("(?P<").or_else(|| group.strip_prefix("(?<")).filter(|rest| !rest.is_empty());
        let Some(rest) = named else { return self.flag_group() };
        let Some(len) = rest.find('>') else { return Err(self.error(BAD_NAME, start, self.pattern.len())) };
        let name = &rest[..len];
        let end = self.pattern.len() - rest.len() + len + 1;
        if name.is_empty() || !name.bytes().all(|b| b == b'_' || b.is_ascii_alphanumeric()) {
            return Err(self.error(BAD_NAME, start, end));
        }
        self.pos = end;
        self.open_capture(name.to_owned())
    }

    fn flag_group(&mut self) -> Result<(), RegexError> {
        let start = self.pos;
        let mut chars = self.pattern[start + 2..].chars();
        let (mut flags, mut on, mut seen) = (self.flags, true, false);
        loop {
            let c = chars.next();
            let end = self.pattern.len() - chars.as_str().len();
            match c {
                Some('i') => flags.fold_case = on,
                Some('m') => flags.multi_line = on,
                Some('s') => flags.dot_newline = on,
                Some('U') => flags.swap_greed = on,
                Some('-') if on => {
                    (on, seen) = (false, false);
                    continue;
                }
                Some(':' | ')') if on || seen => {
                    self.pos = end;
                    if c == Some(':') {
                        return self.open_group(None, flags);
                    }
                    self.flags = flags;
                    return Ok(());
                }
                _ => return Err(self.error("invalid or unsupported Perl syntax", start, end)),
            }
            seen = true;
        }
    }

    /// `{min,max}` that was read: the numbers must make sense.
    fn counted(
        &mut self,
        min: u32,
        max: Option<u32>,
        start: usize,
        last_repeat: Option<usize>,
    ) -> Result<(), RegexError> {
        if min > REPEAT_MAX || max.is_some_and(|max| max > REPEAT_MAX || max < min) {
            return Err(self.error(REPEAT_COUNT, start, self.pos));
        }
        let end = self.pos;
        self.repeat(min, max, start, last_repeat)?;
        let item = self.frame().sequence.last_mut().expect("a repetition that was accepted has an argument");
        item.copies = match max {
            Some(0) => 1,
            _ => item.copies.saturating_mul(max.unwrap_or(min).max(1)),
        };
        let too_many = (min >= 2 || max.is_some_and(|max| max >= 2)) && item.copies > REPEAT_MAX;
        if too_many { Err(self.error(REPEAT_COUNT, start, end)) } else { Ok(()) }
    }

    /// A repetition operator from `start` to here applies to what stands before it.
    fn repeat(
        &mut self,
        min: u32,
        max: Option<u32>,
        start: usize,
        last_repeat: Option<usize>,
    ) -> Result<(), RegexError> {
        let lazy = self.pattern[self.pos..].starts_with('?');
        self.pos += usize::from(lazy);
        if let Some(previous) = last_repeat {
            return Err(self.error("invalid nested repetition operator", previous, self.pos));
        }
        let greedy = lazy == self.flags.swap_greed;
        let Some(item) = self.frame().sequence.pop() else { return Err(self.error(NO_ARGUMENT, start, self.pos)) };
        let hir = Hir::repetition(Repetition { min, max, greedy, sub: Box::new(item.hir) });
        self.frame().sequence.push(Item { hir, copies: item.copies });
        Ok(())
    }
}

/// `{n}`, `{n,}` or `{n,m}` at `start` with the position behind it; `None` where the brace stands for itself.
fn counted_repeat(pattern: &str, start: usize) -> Option<(u32, Option<u32>, usize)> {
    let (inside, _) = pattern[start + 1..].split_once('}')?;
    let end = start + 1 + inside.len() + 1;
    match inside.split_once(',') {
        None => count(inside).map(|n| (n, Some(n), end)),
        Some((min, "")) => count(min).map(|min| (min, None, end)),
        Some((min, max)) => Some((count(min)?, Some(count(max)?), end)),
    }
}

/// A count without leading zeros; one that is too large for a number is too large for a repetition as well.
fn count(digits: &str) -> Option<u32> {
    let plain = !digits.is_empty() && digits.bytes().all(|b| b.is_ascii_digit());
    let leading_zero = digits.len() > 1 && digits.starts_with('0');
    (plain && !leading_zero).then(|| digits.parse().unwrap_or(u32::MAX))
}
