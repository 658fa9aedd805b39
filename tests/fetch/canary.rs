//! Listeners that must not be reached.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, TcpListener};

use crate::origin::{Origin, Visitor};

/// The only address that [`Trap`]'s fetchers may fetch from.
pub const ALLOWED: IpAddr = IpAddr::V4(Ipv4Addr::new(127, 0, 0, 3));
pub const FORBIDDEN: [IpAddr; 3] = [
    IpAddr::V4(Ipv4Addr::new(127, 0, 0, 1)),
    IpAddr::V4(Ipv4Addr::new(127, 0, 0, 2)),
    IpAddr::V6(Ipv6Addr::LOCALHOST),
];

/// An origin on [`ALLOWED`] and canaries on the same port of [`FORBIDDEN`].
pub struct Trap {
    pub origin: Origin,
    canaries: Vec<TcpListener>,
}

impl Trap {
    pub async fn around<S, F>(script: S) -> Self
    where
        S: Fn(Visitor) -> F + Clone + Send + 'static,
        F: Future<Output = ()> + Send + 'static,
    {
        let addresses = forbidden_here();
        loop {
            let origin = Origin::on(ALLOWED, script.clone()).await;
            let port = origin.port();
            let canaries: Result<Vec<_>, _> = addresses
                .iter()
                .map(|address| TcpListener::bind((*address, port)))
                .collect();
            // Another process may hold the port on one of the addresses.
            if let Ok(canaries) = canaries {
                for canary in &canaries {
                    canary.set_nonblocking(true).unwrap();
                }
                return Self { origin, canaries };
            }
        }
    }

    pub async fn answering(answer: impl Into<Vec<u8>>) -> Self {
        let answer = answer.into();
        Self::around(move |mut visitor| {
            let answer = answer.clone();
            async move {
                while visitor.request().await.is_some() {
                    visitor.send(&answer).await;
                }
            }
        })
        .await
    }

    pub fn port(&self) -> u16 {
        self.origin.port()
    }

    /// Connections that reached a canary. On loopback a connection stands in the queue of its
    /// listener before the client learns of it, so none can still be travelling.
    pub fn caught(&self) -> Vec<SocketAddr> {
        self.canaries
            .iter()
            .flat_map(|canary| std::iter::from_fn(|| canary.accept().ok()))
            .map(|(stream, _)| stream.local_addr().unwrap())
            .collect()
    }
}

fn forbidden_here() -> Vec<IpAddr> {
    let is_here = |address: &IpAddr| {
        let bound = TcpListener::bind((*address, 0));
        if let (IpAddr::V6(_), Err(error)) = (address, &bound) {
            eprintln!("no canary on {address}: this machine has no IPv6 loopback ({error})");
            return false;
        }
        true
    };
    FORBIDDEN.into_iter().filter(is_here).collect()
}

#[tokio::test]
async fn a_canary_notices_a_visit() {
    let trap = Trap::answering("").await;
    for address in forbidden_here() {
        let visitor = tokio::net::TcpStream::connect((address, trap.port()))
            .await
            .unwrap();
        assert_eq!(trap.caught(), [visitor.peer_addr().unwrap()]);
    }
}
