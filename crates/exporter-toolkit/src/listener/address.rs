//! Addresses to listen on, as Prometheus exporters write them.

use std::fmt;
use std::net::{Ipv6Addr, SocketAddr};
use std::str::FromStr;

/// An address of `--web.listen-address`: `:9100`, `127.0.0.1:9100`,
/// `[::1]:9100` or `localhost:9100`. Port 0 takes a free one.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct ListenAddress {
    pub(super) host: Host,
    pub(super) port: u16,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) enum Host {
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
}
