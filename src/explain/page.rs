//! The film as one page that needs nothing else.

use super::Film;

const TEMPLATE: &str = include_str!("page.html");
const PLACE: &str = "/*FILM*/";

/// The page: what it shows stands in it as JSON.
#[must_use]
pub fn page(film: &Film) -> String {
    // `</script>` in a name must not end the data.
    TEMPLATE.replacen(PLACE, &film.json().replace('<', "\\u003c"), 1)
}
