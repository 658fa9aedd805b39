//! A TCP proxy that fails on command.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use socket2::SockRef;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;

use super::server_process::free_port;

/// The treatment of connections, those that are open and new ones.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    Pass,
    /// Every piece of data waits for this time.
    Delay(Duration),
    /// Connections are accepted, and nothing comes through; data waits for the next mode.
    Blackhole,
    /// Connections are refused; open ones stay open.
    Refuse,
    /// Open connections are reset, and so are new ones.
    Reset,
    /// Connections end after this many bytes from the server.
    CutAfter(usize),
    /// A request that contains these bytes reaches the server; its reply does not come back, and
    /// the connection ends.
    LoseReplyTo(&'static [u8]),
    /// A request that contains these bytes reaches the server; its reply waits for the next mode.
    HoldReplyTo(&'static [u8]),
    /// A request that contains these bytes does not reach the server; the connection ends.
    CutBefore(&'static [u8]),
    /// In turn: passed, lost before the server, lost after it.
    LoseEveryThird(&'static [u8]),
    /// A request that contains these bytes, and all that follows it, waits for the next mode.
    Hold(&'static [u8]),
}

pub struct FaultProxy {
    pub address: SocketAddr,
    mode: watch::Sender<Mode>,
    /// How often the bytes of the mode were seen.
    seen: Arc<AtomicUsize>,
    /// Grows whenever held data is thrown away.
    epoch: Arc<AtomicUsize>,
    server: tokio::task::JoinHandle<()>,
}

impl FaultProxy {
    /// A proxy to a port of loopback.
    pub async fn start(port: u16) -> Self {
        // A port that was free a moment ago may be taken by now.
        let listener = loop {
            if let Ok(listener) = TcpListener::bind(("127.0.0.1", free_port())).await {
                break listener;
            }
        };
        let address = listener.local_addr().expect("it is bound");
        let (mode, modes) = watch::channel(Mode::Pass);
        let seen = Arc::<AtomicUsize>::default();
        let upstream = SocketAddr::from(([127, 0, 0, 1], port));
        let epoch = Arc::<AtomicUsize>::default();
        let counters = (Arc::clone(&seen), Arc::clone(&epoch));
        let server = tokio::spawn(serve(listener, address, upstream, modes, counters));
        Self {
            address,
            mode,
            seen,
            epoch,
            server,
        }
    }

    pub fn port(&self) -> u16 {
        self.address.port()
    }

    pub fn set(&self, mode: Mode) {
        self.mode.send_replace(mode);
    }

    /// Throws away the held data, as if it had died with its client, and passes new data. After
    /// [`Self::set`] the held data would still arrive.
    pub fn throw_away(&self) {
        self.epoch.fetch_add(1, Ordering::SeqCst);
        self.set(Mode::Pass);
    }

    /// How many requests met the bytes that a mode named, since the start.
    pub fn seen(&self) -> usize {
        self.seen.load(Ordering::SeqCst)
    }
}

impl Drop for FaultProxy {
    fn drop(&mut self) {
        self.server.abort();
    }
}

async fn serve(
    first: TcpListener,
    address: SocketAddr,
    upstream: SocketAddr,
    mut modes: watch::Receiver<Mode>,
    counters: (Arc<AtomicUsize>, Arc<AtomicUsize>),
) {
    let mut listener = Some(first);
    loop {
        if *modes.borrow_and_update() == Mode::Refuse {
            listener = None;
            if modes.changed().await.is_err() {
                return;
            }
            continue;
        }
        let open = match listener.take() {
            Some(open) => open,
            None => TcpListener::bind(address).await.expect("our own port"),
        };
        tokio::select! {
            accepted = open.accept() => {
                if let Ok((client, _)) = accepted {
                    tokio::spawn(relay(client, upstream, modes.clone(), counters.clone()));
                }
            }
            changed = modes.changed() => if changed.is_err() { return },
        }
        listener = Some(open);
    }
}

/// Ends a connection; dropping both halves of a stream that lingers for no time resets it.
struct Cut;

async fn relay(
    client: TcpStream,
    upstream: SocketAddr,
    modes: watch::Receiver<Mode>,
    (seen, epoch): (Arc<AtomicUsize>, Arc<AtomicUsize>),
) {
    let reset_at_end = |stream: &TcpStream| {
        let _ = stream.set_nodelay(true);
        let _ = SockRef::from(stream).set_linger(Some(Duration::ZERO));
    };
    reset_at_end(&client);
    if *modes.borrow() == Mode::Reset {
        return;
    }
    let Ok(server) = TcpStream::connect(upstream).await else {
        return;
    };
    reset_at_end(&server);
    let (client_read, client_write) = client.into_split();
    let (server_read, server_write) = server.into_split();
    let mut resets = modes.clone();
    let losing = Arc::<AtomicBool>::default();
    let holding = Arc::<AtomicBool>::default();
    // Whichever comes first ends both directions.
    tokio::select! {
        _ = requests(client_read, server_write, modes.clone(), (seen, epoch), (Arc::clone(&losing), Arc::clone(&holding))) => {}
        _ = replies(server_read, client_write, modes, (losing, holding)) => {}
        _ = resets.wait_for(|mode| *mode == Mode::Reset) => {}
    }
}

async fn requests(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut modes: watch::Receiver<Mode>,
    (seen, epoch): (Arc<AtomicUsize>, Arc<AtomicUsize>),
    (losing, holding): (Arc<AtomicBool>, Arc<AtomicBool>),
) -> Result<(), Cut> {
    let born = epoch.load(Ordering::SeqCst);
    let mut chunk = vec![0_u8; 64 * 1024];
    loop {
        let length = from.read(&mut chunk).await.map_err(|_| Cut)?;
        if length == 0 {
            return Err(Cut);
        }
        let bytes = &chunk[..length];
        loop {
            let mode = modes.borrow_and_update().clone();
            if epoch.load(Ordering::SeqCst) != born {
                return Err(Cut);
            }
            let met = |needle: &[u8]| {
                let met = bytes.windows(needle.len()).any(|window| window == needle);
                met.then(|| seen.fetch_add(1, Ordering::SeqCst))
            };
            match mode {
                Mode::Delay(time) => tokio::time::sleep(time).await,
                Mode::Blackhole => {
                    modes.changed().await.map_err(|_| Cut)?;
                    continue;
                }
                Mode::Hold(needle) if met(needle).is_some() => {
                    modes.changed().await.map_err(|_| Cut)?;
                    continue;
                }
                Mode::HoldReplyTo(needle) if met(needle).is_some() => {
                    holding.store(true, Ordering::SeqCst);
                }
                Mode::CutBefore(needle) if met(needle).is_some() => return Err(Cut),
                Mode::LoseReplyTo(needle) if met(needle).is_some() => {
                    return lose_reply(&mut to, bytes, &losing).await;
                }
                Mode::LoseEveryThird(needle) => match met(needle).map(|count| count % 3) {
                    Some(1) => return Err(Cut),
                    Some(2) => return lose_reply(&mut to, bytes, &losing).await,
                    _ => {}
                },
                _ => {}
            }
            break;
        }
        to.write_all(bytes).await.map_err(|_| Cut)?;
    }
}

/// Hands the request over and leaves the server time to act on it before the connection ends.
async fn lose_reply(
    to: &mut OwnedWriteHalf,
    request: &[u8],
    losing: &AtomicBool,
) -> Result<(), Cut> {
    losing.store(true, Ordering::SeqCst);
    to.write_all(request).await.map_err(|_| Cut)?;
    tokio::time::sleep(TIME_TO_ACT).await;
    Err(Cut)
}

/// How long a server gets to act on a request whose reply is lost.
const TIME_TO_ACT: Duration = Duration::from_millis(100);

async fn replies(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut modes: watch::Receiver<Mode>,
    (losing, holding): (Arc<AtomicBool>, Arc<AtomicBool>),
) -> Result<(), Cut> {
    let mut chunk = vec![0_u8; 64 * 1024];
    let mut passed = 0;
    loop {
        let mut length = from.read(&mut chunk).await.map_err(|_| Cut)?;
        if length == 0 {
            return Err(Cut);
        }
        loop {
            let mode = modes.borrow_and_update().clone();
            match mode {
                Mode::Delay(time) => tokio::time::sleep(time).await,
                Mode::Blackhole => {
                    modes.changed().await.map_err(|_| Cut)?;
                    continue;
                }
                Mode::HoldReplyTo(_) if holding.load(Ordering::SeqCst) => {
                    modes.changed().await.map_err(|_| Cut)?;
                    holding.store(false, Ordering::SeqCst);
                    continue;
                }
                Mode::CutAfter(limit) => length = length.min(limit.saturating_sub(passed)),
                _ => {}
            }
            break;
        }
        if losing.load(Ordering::SeqCst) {
            continue;
        }
        to.write_all(&chunk[..length]).await.map_err(|_| Cut)?;
        passed += length;
        if matches!(*modes.borrow(), Mode::CutAfter(limit) if passed >= limit) {
            return Err(Cut);
        }
    }
}
