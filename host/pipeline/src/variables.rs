//! `${NAME}` in values: the environment variable of that name. `$${` is an escaped `${`; any other `$` is literal.

use millrace_engine::secret::Secret;

/// Why a text can't be expanded.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct VariableError {
    pub message: String,
    pub help: String,
}

/// Replaces the variables in a text by their values. A `${` in a value is not expanded.
pub(super) fn expand(text: &str, variable: &dyn Fn(&str) -> Result<String, String>) -> Result<Secret, VariableError> {
    let (mut expanded, mut rest) = (String::new(), text);
    while let Some((before, after)) = rest.split_once("${") {
        if let Some(before) = before.strip_suffix('$') {
            expanded += before;
            expanded += "${";
            rest = after;
            continue;
        }
        expanded += before;
        let (name, after) = after.split_once('}').filter(|(name, _)| is_name(name)).ok_or_else(not_a_name)?;
        expanded += &variable(name).map_err(|reason| VariableError {
            message: format!("the environment variable `{name}` {reason}"),
            help: format!("set it; or write `$${{{name}}}` for the text itself"),
        })?;
        rest = after;
    }
    expanded += rest;
    Ok(Secret::from(expanded))
}

/// It isn't quoted: it may be a part of a password.
fn not_a_name() -> VariableError {
    VariableError {
        message: "after `${` there is no name of an environment variable that ends with `}`".to_owned(),
        help: "write `${NAME}`, of letters, digits and `_`; or `$${` for the text `${`".to_owned(),
    }
}

fn is_name(name: &str) -> bool {
    !name.starts_with(|first: char| first.is_ascii_digit())
        && !name.is_empty()
        && name.chars().all(|one| one.is_ascii_alphanumeric() || one == '_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expanded(text: &str) -> Result<String, String> {
        let variable = |name: &str| match name {
            "USER" => Ok("alice".to_owned()),
            "PASSWORD" => Ok("${USER}$$}".to_owned()),
            _ => Err("isn't set".to_owned()),
        };
        expand(text, &variable).map(|secret| secret.expose().to_owned()).map_err(|wrong| wrong.message)
    }

    #[test]
    fn a_variable_is_expanded_once_and_a_second_dollar_escapes_it() {
        for (text, right) in [
            ("", ""),
            ("plain $ text $USER}", "plain $ text $USER}"),
            ("${USER}", "alice"),
            ("a${USER}b${PASSWORD}c", "aaliceb${USER}$$}c"),
            ("$${USER}", "${USER}"),
            ("$${", "${"),
            ("$$ ${USER}$", "$$ alice$"),
        ] {
            assert_eq!(expanded(text), Ok(right.to_owned()), "{text}");
        }
    }

    #[test]
    fn the_error_for_a_missing_variable_has_its_name_and_that_for_a_wrong_name_does_not() {
        assert_eq!(expanded("x${OTHER}"), Err("the environment variable `OTHER` isn't set".to_owned()));
        for text in ["${", "pass${word", "${}", "${1}", "${a-b}", "${USER"] {
            let message = expanded(text).err().unwrap_or_default();
            assert!(message.starts_with("after `${` there is no name"), "{text}: {message}");
        }
    }
}
