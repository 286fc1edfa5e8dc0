//! containerd's filters, as far as drivers' steps use them: fields that are there, equal or not.

/// What must hold of all of a filter's fields.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Filter(Vec<Selector>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Selector {
    /// `name`, `kind`, `parent` or `labels.LABEL`, without quotes.
    path: String,
    test: Test,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Test {
    There,
    Equal(String),
    Other(String),
}

impl Filter {
    /// `FIELD`, `FIELD==VALUE` or `FIELD!=VALUE`, several with commas between them.
    pub fn read(text: &str) -> Option<Filter> {
        text.split(',')
            .map(Selector::read)
            .collect::<Option<_>>()
            .map(Filter)
    }

    /// Whether it takes what has these fields.
    pub fn takes(&self, field: impl Fn(&str) -> Option<String>) -> bool {
        self.0.iter().all(|selector| {
            let value = field(&selector.path);
            match &selector.test {
                Test::There => value.is_some(),
                Test::Equal(other) => value.as_ref() == Some(other),
                // What is not there is empty.
                Test::Other(other) => value.unwrap_or_default() != *other,
            }
        })
    }
}

impl Selector {
    fn read(text: &str) -> Option<Selector> {
        let (field, holds) = if let Some((path, value)) = text.split_once("==") {
            (path, Test::Equal(unquoted(value)))
        } else if let Some((path, value)) = text.split_once("!=") {
            (path, Test::Other(unquoted(value)))
        } else {
            (text, Test::There)
        };
        let path = match field.strip_prefix("labels.") {
            Some(label) => format!("labels.{}", unquoted(label)),
            None if matches!(field, "name" | "kind" | "parent") => field.to_owned(),
            None => return None,
        };
        Some(Selector { path, test: holds })
    }
}

fn unquoted(text: &str) -> String {
    text.trim_matches('"').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn all_selectors_of_a_filter_must_hold() {
        let field = |path: &str| match path {
            "name" => Some("a".to_owned()),
            "labels.x.y/z" => Some("1".to_owned()),
            _ => None,
        };
        for (text, takes) in [
            ("name==a", true),
            ("name!=a", false),
            ("name!=a,name==a", false),
            ("labels.\"x.y/z\"==1,name==a", true),
            ("labels.\"x.y/z\"", true),
            ("labels.w", false),
            ("parent!=\"\"", false),
        ] {
            assert_eq!(Filter::read(text).unwrap().takes(field), takes, "{text}");
        }
        assert_eq!(Filter::read("size==1"), None);
    }
}
