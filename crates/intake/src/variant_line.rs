//! A variant as people type it: `name=card,width=320,fit=cover`.

use serde_json::Value;

/// The members of a variant as JSON, for [`crate::Variants::read`] to judge. In a list of formats or
/// a focal point (`format=webp,jpeg`, `gravity=0.3,0.5`), what has no `=` belongs to the member
/// before.
///
/// # Errors
/// A member without a value, or one that is there twice.
pub fn variant_members(text: &str) -> Result<Value, String> {
    let mut members: Vec<(&str, Vec<&str>)> = Vec::new();
    for part in text.split(',') {
        match (part.split_once('='), members.last_mut()) {
            (Some((name, value)), _) => {
                let name = name.trim();
                if members.iter().any(|(known, _)| *known == name) {
                    return Err(format!("{name} is there twice"));
                }
                members.push((name, vec![value.trim()]));
            }
            (None, Some((name, values))) if ["format", "gravity"].contains(name) => {
                values.push(part.trim());
            }
            (None, _) => return Err(format!("{:?} has no value", part.trim())),
        }
    }
    let members = members.iter();
    Ok(members
        .map(|(name, values)| ((*name).to_owned(), value(name, values)))
        .collect())
}

fn value(name: &str, values: &[&str]) -> Value {
    match values {
        [] => Value::Null,
        ["true"] => true.into(),
        ["false"] => false.into(),
        [text] if !["name", "background"].contains(&name) => text
            .parse::<serde_json::Number>()
            .map_or_else(|_| Value::from(*text), Value::Number),
        [text] => Value::from(*text),
        several if name == "format" => several.iter().copied().collect(),
        several => Value::from(several.join(",")),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn members_have_the_types_that_the_api_has() {
        let text =
            "name=1, width=320,gravity=0.3,0.5,format=webp,jpeg,enlarge=true,background=#fff";
        let expected = json!({
            "name": "1", "width": 320, "gravity": "0.3,0.5", "format": ["webp", "jpeg"],
            "enlarge": true, "background": "#fff",
        });
        assert_eq!(variant_members(text), Ok(expected));
        assert!(
            variant_members("width=1,width=2")
                .unwrap_err()
                .contains("twice")
        );
        assert!(variant_members("").unwrap_err().contains("no value"));
    }
}
