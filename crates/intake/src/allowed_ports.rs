//! The ports that a source may be fetched from.

use std::str::FromStr;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AllowedPorts {
    /// Never empty.
    List(Vec<u16>),
    Any,
}

impl AllowedPorts {
    /// True for an allowed port; port 0 never is.
    pub fn contains(&self, port: u16) -> bool {
        port != 0
            && match self {
                Self::List(ports) => ports.contains(&port),
                Self::Any => true,
            }
    }
}

impl Default for AllowedPorts {
    /// Those of http and https.
    fn default() -> Self {
        Self::List(vec![80, 443])
    }
}

#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("expected ports from 1 to 65535 separated by commas, or *")]
pub struct InvalidPorts;

impl FromStr for AllowedPorts {
    type Err = InvalidPorts;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.trim() == "*" {
            return Ok(Self::Any);
        }
        text.split(',')
            .map(|port| match port.trim().parse() {
                Ok(0) | Err(_) => Err(InvalidPorts),
                Ok(port) => Ok(port),
            })
            .collect::<Result<_, _>>()
            .map(Self::List)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_allows_its_ports_and_a_star_allows_all() {
        let web: AllowedPorts = "80, 443".parse().unwrap();
        assert!(web.contains(443) && !web.contains(8080));
        assert_eq!("*".parse(), Ok(AllowedPorts::Any));
        assert!(AllowedPorts::Any.contains(1));
    }

    #[test]
    fn empty_lists_port_zero_and_words_are_refused() {
        for text in ["", ",", "80,", "0", "65536", "-1", "http", "*,80"] {
            assert_eq!(text.parse::<AllowedPorts>(), Err(InvalidPorts), "{text}");
        }
    }
}
