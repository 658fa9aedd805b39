//! The servers that a URL names, in their order.

use std::net::IpAddr;

use super::split::{ENCODE, decoded};

const DEFAULT_PORT: u16 = 5432;

/// Where a server is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PostgresHost {
    /// A name, an address, or the folder of a socket.
    pub host: String,
    /// Where it is reached, if the name is not to be looked up.
    pub address: Option<IpAddr>,
    pub port: u16,
}

impl PostgresHost {
    /// True if it is reached through a socket of this machine.
    pub fn is_socket(&self) -> bool {
        self.host.starts_with('/')
    }
}

/// `host`, `hostaddr` and `port` among the options: lists separated by commas.
#[derive(Debug, Default)]
pub(super) struct HostOptions {
    pub hosts: Option<String>,
    pub addresses: Option<String>,
    pub ports: Option<String>,
}

/// The hosts before the path, unless the options name others.
///
/// # Errors
/// A sentence that quotes nothing of the URL.
pub(super) fn hosts(place: &str, options: &HostOptions) -> Result<Vec<PostgresHost>, String> {
    let (mut hosts, mut ports) = of_place(place)?;
    if let Some(named) = &options.hosts {
        hosts = named.split(',').map(str::to_owned).collect();
        ports = Vec::new();
    }
    if let Some(said) = &options.ports {
        ports = said.split(',').map(port).collect::<Result<_, _>>()?;
    }
    let addresses = match &options.addresses {
        Some(list) => list.split(',').map(address).collect::<Result<_, _>>()?,
        None => Vec::new(),
    };
    if hosts.is_empty() {
        hosts = addresses.iter().map(IpAddr::to_string).collect();
    }
    if !addresses.is_empty() && addresses.len() != hosts.len() {
        return Err("hostaddr: expected as many addresses as hosts".to_owned());
    }
    if ports.len() > 1 && ports.len() != hosts.len() {
        return Err("port: expected one port, or as many as hosts".to_owned());
    }
    let only = ports.first().copied().unwrap_or(DEFAULT_PORT);
    let hosts = hosts.into_iter().enumerate();
    Ok(hosts
        .filter(|(_, host)| !host.is_empty())
        .map(|(place, host)| PostgresHost {
            host,
            address: addresses.get(place).copied(),
            port: ports.get(place).copied().unwrap_or(only),
        })
        .collect())
}

fn of_place(place: &str) -> Result<(Vec<String>, Vec<u16>), String> {
    if place.is_empty() {
        return Ok((Vec::new(), Vec::new()));
    }
    let each = place.split(',').map(|text| {
        let (host, after) = match text.strip_prefix('[') {
            Some(literal) => literal.split_once(']').ok_or(
                "an IPv6 address stands in brackets, e.g. postgres://u@[::1]:5432/n".to_owned(),
            )?,
            None => text.split_at(text.find(':').unwrap_or(text.len())),
        };
        let port = match after.strip_prefix(':') {
            Some(text) => port(text)?,
            None if after.is_empty() => DEFAULT_PORT,
            None => return Err("a host is followed by : and its port, or by a comma".to_owned()),
        };
        Ok::<_, String>((decoded(host)?, port))
    });
    Ok(each.collect::<Result<Vec<_>, _>>()?.into_iter().unzip())
}

fn port(text: &str) -> Result<u16, String> {
    if text.is_empty() {
        return Ok(DEFAULT_PORT);
    }
    let port = text.parse::<u16>().ok().filter(|port| *port > 0);
    // What was taken for a port may be the rest of a password.
    port.ok_or_else(|| format!("a port must be a number from 1 to 65535, and {ENCODE}"))
}

fn address(text: &str) -> Result<IpAddr, String> {
    text.parse()
        .map_err(|_| "hostaddr: expected an IP address".to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shown(place: &str, options: &HostOptions) -> Result<Vec<String>, String> {
        let hosts = hosts(place, options)?;
        Ok(hosts
            .iter()
            .map(|host| match host.address {
                Some(address) => format!("{}={address}:{}", host.host, host.port),
                None => format!("{}:{}", host.host, host.port),
            })
            .collect())
    }

    fn options(hosts: &str, addresses: &str, ports: &str) -> HostOptions {
        let said = |text: &str| (!text.is_empty()).then(|| text.to_owned());
        HostOptions {
            hosts: said(hosts),
            addresses: said(addresses),
            ports: said(ports),
        }
    }

    #[test]
    fn each_host_has_its_port() {
        let none = HostOptions::default();
        assert_eq!(
            shown("a:1,b,[::1]:3", &none).unwrap(),
            ["a:1", "b:5432", "::1:3"]
        );
        assert_eq!(shown("%2Frun%2Fpg", &none).unwrap(), ["/run/pg:5432"]);
        assert_eq!(shown("", &none).unwrap(), [""; 0]);
    }

    #[test]
    fn options_name_other_hosts_and_ports() {
        let said = options("a,b", "", "1,2");
        assert_eq!(shown("c:9", &said).unwrap(), ["a:1", "b:2"]);
        let said = options("a,b", "10.0.0.1,10.0.0.2", "7");
        assert_eq!(shown("", &said).unwrap(), ["a=10.0.0.1:7", "b=10.0.0.2:7"]);
        let said = options("", "10.0.0.1", "");
        assert_eq!(shown("", &said).unwrap(), ["10.0.0.1=10.0.0.1:5432"]);
        assert_eq!(
            shown("a,b", &options("", "", "6432")).unwrap(),
            ["a:6432", "b:6432"]
        );
    }

    #[test]
    fn what_does_not_fit_is_told() {
        for (place, said) in [
            ("a:hunter2", HostOptions::default()),
            ("a:0", HostOptions::default()),
            ("[::1", HostOptions::default()),
            ("[::1]x", HostOptions::default()),
            ("a,b", options("", "10.0.0.1", "")),
            ("a", options("", "", "1,2")),
            ("a", options("", "here", "")),
        ] {
            let sentence = hosts(place, &said).unwrap_err();
            assert!(!sentence.contains("hunter2"), "{sentence}");
        }
    }
}
