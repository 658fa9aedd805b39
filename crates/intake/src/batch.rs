//! Reads the body of a batch: where its items begin and end, and what is wrong with the rest. Each
//! item is then read as a submission of its own ([`crate::members::parse`]).

use std::fmt;

use serde::de::{self, Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};
use serde_json::Value;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::RequestFault;
use crate::labels::{Metadata, metadata_of};
use crate::members::{BodyRefusal, parse, sentence};
use crate::requests::SubmitBody;

/// Most items of a JSON batch.
pub const MAX_ITEMS: usize = 1000;
/// Most bytes of an item, and of the defaults: what a submission of its own may have.
pub const MAX_ITEM_BYTES: usize = 64 * 1024;
/// Unknown members that are listed: a body can have a million.
const MAX_UNKNOWN: usize = 20;

const SHAPE: &str = "Send an object with `items` and, if you like, `defaults` and `metadata`.";
const NO_ITEMS: &str = "must be a list of 1 to 1000 submissions";
const NO_OBJECT: &str = "must be an object";
const TOO_LONG: &str = "may have at most 65536 bytes";
const TWICE: &str = "is given more than once";

/// Many submissions.
#[derive(Debug, ToSchema)]
#[schema(as = BatchSubmission)]
pub struct BatchBody<'a> {
    /// Each as in a submission of its own, but what it does not say is taken from `defaults`.
    #[schema(value_type = Vec<SubmitBody>, min_items = 1, max_items = 1000)]
    pub items: Vec<&'a str>,
    /// Members of a submission without `url`. Its URL means nothing.
    #[schema(value_type = Option<Object>, example = json!({"priority": 7}))]
    pub defaults: Option<SubmitBody>,
    /// Your own words, which come back with the batch; at most 4096 bytes as JSON without spaces.
    #[schema(value_type = Option<Object>, example = json!({"album": "harbour"}))]
    pub metadata: Option<Metadata>,
}

impl<'a> BatchBody<'a> {
    /// Reads everything but the items.
    ///
    /// # Errors
    /// Text that is not JSON, or every fault.
    pub fn read(bytes: &'a [u8]) -> Result<Self, BodyRefusal> {
        let envelope: Envelope<'a> = match serde_json::from_slice(bytes) {
            Ok(envelope) => envelope,
            Err(error) if !error.is_data() => return Err(BodyRefusal::NoJson(sentence(&error))),
            Err(_) => {
                return Err(match serde_json::from_slice::<IgnoredAny>(bytes) {
                    Err(error) => BodyRefusal::NoJson(sentence(&error)),
                    Ok(_) => refusal(vec![RequestFault::in_body("#", NO_OBJECT)]),
                });
            }
        };
        let mut faults = envelope.faults;
        let items = match envelope.items {
            None => Err("is required"),
            Some(Items::List { texts, count }) if (1..=MAX_ITEMS).contains(&count) => Ok(texts),
            Some(_) => Err(NO_ITEMS),
        };
        let items = items.unwrap_or_else(|detail| {
            faults.push(RequestFault::in_body("#/items", detail));
            Vec::new()
        });
        let defaults = read_defaults(envelope.defaults).unwrap_or_else(|found| {
            faults.extend(found);
            None
        });
        let metadata = envelope.metadata.map(metadata_of).transpose();
        let metadata = metadata.unwrap_or_else(|detail| {
            faults.push(RequestFault::in_body("#/metadata", detail));
            None
        });
        if !faults.is_empty() {
            return Err(refusal(faults));
        }
        Ok(Self {
            items,
            defaults,
            metadata: metadata.flatten(),
        })
    }
}

impl SubmitBody {
    /// Takes what it does not say from `defaults`. What to make is said by one member of two.
    pub fn fill_in(&mut self, defaults: &Self) {
        let Self {
            url: _,
            priority,
            not_before,
            variants,
            preset,
            duplicate,
            tags,
            metadata,
            expires_in,
        } = defaults;
        self.priority = self.priority.or(*priority);
        self.not_before = self.not_before.or(*not_before);
        if self.variants.is_none() && self.preset.is_none() {
            self.variants.clone_from(variants);
            self.preset.clone_from(preset);
        }
        self.duplicate = self.duplicate.or(*duplicate);
        if self.tags.0.is_empty() {
            self.tags.clone_from(tags);
        }
        if self.metadata.is_none() {
            self.metadata.clone_from(metadata);
        }
        self.expires_in = self.expires_in.or(*expires_in);
    }
}

fn refusal(faults: Vec<RequestFault>) -> BodyRefusal {
    BodyRefusal::Faults {
        shape: SHAPE,
        faults,
    }
}

/// They are read as a submission with an empty URL, so that its members have one home.
fn read_defaults(text: Option<&str>) -> Result<Option<SubmitBody>, Vec<RequestFault>> {
    let Some(text) = text.filter(|text| *text != "null") else {
        return Ok(None);
    };
    let fault = |pointer: &str, detail: &str| RequestFault::in_body(pointer, detail);
    let Some(members) = text.strip_prefix('{') else {
        return Err(vec![fault("#/defaults", NO_OBJECT)]);
    };
    if text.len() > MAX_ITEM_BYTES {
        return Err(vec![fault("#/defaults", TOO_LONG)]);
    }
    let comma = if members.trim_ascii_start().starts_with('}') {
        ""
    } else {
        ","
    };
    let submission = format!("{{\"url\":\"\"{comma}{members}");
    let refused = match parse(submission.as_bytes()) {
        Ok(defaults) => return Ok(Some(defaults)),
        Err(refused) => refused,
    };
    let mut faults = Vec::new();
    let given: Option<Value> = serde_json::from_str(text).ok();
    let has_url = given.is_some_and(|given| given.get("url").is_some());
    if has_url {
        faults.push(fault("#/defaults/url", "is not known"));
    }
    match refused {
        BodyRefusal::NoJson(detail) => faults.push(fault("#/defaults", &detail)),
        BodyRefusal::Faults { faults: found, .. } => {
            let placed = found.into_iter().filter_map(|found| {
                let place = found.pointer.unwrap_or_default().split_off(1);
                // Of the URL, which is there twice, or not a string.
                let is_ours = has_url && (place.is_empty() || place == "/url");
                (!is_ours).then(|| fault(&format!("#/defaults{place}"), &found.detail))
            });
            faults.extend(placed);
        }
    }
    Err(faults)
}

/// The members as texts: a body of some megabytes becomes no tree of values.
#[derive(Default)]
struct Envelope<'a> {
    items: Option<Items<'a>>,
    defaults: Option<&'a str>,
    metadata: Option<&'a str>,
    faults: Vec<RequestFault>,
}

enum Items<'a> {
    List {
        /// Of [`MAX_ITEMS`] at most.
        texts: Vec<&'a str>,
        count: usize,
    },
    NoList,
}

impl<'de> Deserialize<'de> for Envelope<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_map(EnvelopeVisitor)
    }
}

struct EnvelopeVisitor;

impl<'de> Visitor<'de> for EnvelopeVisitor {
    type Value = Envelope<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut envelope = Envelope::default();
        let mut twice = Vec::new();
        let mut unknown = 0;
        while let Some(name) = map.next_key::<String>()? {
            let is_known_already = match name.as_str() {
                "items" => envelope.items.replace(map.next_value()?).is_some(),
                "defaults" => {
                    let text = map.next_value::<&RawValue>()?.get();
                    envelope.defaults.replace(text).is_some()
                }
                "metadata" => {
                    let text = map.next_value::<&RawValue>()?.get();
                    envelope.metadata.replace(text).is_some()
                }
                _ => {
                    map.next_value::<IgnoredAny>()?;
                    unknown += 1;
                    if unknown <= MAX_UNKNOWN {
                        let pointer = crate::members::pointer_through([name.as_str()]);
                        let fault = RequestFault::in_body(pointer, "is not known");
                        envelope.faults.push(fault);
                    }
                    false
                }
            };
            if is_known_already && !twice.contains(&name) {
                twice.push(name);
            }
        }
        let twice = twice.iter().map(|name| format!("#/{name}"));
        let twice = twice.map(|pointer| RequestFault::in_body(pointer, TWICE));
        envelope.faults.extend(twice);
        Ok(envelope)
    }
}

impl<'de> Deserialize<'de> for Items<'de> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        from.deserialize_any(ItemsVisitor)
    }
}

struct ItemsVisitor;

impl<'de> Visitor<'de> for ItemsVisitor {
    type Value = Items<'de>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a list")
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
        let mut texts = Vec::new();
        while texts.len() < MAX_ITEMS {
            match list.next_element::<&RawValue>()? {
                Some(item) => texts.push(item.get()),
                None => break,
            }
        }
        let mut count = texts.len();
        while list.next_element::<IgnoredAny>()?.is_some() {
            count += 1;
        }
        Ok(Items::List { texts, count })
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Items::NoList)
    }

    fn visit_bool<E: de::Error>(self, _: bool) -> Result<Self::Value, E> {
        Ok(Items::NoList)
    }

    fn visit_i64<E: de::Error>(self, _: i64) -> Result<Self::Value, E> {
        Ok(Items::NoList)
    }

    fn visit_u64<E: de::Error>(self, _: u64) -> Result<Self::Value, E> {
        Ok(Items::NoList)
    }

    fn visit_f64<E: de::Error>(self, _: f64) -> Result<Self::Value, E> {
        Ok(Items::NoList)
    }

    fn visit_str<E: de::Error>(self, _: &str) -> Result<Self::Value, E> {
        Ok(Items::NoList)
    }

    fn visit_unit<E: de::Error>(self) -> Result<Self::Value, E> {
        Ok(Items::NoList)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{DuplicateHandling, Priority};

    fn pointers(text: &str) -> Vec<String> {
        match BatchBody::read(text.as_bytes()) {
            Err(BodyRefusal::Faults { faults, .. }) => {
                let pointers = faults.into_iter().map(|fault| fault.pointer.unwrap());
                pointers.collect()
            }
            other => panic!("{text}: {other:?}"),
        }
    }

    #[test]
    fn items_are_found_as_they_were_written() {
        let text = " {\"items\": [{\"url\": \"a\"}, 7 ,\"]\"], \"metadata\": {\"a\": [1]}} ";
        let body = BatchBody::read(text.as_bytes()).unwrap();
        assert_eq!(body.items, ["{\"url\": \"a\"}", "7", "\"]\""]);
        assert_eq!(body.metadata, Some(Metadata("{\"a\":[1]}".to_owned())));
        assert!(body.defaults.is_none());
        let body = BatchBody::read(b"{\"items\":[0],\"defaults\":null,\"metadata\":null}").unwrap();
        assert!(body.defaults.is_none() && body.metadata.is_none());
    }

    #[test]
    fn what_is_no_batch_is_refused_with_every_fault() {
        let many = format!("{{\"items\": [{}0]}}", "0,".repeat(MAX_ITEMS));
        let long = format!(
            "{{\"items\":[0],\"metadata\":{{\"a\":\"{}\"}}}}",
            "a".repeat(4096)
        );
        for (text, expected) in [
            ("[]", vec!["#"]),
            ("7", vec!["#"]),
            ("\"items\"", vec!["#"]),
            ("{}", vec!["#/items"]),
            ("{\"items\": []}", vec!["#/items"]),
            ("{\"items\": {\"url\": \"a\"}}", vec!["#/items"]),
            ("{\"items\": null}", vec!["#/items"]),
            ("{\"items\": \"[]\"}", vec!["#/items"]),
            (&many, vec!["#/items"]),
            (&long, vec!["#/metadata"]),
            ("{\"items\":[0],\"items\":[0]}", vec!["#/items"]),
            ("{\"items\":[0],\"metadata\":[]}", vec!["#/metadata"]),
            (
                "{\"a/b\": 1, \"defaults\": 7, \"metadata\": 7}",
                vec!["#/a~1b", "#/items", "#/defaults", "#/metadata"],
            ),
        ] {
            assert_eq!(pointers(text), expected, "{text}");
        }
        let full = format!("{{\"items\": [{}0]}}", "0,".repeat(MAX_ITEMS - 1));
        assert_eq!(
            BatchBody::read(full.as_bytes()).unwrap().items.len(),
            MAX_ITEMS
        );
    }

    #[test]
    fn text_that_is_no_json_is_malformed() {
        for text in [
            &b""[..],
            b"{",
            b"{\"items\": [}",
            b"{\"items\":[\"\xff\"]}",
            b"[7",
            b"{} {}",
        ] {
            let refused = BatchBody::read(text);
            assert!(
                matches!(refused, Err(BodyRefusal::NoJson(_))),
                "{refused:?}"
            );
        }
    }

    #[test]
    fn defaults_are_members_of_a_submission() {
        let text = "{\"items\":[0], \"defaults\": {\"priority\": 7, \"preset\": \"large\"}}";
        let defaults = BatchBody::read(text.as_bytes()).unwrap().defaults.unwrap();
        let mut item: SubmitBody =
            parse(b"{\"url\": \"a\", \"duplicate\": \"reuse-completed\"}").unwrap();
        item.fill_in(&defaults);
        assert_eq!(item.priority, Priority::new(7));
        assert_eq!(item.preset.as_deref(), Some("large"));
        assert_eq!(item.duplicate, Some(DuplicateHandling::ReuseCompleted));
        let mut own: SubmitBody = parse(
            b"{\"url\": \"a\", \"priority\": 1, \"variants\": [{\"name\": \"a\", \"width\": 9}]}",
        )
        .unwrap();
        own.fill_in(&defaults);
        assert_eq!((own.priority, own.preset), (Priority::new(1), None));
        let of = |defaults: &str| pointers(&format!("{{\"items\":[0],\"defaults\":{defaults}}}"));
        assert_eq!(of("{\"url\": \"a\"}"), ["#/defaults/url"]);
        assert_eq!(
            of("{\"url\": 7, \"x\": 1}"),
            ["#/defaults/url", "#/defaults/x"]
        );
        assert_eq!(of("{\"priority\": 70}"), ["#/defaults/priority"]);
        assert_eq!(of("{\"priority\":1,\"priority\":1}"), ["#/defaults"]);
        let both = "{\"preset\": \"a\", \"variants\": [{\"name\": \"a\", \"width\": 9}]}";
        assert_eq!(of(both), ["#/defaults/preset"]);
        assert!(
            BatchBody::read(b"{\"items\":[0],\"defaults\":{ }}")
                .unwrap()
                .defaults
                .is_some()
        );
    }
}
