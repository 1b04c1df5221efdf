//! Where the server listens: addresses as Prometheus exporters write them,
//! bound sockets, and sockets that systemd hands over.

use std::fmt;
use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};
use std::str::FromStr;

use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, TcpStream};

/// Connections the kernel may hold for us while we are busy accepting others.
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

/// An address of `--web.listen-address`: `:9100`, `127.0.0.1:9100`,
/// `[::1]:9100` or `localhost:9100`. Port 0 takes a free one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ListenAddress {
    host: Host,
    port: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
enum Host {
    /// No host: every interface, IPv6 and IPv4 together where both exist.
    Every,
    Address(SocketAddr),
    Name(String),
}

/// Why a text is no listen address.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ListenAddressError {
    /// Nothing after the last colon, or no colon at all.
    #[error("the port is missing; write HOST:PORT, or :PORT for every interface")]
    NoPort,
    /// The port is no number from 0 to 65535.
    #[error("the port must be a number from 0 to 65535, as in :9100")]
    BadPort,
    /// `::1:80` can be read in two ways.
    #[error("an IPv6 address needs brackets, as in [::1]:9100")]
    BareIpv6,
    /// The host is neither an address nor a name.
    #[error(
        "the host is neither an IP address nor a host name; write HOST:PORT, or :PORT for every \
         interface"
    )]
    BadHost,
    /// A URL is no address.
    #[error("write HOST:PORT, without scheme and path")]
    Scheme,
    /// `vsock://` as newer exporters of the Go toolkit take it.
    #[error("vsock is not supported; write a TCP address, as in :9100")]
    Vsock,
}

impl FromStr for ListenAddress {
    type Err = ListenAddressError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        if text.starts_with("vsock:") {
            return Err(ListenAddressError::Vsock);
        }
        if text.contains("://") {
            return Err(ListenAddressError::Scheme);
        }
        if let Ok(address) = text.parse::<SocketAddr>() {
            return Ok(Self {
                host: Host::Address(address),
                port: address.port(),
            });
        }
        let (host, port) = text.rsplit_once(':').ok_or(ListenAddressError::NoPort)?;
        if port.is_empty() || port.ends_with(']') {
            return Err(ListenAddressError::NoPort);
        }
        if text.parse::<Ipv6Addr>().is_ok() {
            return Err(ListenAddressError::BareIpv6);
        }
        // `u16::from_str` also takes a leading plus sign.
        if !port.bytes().all(|byte| byte.is_ascii_digit()) {
            return Err(ListenAddressError::BadPort);
        }
        let port = port.parse().map_err(|_| ListenAddressError::BadPort)?;
        let host = if host.is_empty() {
            Host::Every
        } else if host.contains(':') && !host.starts_with('[') {
            return Err(ListenAddressError::BareIpv6);
        } else if is_name(host) {
            Host::Name(host.to_owned())
        } else {
            return Err(ListenAddressError::BadHost);
        };
        Ok(Self { host, port })
    }
}

/// As long as the DNS allows and of the signs that are in use there.
fn is_name(host: &str) -> bool {
    let legal = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'.' | b'-' | b'_');
    host.len() <= 253 && host.bytes().all(legal)
}

impl fmt::Display for ListenAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Every => write!(f, ":{}", self.port),
            Host::Address(address) => address.fmt(f),
            Host::Name(name) => write!(f, "{name}:{}", self.port),
        }
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
        io::ErrorKind::AddrInUse => "; another process listens there, choose another address",
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

    #[test]
    fn addresses_as_exporters_write_them() {
        for text in [
            ":10077",
            "127.0.0.1:0",
            "0.0.0.0:80",
            "[::1]:10077",
            "[::]:65535",
            "localhost:10077",
            "exporter-1.example.net:9",
        ] {
            let address: ListenAddress = text.parse().expect(text);
            assert_eq!(address.to_string(), text);
        }
    }

    #[test]
    fn a_bad_address_says_what_is_wrong() {
        use ListenAddressError::{BadHost, BadPort, BareIpv6, NoPort, Scheme, Vsock};
        for (text, error) in [
            ("", NoPort),
            ("10077", NoPort),
            ("localhost:", NoPort),
            (":http", BadPort),
            (":65536", BadPort),
            (":+80", BadPort),
            (":-1", BadPort),
            ("::1", BareIpv6),
            ("::1:80", BareIpv6),
            ("fe80::1:80", BareIpv6),
            ("[::1]", NoPort),
            ("a b:80", BadHost),
            ("http://localhost:80", Scheme),
            ("vsock://:10077", Vsock),
        ] {
            assert_eq!(text.parse::<ListenAddress>(), Err(error), "{text}");
        }
    }

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
                 another process listens there, choose another address"
            )
        );
    }
}
