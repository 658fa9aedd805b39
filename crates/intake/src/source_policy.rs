//! Which URLs may be fetched, as far as is known before a name is resolved.

use ipnet::IpNet;
use url::Host;

use crate::address_policy::AddressPolicy;
use crate::allowed_ports::AllowedPorts;
use crate::forbidden::Forbidden;
use crate::source_url::SourceUrl;

/// Longest host name, in bytes, without the final dot (RFC 1035 §2.3.4).
const MAX_NAME_BYTES: usize = 253;
const MAX_LABEL_BYTES: usize = 63;

/// Names that lead to this machine.
const LOOPBACK_NAME: &str = "localhost";
/// Top-level names that only mean something in a local network.
const LOCAL_SUFFIXES: &[&str] = &["local", "internal"];
/// Names under which clouds give machines their credentials; refused whatever is lifted.
const METADATA_NAMES: &[&str] = &[
    "metadata.google.internal",
    "instance-data.ec2.internal",
    "metadata.internal",
];

/// Judges URLs by port, name and literal address; used at submission and before every request.
///
/// Names of the local network (one label, `localhost`, `.local`, `.internal`) are refused by
/// default. They are accepted once `ALLOWED_SOURCE_NETWORKS` names any network, because its hosts
/// have such names; `localhost` and `*.localhost` only if it covers `127.0.0.1` or `::1`. The
/// clouds' metadata names stay refused. That opens nothing further: every address that a name
/// resolves to is judged all the same.
#[derive(Debug, Clone, Default)]
pub struct SourcePolicy {
    pub addresses: AddressPolicy,
    ports: AllowedPorts,
}

impl SourcePolicy {
    /// `lifted` networks may be fetched from although they are not public.
    pub fn new(lifted: Vec<IpNet>, ports: AllowedPorts) -> Self {
        Self {
            addresses: AddressPolicy::new(lifted),
            ports,
        }
    }

    /// The syntactic and literal part: no name is resolved.
    pub fn check_url(&self, url: &SourceUrl) -> Result<(), Forbidden> {
        let url = url.as_url();
        let port = url.port_or_known_default().ok_or(Forbidden::Port(0))?;
        if !self.ports.contains(port) {
            return Err(Forbidden::Port(port));
        }
        match url.host().ok_or(Forbidden::Name)? {
            Host::Ipv4(address) => self.addresses.check_address(address.into()),
            Host::Ipv6(address) => self.addresses.check_address(address.into()),
            Host::Domain(name) => self.check_name(name),
        }
    }

    /// `name` is in lower case, as the URL parser leaves it.
    fn check_name(&self, name: &str) -> Result<(), Forbidden> {
        let name = name.strip_suffix('.').unwrap_or(name);
        if name.len() > MAX_NAME_BYTES || !name.split('.').all(is_label) {
            return Err(Forbidden::Name);
        }
        if METADATA_NAMES.contains(&name) {
            return Err(Forbidden::Name);
        }
        let top = name.rsplit('.').next().unwrap_or(name);
        let accepted = if top == LOOPBACK_NAME {
            self.lifts_loopback()
        } else if top == name || LOCAL_SUFFIXES.contains(&top) {
            self.addresses.lifts_any()
        } else {
            true
        };
        accepted.then_some(()).ok_or(Forbidden::Name)
    }

    fn lifts_loopback(&self) -> bool {
        self.addresses.lifts(std::net::Ipv4Addr::LOCALHOST.into())
            || self.addresses.lifts(std::net::Ipv6Addr::LOCALHOST.into())
    }
}

/// Letters, digits, hyphens and, because they occur, underscores.
fn is_label(label: &str) -> bool {
    !label.is_empty()
        && label.len() <= MAX_LABEL_BYTES
        && label
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    /// 114 cases with verdicts.
    const TABLE: &str = include_str!("../../../tests/data/ssrf_urls.tsv");

    fn policy(networks: &[&str], ports: AllowedPorts) -> SourcePolicy {
        let lifted = networks.iter().map(|text| text.parse().unwrap());
        SourcePolicy::new(lifted.collect(), ports)
    }

    fn verdict(policy: &SourcePolicy, text: &str) -> Result<(), String> {
        let url = SourceUrl::parse(text).map_err(|error| error.to_string())?;
        policy.check_url(&url).map_err(|error| error.to_string())
    }

    fn unescape(text: &str) -> String {
        let pairs = [
            ("\\\\", "\u{1}"),
            ("\\t", "\t"),
            ("\\r", "\r"),
            ("\\n", "\n"),
        ];
        pairs
            .iter()
            .fold(text.to_owned(), |text, (from, to)| text.replace(from, to))
            .replace('\u{1}', "\\")
    }

    #[test]
    fn the_table_of_hostile_urls_holds() {
        let policy = policy(&[], AllowedPorts::default());
        let cases: Vec<Vec<&str>> = TABLE
            .lines()
            .filter(|line| !line.starts_with('#') && !line.is_empty())
            .map(|line| line.split('\t').collect())
            .collect();
        assert_eq!(cases.len(), 114);
        for case in cases {
            let (text, expected) = (unescape(case[0]), case[1]);
            let allowed = verdict(&policy, &text);
            // The addresses of a name are judged later: tests/fetch covers that.
            let expected_now = matches!(expected, "allow" | "reject-after-dns");
            assert!(expected_now || expected == "reject", "{case:?}");
            assert_eq!(allowed.is_ok(), expected_now, "{case:?}: {allowed:?}");
        }
    }

    #[test]
    fn ports_follow_the_setting_and_zero_is_never_allowed() {
        let default = policy(&[], AllowedPorts::default());
        let any = policy(&[], AllowedPorts::Any);
        let listed = policy(&[], AllowedPorts::List(vec![8080]));
        for (text, by_default, by_any, by_list) in [
            ("http://example.com/", true, true, false),
            ("https://example.com/", true, true, false),
            ("http://example.com:443/", true, true, false),
            ("http://example.com:8080/", false, true, true),
            ("http://example.com:65535/", false, true, false),
            ("http://example.com:0/", false, false, false),
        ] {
            assert_eq!(verdict(&default, text).is_ok(), by_default, "{text}");
            assert_eq!(verdict(&any, text).is_ok(), by_any, "{text}");
            assert_eq!(verdict(&listed, text).is_ok(), by_list, "{text}");
        }
    }

    #[test]
    fn local_names_are_accepted_only_with_lifted_networks() {
        let public = policy(&[], AllowedPorts::default());
        let private = policy(&["10.0.0.0/8"], AllowedPorts::default());
        let loopback = policy(&["127.0.0.0/8"], AllowedPorts::default());
        let loopback_v6 = policy(&["::1/128"], AllowedPorts::default());
        for (host, by_public, by_private, by_loopback) in [
            ("example.com", true, true, true),
            ("example.com.", true, true, true),
            ("localhost.example.com", true, true, true),
            ("local.example.com", true, true, true),
            ("minio", false, true, true),
            ("minio.", false, true, true),
            ("printer.local", false, true, true),
            ("metadata.google.internal", false, false, false),
            ("metadata.google.internal.", false, false, false),
            ("localhost", false, false, true),
            ("localhost.", false, false, true),
            ("a.localhost", false, false, true),
            ("a..example.com", false, false, false),
            (".example.com", false, false, false),
            ("example.com..", false, false, false),
            ("exa!mple.com", false, false, false),
        ] {
            let text = format!("http://{host}/");
            assert_eq!(verdict(&public, &text).is_ok(), by_public, "{text}");
            assert_eq!(verdict(&private, &text).is_ok(), by_private, "{text}");
            assert_eq!(verdict(&loopback, &text).is_ok(), by_loopback, "{text}");
            assert_eq!(verdict(&loopback_v6, &text).is_ok(), by_loopback, "{text}");
        }
    }

    #[test]
    fn labels_and_names_have_their_longest() {
        let policy = policy(&[], AllowedPorts::default());
        let label = "a".repeat(63);
        assert_eq!(verdict(&policy, &format!("http://{label}.com/")), Ok(()));
        assert!(verdict(&policy, &format!("http://{label}a.com/")).is_err());
        let name = [label.as_str(); 4].join(".");
        assert_eq!(
            verdict(&policy, &format!("http://{}/", &name[..253])),
            Ok(())
        );
        assert!(verdict(&policy, &format!("http://{}/", &name[..254])).is_err());
    }

    #[test]
    fn a_refusal_tells_no_address() {
        let policy = policy(&[], AllowedPorts::default());
        let message = verdict(&policy, "http://2130706433/").unwrap_err();
        assert!(!message.contains("127"), "{message}");
    }
}
