//! The address of a server: taken when its process starts, answered when it is ready.

use std::io;
use std::net::{SocketAddr, TcpListener};
#[cfg(target_os = "linux")]
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};

/// A client that acknowledges nothing, or reads nothing, for this long is cut off.
#[cfg(target_os = "linux")]
const UNACKNOWLEDGED_DEADLINE: Duration = Duration::from_secs(30);

/// Connections that wait to be accepted.
const BACKLOG: i32 = 1024;

/// An address that is bound but does not listen. A busy port is noticed before anything is changed.
/// Until the process is ready its clients are refused; a listening socket would let them wait
/// without an answer.
pub struct ReservedAddress {
    address: SocketAddr,
    socket: Socket,
}

impl ReservedAddress {
    /// Binds `address`.
    ///
    /// # Errors
    /// If another process listens there, or it is not an address of this machine.
    pub fn new(address: SocketAddr) -> io::Result<Self> {
        let socket = Socket::new(
            Domain::for_address(address),
            Type::STREAM,
            Some(Protocol::TCP),
        )?;
        // As `TcpListener::bind` does: old connections of an earlier process hold no port.
        #[cfg(unix)]
        socket.set_reuse_address(true)?;
        socket.bind(&address.into())?;
        Ok(Self { address, socket })
    }

    /// The address as it was asked for; port 0 means any.
    #[must_use]
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// From here on, connections wait to be accepted.
    ///
    /// # Errors
    /// If another process has begun to listen there since.
    pub fn listen(self) -> io::Result<TcpListener> {
        // Accepted sockets inherit it.
        #[cfg(target_os = "linux")]
        self.socket
            .set_tcp_user_timeout(Some(UNACKNOWLEDGED_DEADLINE))?;
        self.socket.listen(BACKLOG)?;
        Ok(self.socket.into())
    }
}

#[cfg(test)]
mod tests {
    use std::net::TcpStream;

    use super::*;

    fn reserved() -> (ReservedAddress, SocketAddr) {
        let reserved = ReservedAddress::new(([127, 0, 0, 1], 0).into()).unwrap();
        let address = reserved.socket.local_addr().unwrap().as_socket().unwrap();
        (reserved, address)
    }

    #[test]
    fn who_comes_early_is_refused() {
        let (reserved, address) = reserved();
        let early = TcpStream::connect(address).unwrap_err();
        assert_eq!(early.kind(), io::ErrorKind::ConnectionRefused);
        let listener = reserved.listen().unwrap();
        TcpStream::connect(address).unwrap();
        listener.accept().unwrap();
    }

    #[test]
    fn an_address_has_one_listener() {
        let (first, address) = reserved();
        let second = ReservedAddress::new(address).unwrap();
        let listener = first.listen().unwrap();
        let busy = second.listen().unwrap_err();
        assert_eq!(busy.kind(), io::ErrorKind::AddrInUse);
        let third = ReservedAddress::new(address).map(|_| ()).unwrap_err();
        assert_eq!(third.kind(), io::ErrorKind::AddrInUse);
        drop(listener);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn accepted_connections_end_when_nothing_is_acknowledged() {
        let (reserved, address) = reserved();
        let listener = reserved.listen().unwrap();
        let client = TcpStream::connect(address).unwrap();
        let (accepted, _) = listener.accept().unwrap();
        let deadline = socket2::SockRef::from(&accepted)
            .tcp_user_timeout()
            .unwrap();
        assert_eq!(deadline, Some(UNACKNOWLEDGED_DEADLINE));
        drop(client);
    }
}
