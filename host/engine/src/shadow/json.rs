//! Differences of two JSON texts, by path.

use serde_json::Value;

/// Most differences that are told apart in one text.
const MOST: usize = 1_000;

/// The place of all that come after.
pub(super) const MORE: &str = "(more)";

/// The paths at which two texts differ, as in RFC 6901 (`/items/0/price`), with what is there. Empty if they are equal;
/// `None` if one isn't JSON.
pub(super) fn differences(old: &[u8], new: &[u8]) -> Option<Vec<(String, String, String)>> {
    let (old, new): (Value, Value) = (serde_json::from_slice(old).ok()?, serde_json::from_slice(new).ok()?);
    let mut found = Vec::new();
    compare(&mut String::new(), Some(&old), Some(&new), &mut found);
    Some(found)
}

fn compare(path: &mut String, old: Option<&Value>, new: Option<&Value>, found: &mut Vec<(String, String, String)>) {
    if old == new {
        return;
    }
    if found.len() == MOST {
        // No pattern covers it: what isn't compared isn't equal.
        found.push((MORE.to_owned(), String::new(), String::new()));
    }
    if found.len() > MOST {
        return;
    }
    match (old, new) {
        (Some(Value::Object(old)), Some(Value::Object(new))) => {
            let names = old.keys().chain(new.keys().filter(|name| !old.contains_key(*name)));
            for name in names {
                at(path, &name.replace('~', "~0").replace('/', "~1"), |path| {
                    compare(path, old.get(name), new.get(name), found);
                });
            }
        }
        (Some(Value::Array(old)), Some(Value::Array(new))) => {
            for index in 0..old.len().max(new.len()) {
                at(path, &index.to_string(), |path| compare(path, old.get(index), new.get(index), found));
            }
        }
        _ => {
            let text = |value: Option<&Value>| value.map_or("(nothing)".to_owned(), Value::to_string);
            found.push((path.clone(), text(old), text(new)));
        }
    }
}

fn at(path: &mut String, name: &str, then: impl FnOnce(&mut String)) {
    let length = path.len();
    path.push('/');
    path.push_str(name);
    then(path);
    path.truncate(length);
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use super::*;

    #[test]
    fn differences_have_their_paths_and_both_values() {
        let found = |old: &str, new: &str| -> Vec<String> {
            let all = differences(old.as_bytes(), new.as_bytes()).unwrap();
            all.into_iter().map(|(path, old, new)| format!("{path}: {old} -> {new}")).collect()
        };
        assert_eq!(found(r#"{"a":1,"b":[1,{"c":"x"}]}"#, r#"{"b":[1,{"c":"y"}],"a":1}"#), [r#"/b/1/c: "x" -> "y""#]);
        assert_eq!(found(r#"{"a/b":1}"#, r#"{"c":2}"#), ["/a~1b: 1 -> (nothing)", "/c: (nothing) -> 2"]);
        assert_eq!(found("[1]", "[1,null]"), ["/1: (nothing) -> null"]);
        assert_eq!(found("1", "2"), [": 1 -> 2"]);
        assert_eq!(found(r#"{"a":1}"#, r#"{ "a" : 1 }"#), [""; 0]);
        assert!(differences(b"x", b"1").is_none());
    }
}
