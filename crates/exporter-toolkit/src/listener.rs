//! Where the server listens: addresses as Prometheus exporters write them,
//! bound sockets, and sockets that systemd hands over.

mod address;

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};

use self::address::Host;
pub use self::address::{ListenAddress, ListenAddressError};

/// Connections that the system may hold for us while we are busy accepting others.
const BACKLOG: i32 = 4096;

/// Where a server listens: what `--web.listen-address` and
/// `--web.systemd-socket` say together.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Listen {
    /// On the sockets that systemd hands over.
    Systemd,
    /// On these addresses, one socket each.
    Addresses(Vec<ListenAddress>),
}

impl Listen {
    /// Binds all of it, or nothing. Must run inside a tokio runtime.
    pub async fn bind(&self) -> Result<Vec<Listener>, ListenError> {
        let addresses = match self {
            Self::Systemd => return systemd_listeners(),
            Self::Addresses(addresses) => addresses,
        };
        let mut listeners = Vec::with_capacity(addresses.len());
        for address in addresses {
            listeners.push(Listener::bind(address).await?);
        }
        Ok(listeners)
    }
}

impl fmt::Display for Listen {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self::Addresses(addresses) = self else {
            return f.write_str("sockets from systemd");
        };
        for (index, address) in addresses.iter().enumerate() {
            let comma = if index == 0 { "" } else { "," };
            write!(f, "{comma}{address}")?;
        }
        Ok(())
    }
}

/// Listening failed; says where and what to do.
#[derive(Debug, thiserror::Error)]
pub enum ListenError {
    /// A `--web.listen-address` could not be bound.
    #[error("cannot listen on {address}: {}", reason(.source))]
    Bind {
        /// The address as configured.
        address: ListenAddress,
        /// What the system said.
        source: io::Error,
    },
    /// `--web.systemd-socket` without sockets.
    #[error(
        "--web.systemd-socket: systemd passed no socket to this process (LISTEN_PID, LISTEN_FDS); \
         start it through its .socket unit"
    )]
    NoSystemdSocket,
    /// A socket from systemd that is no listening TCP socket.
    #[error(
        "--web.systemd-socket: socket number {index} from systemd is not a listening TCP socket: \
         {source}"
    )]
    SystemdSocket {
        /// Its place in the list, from 0.
        index: usize,
        /// What the system said.
        source: io::Error,
    },
}

fn reason(error: &io::Error) -> String {
    let hint = match error.kind() {
        io::ErrorKind::AddrInUse => "; taken by another process, set another --web.listen-address",
        io::ErrorKind::PermissionDenied => {
            "; ports below 1024 need CAP_NET_BIND_SERVICE, choose a higher one"
        }
        io::ErrorKind::AddrNotAvailable => "; this machine has no such address",
        _ => "",
    };
    format!("{error}{hint}")
}

/// A bound, listening TCP socket.
#[derive(Debug)]
pub struct Listener {
    inner: TcpListener,
    address: SocketAddr,
}

impl Listener {
    /// Binds `address`. Must run inside a tokio runtime.
    ///
    /// `:PORT` listens on IPv6 and IPv4 with one socket, and on IPv4 alone on
    /// a machine without IPv6.
    pub async fn bind(address: &ListenAddress) -> Result<Self, ListenError> {
        Self::try_bind(address)
            .await
            .map_err(|source| ListenError::Bind {
                address: address.clone(),
                source,
            })
    }

    async fn try_bind(address: &ListenAddress) -> io::Result<Self> {
        match &address.host {
            Host::Every => {
                let dual = SocketAddr::new(IpAddr::V6(Ipv6Addr::UNSPECIFIED), address.port);
                match Self::open(dual) {
                    // A taken port is the user's to solve; anything else may
                    // be a machine without IPv6.
                    Err(error) if error.kind() != io::ErrorKind::AddrInUse => Self::open(
                        SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), address.port),
                    ),
                    other => other,
                }
            }
            Host::Address(address) => Self::open(*address),
            Host::Name(name) => {
                let mut found: Vec<SocketAddr> =
                    tokio::net::lookup_host((name.as_str(), address.port))
                        .await?
                        .collect();
                // As Go's net.Listen: a name with both families means IPv4.
                found.sort_by_key(SocketAddr::is_ipv6);
                let first = found.first().ok_or_else(|| {
                    io::Error::new(io::ErrorKind::NotFound, "the name has no address")
                })?;
                Self::open(*first)
            }
        }
    }

    fn open(address: SocketAddr) -> io::Result<Self> {
        let socket = Socket::new(
            Domain::for_address(address),
            Type::STREAM,
            Some(Protocol::TCP),
        )?;
        // Without it a restart fails while old connections linger in TIME_WAIT.
        #[cfg(unix)]
        socket.set_reuse_address(true)?;
        if address.is_ipv6() {
            // `[::]` means every interface of both families, whatever the
            // system's default for IPV6_V6ONLY.
            socket.set_only_v6(!address.ip().is_unspecified())?;
        }
        socket.set_nonblocking(true)?;
        socket.bind(&address.into())?;
        socket.listen(BACKLOG)?;
        Self::adopt(socket.into())
    }

    fn adopt(listener: std::net::TcpListener) -> io::Result<Self> {
        listener.set_nonblocking(true)?;
        let inner = TcpListener::from_std(listener)?;
        let address = inner.local_addr()?;
        Ok(Self { inner, address })
    }

    /// The address that was really bound, with its real port.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    pub(crate) async fn accept(&self) -> io::Result<(TcpStream, SocketAddr)> {
        self.inner.accept().await
    }
}

/// The sockets of systemd's socket activation (`LISTEN_PID`, `LISTEN_FDS`), for
/// `--web.systemd-socket`. At least one. Must run inside a tokio runtime.
pub fn systemd_listeners() -> Result<Vec<Listener>, ListenError> {
    let mut passed = listenfd::ListenFd::from_env();
    let mut listeners = Vec::with_capacity(passed.len());
    for index in 0..passed.len() {
        let listener = passed
            .take_tcp_listener(index)
            .and_then(|listener| listener.ok_or_else(|| io::ErrorKind::NotFound.into()))
            .and_then(Listener::adopt)
            .map_err(|source| ListenError::SystemdSocket { index, source })?;
        listeners.push(listener);
    }
    if listeners.is_empty() {
        return Err(ListenError::NoSystemdSocket);
    }
    Ok(listeners)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_taken_port_is_named() {
        let free: ListenAddress = "127.0.0.1:0".parse().expect("valid");
        let first = Listener::bind(&free).await.expect("a free port");
        let taken: ListenAddress = first.address().to_string().parse().expect("valid");
        let error = Listener::bind(&taken).await.expect_err("taken");
        assert_eq!(
            error.to_string(),
            format!(
                "cannot listen on {taken}: Address already in use (os error 98); \
                 taken by another process, set another --web.listen-address"
            )
        );
    }
}
