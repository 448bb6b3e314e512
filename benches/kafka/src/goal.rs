//! Goals, and figures as they are printed.

/// What a figure should be.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Goal {
    /// It is only shown.
    None,
    /// Ours, divided by theirs.
    RatioAtLeast(f64),
    /// Ours, divided by theirs.
    RatioAtMost(f64),
    /// Ours alone.
    AtLeast(f64),
    /// Ours alone.
    AtMost(f64),
}

impl Goal {
    /// The goal in words, and whether it is met; nothing where there is none.
    pub(crate) fn verdict(self, ours: Option<f64>, ratio: Option<f64>) -> String {
        let (words, met) = match self {
            Self::None => return String::new(),
            Self::RatioAtLeast(goal) => (format!("at least {goal:.2} times"), ratio.map(|ratio| ratio >= goal)),
            Self::RatioAtMost(goal) => (format!("at most {goal:.2} times"), ratio.map(|ratio| ratio <= goal)),
            Self::AtLeast(goal) => (format!("at least {}", number(goal, 0)), ours.map(|ours| ours >= goal)),
            Self::AtMost(goal) => (format!("at most {}", number(goal, 0)), ours.map(|ours| ours <= goal)),
        };
        match met {
            Some(true) => format!("{words}: met"),
            Some(false) => format!("{words}: **missed**"),
            None => words,
        }
    }
}

/// A figure, or a dash where there is none.
pub(crate) fn cell(figure: Option<f64>, digits: usize) -> String {
    figure.map_or_else(|| "-".to_owned(), |figure| number(figure, digits))
}

/// A number with commas between thousands.
pub(crate) fn number(figure: f64, digits: usize) -> String {
    let text = format!("{figure:.digits$}");
    let (whole, rest) = text.split_at(text.find('.').unwrap_or(text.len()));
    let mut grouped = String::new();
    for (index, digit) in whole.chars().enumerate() {
        if index > 0 && (whole.len() - index) % 3 == 0 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped + rest
}

#[cfg(test)]
mod tests {
    use super::{Goal, cell, number};

    #[test]
    fn thousands_are_set_apart() {
        assert_eq!(number(1_234_567.0, 0), "1,234,567");
        assert_eq!(number(123.456, 2), "123.46");
        assert_eq!(number(1000.0, 1), "1,000.0");
        assert_eq!(cell(None, 1), "-");
    }

    #[test]
    fn a_goal_is_judged_only_when_its_figure_is_there() {
        assert_eq!(Goal::RatioAtLeast(2.0).verdict(Some(1.0), Some(2.5)), "at least 2.00 times: met");
        assert_eq!(Goal::AtMost(50.0).verdict(Some(51.0), None), "at most 50: **missed**");
        assert_eq!(Goal::AtLeast(200_000.0).verdict(None, None), "at least 200,000");
    }
}
