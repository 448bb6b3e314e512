//! Differences that are meant.

use super::json::MORE;
use super::report::{Class, Difference};

/// A pattern of differences: a class, and for `value`, `state` and `headers` a path, such as `value:/updatedAt`,
/// `value:/items/*/price`, `headers:trace` or `timestamp`. A path also covers all below it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ignore {
    class: Class,
    path: Vec<String>,
}

impl Ignore {
    /// Reads a pattern.
    ///
    /// # Errors
    /// It has an unknown class: the text names the ones that there are.
    pub fn parse(text: &str) -> Result<Self, String> {
        let (class, path) = text.split_once(':').unwrap_or((text, ""));
        let known = || Class::ALL.map(Class::name).join(", ");
        let class = Class::ALL.into_iter().find(|known| known.name() == class);
        let class =
            class.ok_or_else(|| format!("`{text}` begins with no class of differences: these are {}", known()))?;
        Ok(Self { class, path: parts(path).map(str::to_owned).collect() })
    }

    pub(super) fn covers(&self, difference: &Difference) -> bool {
        if difference.place == MORE {
            return false;
        }
        let mut place = parts(&difference.place);
        let same = |part: &String| place.next().is_some_and(|found| part == "*" || part == found);
        self.class == difference.class && self.path.iter().all(same)
    }
}

fn parts(path: &str) -> impl Iterator<Item = &str> {
    path.split('/').filter(|part| !part.is_empty())
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn a_pattern_covers_its_path_and_all_below() {
        let covers = |pattern: &str, class, place: &str| {
            let difference = Difference { class, place: place.into(), old: String::new(), new: String::new() };
            Ignore::parse(pattern).unwrap().covers(&difference)
        };
        assert!(covers("value:/at", Class::Value, "/at"));
        assert!(covers("value:/at", Class::Value, "/at/day"));
        assert!(covers("value", Class::Value, "/at"));
        assert!(covers("value:/items/*/price", Class::Value, "/items/3/price"));
        assert!(covers("headers:trace", Class::Headers, "trace"));
        assert!(!covers("value:/at", Class::State, "/at"));
        assert!(!covers("value:/at", Class::Value, "/attempt"));
        assert!(!covers("value:/at/day", Class::Value, "/at"));
        let wrong = Ignore::parse("body:/x").unwrap_err();
        assert!(
            wrong.ends_with("these are outcome, outputs, port, key, value, timestamp, headers, state, timers"),
            "{wrong}"
        );
    }
}
