//! Where a part of a YAML text value stands in its file.
//!
//! The YAML reader tells where a value begins, not how it was folded, indented or quoted. What all styles keep are the
//! characters that are no white space, in order. So the place of a byte of the value is found by walking the value and
//! the file in step, over everything but white space. An escape that isn't understood ends the walk without an answer.

use config::Position;

/// The place of the byte `offset` of `value`, which begins at `start` in the file `text`; `None` where the file can't be
/// followed.
pub(crate) fn locate(text: &str, start: Position, value: &str, offset: usize) -> Option<Position> {
    let mut source = Source::at(text, start)?;
    let style = source.style();
    let ahead = value.get(..offset)?.chars();
    for want in ahead.filter(|c| !c.is_whitespace()) {
        if source.next_visible(style)? != want {
            return None;
        }
    }
    source.skip_whitespace(style);
    let visible_after = value[offset..].chars().next().is_some_and(|c| !c.is_whitespace());
    (visible_after || offset == value.len()).then_some(source.position)
}

/// How a value is written.
#[derive(Debug, Clone, Copy, PartialEq)]
enum Style {
    /// Without quotes, or as a block.
    Plain,
    /// Between `'`.
    Single,
    /// Between `"`.
    Double,
}

struct Source<'a> {
    rest: &'a str,
    position: Position,
}

impl<'a> Source<'a> {
    fn at(text: &'a str, start: Position) -> Option<Self> {
        let line = text.split_inclusive('\n').nth(usize::try_from(start.line).ok()?.checked_sub(1)?)?;
        let column = usize::try_from(start.column).ok()?.checked_sub(1)?;
        let in_line = line.char_indices().map(|(i, _)| i).nth(column)?;
        let line_start = line.as_ptr() as usize - text.as_ptr() as usize;
        Some(Source { rest: &text[line_start + in_line..], position: start })
    }

    fn bump(&mut self) -> Option<char> {
        let c = self.rest.chars().next()?;
        self.rest = &self.rest[c.len_utf8()..];
        if c == '\n' {
            self.position = Position::new(self.position.line + 1, 1);
        } else {
            self.position.column += 1;
        }
        Some(c)
    }

    /// Goes behind what opens the value: a quote, or the line that begins a block.
    fn style(&mut self) -> Style {
        match self.rest.chars().next() {
            Some('\'') => {
                self.bump();
                Style::Single
            }
            Some('"') => {
                self.bump();
                Style::Double
            }
            Some('|' | '>') => {
                while self.bump().is_some_and(|c| c != '\n') {}
                Style::Plain
            }
            _ => Style::Plain,
        }
    }

    /// The next character of the value that is no white space.
    fn next_visible(&mut self, style: Style) -> Option<char> {
        self.skip_whitespace(style);
        match (style, self.bump()?) {
            (Style::Single, '\'') => (self.bump()? == '\'').then_some('\''),
            (Style::Double, '\\') => match self.bump()? {
                c @ ('"' | '\\' | '/') => Some(c),
                _ => None,
            },
            (_, c) => Some(c),
        }
    }

    fn skip_whitespace(&mut self, style: Style) {
        loop {
            let escaped_break = style == Style::Double
                && ["\\n", "\\t", "\\r", "\\ ", "\\\n"].iter().any(|escape| self.rest.starts_with(escape));
            if escaped_break {
                self.bump();
            } else if !self.rest.starts_with(char::is_whitespace) {
                return;
            }
            self.bump();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn follows_every_style() {
        let check = |text: &str, start: (u64, u64), value: &str, at: &str, want: Option<(u64, u64)>| {
            let offset = value.find(at).expect("a part of the value");
            let got = locate(text, Position::new(start.0, start.1), value, offset);
            assert_eq!(got.map(|p| (p.line, p.column)), want, "{text}");
        };
        check("expr: sum(up", (1, 7), "sum(up", "up", Some((1, 11)));
        check("expr: 'a{b=''c''} !'", (1, 7), "a{b='c'} !", "!", Some((1, 19)));
        check("expr: \"a{b=\\\"c\\\"} !\"", (1, 7), "a{b=\"c\"} !", "!", Some((1, 19)));
        check("expr: \"a\\n  + !\"", (1, 7), "a\n  + !", "!", Some((1, 15)));
        check("expr: |\n  sum(\n    up{x=\"é\"} !\n  )\n", (1, 7), "sum(\n  up{x=\"é\"} !\n)\n", "!", Some((3, 15)));
        check("expr: >-\n  sum(\n  up !\n  )\n", (1, 7), "sum( up ! )", "!", Some((3, 6)));
        check("expr: sum(\n    up !)\n", (1, 7), "sum( up !)", "!", Some((2, 8)));
        check("expr: \"\\u0061 !\"", (1, 7), "a !", "!", None);
        check("expr: up", (9, 7), "up", "up", None);
    }

    #[test]
    fn finds_the_end_of_a_value() {
        assert_eq!(locate("expr: sum(", Position::new(1, 7), "sum(", 4), Some(Position::new(1, 11)));
    }
}
