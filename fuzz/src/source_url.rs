//! The URL and what it may name, judged a second time by other means than the policy's.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use thumbforge_intake::{SourcePolicy, SourceUrl};

/// An accepted URL is accepted again as itself, and never names a host of a private network.
pub fn check_url(bytes: &[u8]) {
    let Ok(text) = std::str::from_utf8(bytes) else {
        return;
    };
    let policy = SourcePolicy::default();
    if let Ok(url) = SourceUrl::parse(text) {
        let is_refused = |c: char| c.is_control() || (c.is_whitespace() && c != ' ') || c == '\\';
        assert!(!text.contains(is_refused));
        check_accepted(&url, &policy);
    }
    for base in ["https://example.com/a/b?c", "http://1.1.1.1:80/"] {
        let base = SourceUrl::parse(base).expect("a URL");
        if let Ok(url) = base.join(text) {
            check_accepted(&url, &policy);
        }
    }
}

fn check_accepted(url: &SourceUrl, policy: &SourcePolicy) {
    let text = url.as_str();
    assert_eq!(SourceUrl::parse(text).as_ref(), Ok(url));
    assert!(text.len() <= SourceUrl::MAX_BYTES && text.is_ascii() && !text.contains('#'));
    assert!(text.starts_with("http://") || text.starts_with("https://"));
    let authority = text.split('/').nth(2).expect("a host");
    assert!(!authority.contains('@') && !authority.is_empty(), "{text}");
    if policy.check_url(url).is_ok() {
        let port = url.as_url().port_or_known_default();
        assert!(matches!(port, Some(80 | 443)), "{text}");
        // `localhost:80` shows no port 80 over http.
        let host = authority.strip_suffix(":80").unwrap_or(authority);
        check_host(host.strip_suffix(":443").unwrap_or(host));
    }
}

fn check_host(host: &str) {
    let literal = host.trim_start_matches('[').trim_end_matches(']');
    match literal.parse() {
        Ok(IpAddr::V4(address)) => assert!(is_public_v4(address), "{host}"),
        Ok(IpAddr::V6(address)) => assert!(is_public_v6(address), "{host}"),
        Err(_) => {
            let name = host.trim_end_matches('.');
            let (_, top) = name.rsplit_once('.').expect("more than one label");
            assert!(!["localhost", "local", "internal"].contains(&top), "{host}");
            assert!(!is_number(top), "{host}");
        }
    }
}

/// Resolvers take a name that ends in a number for an address.
fn is_number(label: &str) -> bool {
    let digits = label.strip_prefix("0x");
    digits.map_or_else(
        || label.bytes().all(|byte| byte.is_ascii_digit()),
        |hex| hex.bytes().all(|byte| byte.is_ascii_hexdigit()),
    )
}

fn is_public_v4(address: Ipv4Addr) -> bool {
    let [a, b, c, _] = address.octets();
    let is_special = address.is_private()
        || address.is_loopback()
        || address.is_link_local()
        || address.is_documentation()
        || address.is_multicast()
        || address.is_broadcast()
        || address == Ipv4Addr::new(168, 63, 129, 16);
    !is_special
        && a != 0
        && a < 240
        && (a, b & 0xc0) != (100, 64)
        && (a, b & 0xfe) != (198, 18)
        && (a, b, c) != (192, 0, 0)
}

fn is_public_v6(address: Ipv6Addr) -> bool {
    if let Some(inner) = address.to_ipv4_mapped() {
        return is_public_v4(inner);
    }
    let segments = address.segments();
    segments[0] & 0xe000 == 0x2000
        && segments[0] != 0x2002
        && !(segments[0] == 0x2001 && (segments[1] < 0x200 || segments[1] == 0xdb8))
}
