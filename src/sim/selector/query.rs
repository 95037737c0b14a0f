//! The text of a label selector, as a query says it (`apimachinery/pkg/labels/selector.go`): what is
//! expected where something else stands is told in the words of the real API server.

use super::{Requirement, Test};
use crate::sim::naming::{wrong_qualified, wrong_value};

/// One word of a selector.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Token<'a> {
    Name(&'a str),
    /// One of `! = == != < > , ( )`.
    Sign(&'a str),
    End,
}

impl<'a> Token<'a> {
    const fn text(self) -> &'a str {
        match self {
            Self::Name(text) | Self::Sign(text) => text,
            Self::End => "",
        }
    }
}

/// Reads the requirements of a selector.
pub(super) fn requirements(text: &str) -> Result<Vec<Requirement>, String> {
    let mut words = Words(tokens(text)?.into_iter().peekable());
    let mut all = Vec::new();
    loop {
        match words.peek() {
            Token::Name(_) | Token::Sign("!") => {
                let one = words.requirement();
                all.push(one.map_err(|why| format!("unable to parse requirement: {why}"))?);
                match words.take() {
                    Token::End => return Ok(all),
                    Token::Sign(",") => match words.peek() {
                        Token::Name(_) | Token::Sign("!") => {}
                        other => return Err(instead(other, "identifier after ','")),
                    },
                    other => return Err(instead(other, "',' or 'end of string'")),
                }
            }
            Token::End => return Ok(all),
            other => return Err(instead(other, "!, identifier, or 'end of string'")),
        }
    }
}

fn instead(found: Token<'_>, expected: &str) -> String {
    format!("found '{}', expected: {expected}", found.text())
}

/// The words that are left; after the last there are only ends.
struct Words<'a, I: Iterator<Item = Token<'a>>>(std::iter::Peekable<I>);

impl<'a, I: Iterator<Item = Token<'a>>> Words<'a, I> {
    fn peek(&mut self) -> Token<'a> {
        self.0.peek().copied().unwrap_or(Token::End)
    }

    fn take(&mut self) -> Token<'a> {
        self.0.next().unwrap_or(Token::End)
    }

    fn requirement(&mut self) -> Result<Requirement, String> {
        let is_absent = self.peek() == Token::Sign("!");
        if is_absent {
            self.take();
        }
        let key = match self.take() {
            Token::Name(key) => key,
            other => return Err(instead(other, "identifier")),
        };
        let wrong = wrong_qualified(key);
        if !wrong.is_empty() {
            let wrong = wrong.join("; ");
            return Err(format!("<nil>: Invalid value: {key:?}: {wrong}"));
        }
        let test = match self.peek() {
            _ if is_absent => Test::Absent,
            Token::End | Token::Sign(",") => Test::Exists,
            _ => self.test(key)?,
        };
        Ok(Requirement {
            key: key.to_owned(),
            test,
        })
    }

    fn test(&mut self, key: &str) -> Result<Test, String> {
        let operator = self.take();
        let (values, test): (_, fn(Vec<String>) -> Test) = match operator {
            Token::Name("in") => (self.set()?, Test::In),
            Token::Name("notin") => (self.set()?, Test::NotIn),
            Token::Sign("=" | "==") => (self.exact()?, Test::In),
            Token::Sign("!=") => (self.exact()?, Test::NotIn),
            Token::Sign(sign @ ("<" | ">")) => return self.bound(key, sign),
            other => return Err(instead(other, "in, notin, =, ==, !=, gt, lt")),
        };
        for (at, value) in values.iter().enumerate() {
            if let Some(detail) = wrong_value(value) {
                return Err(format!(
                    "values[{at}][{key}]: Invalid value: {value:?}: {detail}"
                ));
            }
        }
        Ok(test(values))
    }

    fn bound(&mut self, key: &str, sign: &str) -> Result<Test, String> {
        let values = self.exact()?;
        let value = values.first().map_or("", String::as_str);
        if let Some(detail) = wrong_value(value) {
            return Err(format!(
                "values[0][{key}]: Invalid value: {value:?}: {detail}"
            ));
        }
        let bound = value.parse().map_err(|_| {
            format!(
                "values[0]: Invalid value: {value:?}: for 'Gt', 'Lt' operators, the value must be \
                 an integer"
            )
        })?;
        Ok(if sign == ">" {
            Test::Above(bound)
        } else {
            Test::Below(bound)
        })
    }

    /// What stands alone; nothing is the empty text.
    fn exact(&mut self) -> Result<Vec<String>, String> {
        if matches!(self.peek(), Token::End | Token::Sign(",")) {
            return Ok(vec![String::new()]);
        }
        match self.take() {
            Token::Name(value) => Ok(vec![value.to_owned()]),
            other => Err(instead(other, "identifier")),
        }
    }

    /// What stands in parentheses, each once, in their order.
    fn set(&mut self) -> Result<Vec<String>, String> {
        let open = self.take();
        if open != Token::Sign("(") {
            return Err(format!("found '{}' expected: '('", open.text()));
        }
        let mut values = Vec::new();
        match self.peek() {
            Token::Name(_) | Token::Sign(",") => {}
            Token::Sign(")") => {
                self.take();
                return Ok(vec![String::new()]);
            }
            other => return Err(instead(other, "',', ')' or identifier")),
        }
        loop {
            match self.take() {
                Token::Name(value) => {
                    values.push(value.to_owned());
                    match self.peek() {
                        Token::Sign(",") => {}
                        Token::Sign(")") => break,
                        other => return Err(instead(other, "',' or ')'")),
                    }
                }
                Token::Sign(",") => {
                    if values.is_empty() || self.peek() == Token::Sign(")") {
                        values.push(String::new());
                    }
                    match self.peek() {
                        Token::Sign(")") => break,
                        Token::Sign(",") => {
                            self.take();
                            values.push(String::new());
                        }
                        _ => {}
                    }
                }
                other => return Err(instead(other, "',', or identifier")),
            }
        }
        self.take();
        values.sort_unstable();
        values.dedup();
        Ok(values)
    }
}

fn tokens(text: &str) -> Result<Vec<Token<'_>>, String> {
    const SIGNS: [&str; 9] = ["==", "!=", "=", "!", ",", "(", ")", "<", ">"];
    let is_sign = |letter: char| "=!(),<>".contains(letter);
    let mut found = Vec::new();
    let mut rest = text.trim_start();
    while let Some(first) = rest.chars().next() {
        let token = if is_sign(first) {
            let sign = SIGNS.into_iter().find(|sign| rest.starts_with(sign));
            let sign = sign.ok_or_else(|| format!("error expected: keyword found '{first}'"))?;
            Token::Sign(sign)
        } else {
            let end = rest.find(|letter: char| is_sign(letter) || letter.is_whitespace());
            Token::Name(&rest[..end.unwrap_or(rest.len())])
        };
        rest = rest[token.text().len()..].trim_start();
        found.push(token);
    }
    Ok(found)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cannot_be_read_is_refused_as_the_api_server_does() {
        let refused = |text: &str| requirements(text).expect_err(text);
        for (text, told) in [
            (
                ",",
                "found ',', expected: !, identifier, or 'end of string'",
            ),
            ("a,", "found '', expected: identifier after ','"),
            ("app=a b", "found 'b', expected: ',' or 'end of string'"),
            ("!a=b", "found '=', expected: ',' or 'end of string'"),
            (
                "a b c",
                "unable to parse requirement: found 'b', expected: in, notin, =, ==, !=, gt, lt",
            ),
            (
                "a in b",
                "unable to parse requirement: found 'b' expected: '('",
            ),
            (
                "a>x",
                "unable to parse requirement: values[0]: Invalid value: \"x\": for 'Gt', 'Lt' \
                 operators, the value must be an integer",
            ),
        ] {
            assert_eq!(refused(text), told);
        }
        for (text, begins) in [
            (
                "-bad=1",
                "unable to parse requirement: <nil>: Invalid value: \"-bad\": name part",
            ),
            (
                "a/b/c=d",
                "unable to parse requirement: <nil>: Invalid value: \"a/b/c\": a valid label key",
            ),
            (
                "a=-b",
                "unable to parse requirement: values[0][a]: Invalid value: \"-b\": a valid label",
            ),
        ] {
            assert!(refused(text).starts_with(begins), "{}", refused(text));
        }
    }

    #[test]
    fn sets_hold_each_value_once_and_may_hold_the_empty_one() {
        let values = |text: &str| match &requirements(text).expect(text)[0].test {
            Test::In(values) | Test::NotIn(values) => values.clone(),
            other => panic!("{other:?}"),
        };
        assert_eq!(values("a in (c, b,b)"), ["b", "c"]);
        assert_eq!(values("a in (b,)"), ["", "b"]);
        assert_eq!(values("a in ()"), [""]);
        assert_eq!(values("a="), [""]);
        assert_eq!(values("in notin (in)"), ["in"]);
    }
}
