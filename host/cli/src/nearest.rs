//! What a name that isn't there was probably meant to be.

/// The candidate that `name` was probably meant to be: the same but for the case of letters and a few typing slips.
pub fn nearest<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let lower = name.to_lowercase();
    let limit = (name.chars().count() * 2 / 5).max(1);
    let scored = candidates.into_iter().map(|it| (strsim::damerau_levenshtein(&lower, &it.to_lowercase()), it));
    scored.filter(|(distance, _)| *distance <= limit).min_by_key(|(distance, _)| *distance).map(|(_, it)| it)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slip_is_understood_and_another_word_is_not() {
        let topics = ["orders", "payment-orders", "stock-orders"];
        assert_eq!(nearest("ordres", topics), Some("orders"));
        assert_eq!(nearest("Payment_Orders", topics), Some("payment-orders"));
        assert_eq!(nearest("invoices", topics), None);
    }
}
