//! The pattern of a text: the text without what differs from record to record.

/// A text without numbers, ids and quoted parts, so that failures of one kind have the same pattern. `#` stands for a word
/// with a digit, and quotes have nothing between them.
///
/// ```
/// # use millrace_letters::pattern;
/// assert_eq!(pattern("order 4711: price -3.50 of \"p 9\" is too low"), "order #: price # of \"\" is too low");
/// ```
pub fn pattern(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(first) = rest.chars().next() {
        let (taken, shown) = match first {
            '"' | '`' | '\'' => quoted(rest, first, &out),
            _ if is_word(first) || is_sign(rest, &out) => word(rest),
            _ => (first.len_utf8(), Shown::AsItIs),
        };
        let (part, behind) = rest.split_at(taken);
        match shown {
            Shown::AsItIs => out.push_str(part),
            Shown::Number => out.push('#'),
            Shown::Quotes => {
                out.push(first);
                out.push(first);
            }
        }
        rest = behind;
    }
    out
}

enum Shown {
    AsItIs,
    Number,
    Quotes,
}

/// Letters, digits and what joins them in ids, numbers and times.
fn is_word(it: char) -> bool {
    it.is_alphanumeric() || it == '_'
}

/// What may lie between two parts of one word with digits: `3.50`, `2026-11-28T12:00:00`, `a-1`, `1,000`, `k/7`.
fn is_joint(it: char) -> bool {
    matches!(it, '.' | ',' | ':' | '-' | '+' | '/')
}

/// Whether a sign of a number begins here, and not in the middle of a word.
fn is_sign(rest: &str, out: &str) -> bool {
    let mut chars = rest.chars();
    matches!(chars.next(), Some('-' | '+'))
        && chars.next().is_some_and(|next| next.is_ascii_digit())
        && !out.chars().next_back().is_some_and(is_word)
}

/// A quoted part, up to the same quote; an apostrophe in a word and a quote without an end are no quotes.
fn quoted(rest: &str, quote: char, out: &str) -> (usize, Shown) {
    let in_word = quote == '\'' && out.chars().next_back().is_some_and(is_word);
    let inner = rest.get(quote.len_utf8()..).unwrap_or_default();
    match inner.find(quote).filter(|_| !in_word) {
        Some(end) => (end + 2 * quote.len_utf8(), Shown::Quotes),
        None => (quote.len_utf8(), Shown::AsItIs),
    }
}

/// A word, with the parts that are joined to it if a digit is in them.
fn word(rest: &str) -> (usize, Shown) {
    let mut end = rest.find(is_word).unwrap_or(0);
    end += part(rest.get(end..).unwrap_or_default());
    let has_digit = |to: usize| rest.get(..to).is_some_and(|text| text.contains(|it: char| it.is_ascii_digit()));
    loop {
        let behind = rest.get(end..).unwrap_or_default();
        let joint = behind.chars().next().filter(|it| is_joint(*it)).map_or(0, char::len_utf8);
        let next = part(behind.get(joint..).unwrap_or_default());
        let joined = end + joint + next;
        if joint == 0 || next == 0 || !has_digit(joined) {
            break;
        }
        end = joined;
    }
    (end, if has_digit(end) { Shown::Number } else { Shown::AsItIs })
}

/// Bytes of the word that a text begins with.
fn part(text: &str) -> usize {
    text.find(|it: char| !is_word(it)).unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn numbers_ids_times_and_quoted_parts_are_blanked() {
        for (text, expected) in [
            ("amount: -12.50, expected a positive number", "amount: #, expected a positive number"),
            ("field `price` of order 7 is missing", "field `` of order # is missing"),
            ("user 3f2b8c1e-77aa-4d0e-9d0c-0a1b2c3d4e5f isn't known", "user # isn't known"),
            ("at 2026-11-28T12:00:31Z the stock was 1,000", "at # the stock was #"),
            ("key k17 and order-42 collide", "key # and # collide"),
            ("it can't be read: 'a b' and \"c 1\"", "it can't be read: '' and \"\""),
            ("line 1 column 3", "line # column #"),
            ("a \"quote without an end 5", "a \"quote without an end #"),
            ("no digits, and nothing else", "no digits, and nothing else"),
            ("java.lang.IllegalStateException: x", "java.lang.IllegalStateException: x"),
            ("\u{17c}\u{f3}\u{142}w 5 \u{20ac}", "\u{17c}\u{f3}\u{142}w # \u{20ac}"),
            ("", ""),
        ] {
            assert_eq!(pattern(text), expected);
        }
    }

    proptest! {
        #[test]
        fn a_pattern_has_no_digits_and_is_its_own_pattern(text in any::<String>()) {
            let once = pattern(&text);
            prop_assert!(!once.contains(|it: char| it.is_ascii_digit()), "{once}");
            prop_assert_eq!(pattern(&once), once);
        }

        #[test]
        fn two_records_with_other_numbers_have_one_pattern(a in any::<u32>(), b in any::<i64>(), c in any::<u64>()) {
            let text = |n: i128, id: u64| format!("order {n} of `u{id}`: total {n}.5 is below {id}");
            prop_assert_eq!(pattern(&text(i128::from(a), c)), pattern(&text(i128::from(b), 7)));
        }
    }
}
