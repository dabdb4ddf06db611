//! Which code exists in test builds only.

/// Whether an item exists in test builds only: `#[cfg(test)]`, `#[cfg(all(test, …))]`, `#[test]` and its kin.
pub(crate) fn is_for_tests(attributes: &[syn::Attribute]) -> bool {
    attributes.iter().any(|attribute| {
        let path = attribute.path();
        if path.segments.last().is_some_and(|last| last.ident == "test") {
            return true;
        }
        let syn::Meta::List(list) = &attribute.meta else { return false };
        let condition = list.tokens.to_string();
        path.is_ident("cfg") && (condition == "test" || (condition.starts_with("all") && words(&condition, "test")))
    })
}

fn words(text: &str, wanted: &str) -> bool {
    text.split(|letter: char| !letter.is_alphanumeric() && letter != '_').any(|word| word == wanted)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn attributes() {
        for (text, expected) in [
            ("#[cfg(test)]", true),
            ("#[cfg(all(test, unix))]", true),
            ("#[test]", true),
            ("#[tokio::test(start_paused = true)]", true),
            ("#[cfg(not(test))]", false),
            ("#[cfg(any(test, unix))]", false),
            ("#[cfg(feature = \"latest\")]", false),
            ("#[cfg_attr(test, derive(Debug))]", false),
            ("", false),
        ] {
            let item: syn::ItemFn = syn::parse_str(&format!("{text} fn f() {{}}")).unwrap();
            assert_eq!(is_for_tests(&item.attrs), expected, "{text}");
        }
    }
}
