//! A UDP socket that answers from the address it was asked at.
//!
//! On a machine with several addresses a socket bound to all of them would answer from whichever the route back prefers,
//! and clients drop an answer from an address that they did not ask. So each datagram's destination is taken along
//! (`IP_PKTINFO`, `IPV6_PKTINFO`) and given as the answer's source.

use std::io::{self, IoSlice, IoSliceMut};
use std::net::{IpAddr, SocketAddr, SocketAddrV6};
use std::os::fd::AsRawFd;

use nix::libc::{in_addr, in_pktinfo, in6_pktinfo};
use nix::sys::socket::{
    ControlMessage, ControlMessageOwned, MsgFlags, SockaddrStorage, recvmsg, sendmsg, setsockopt,
    sockopt,
};
use tokio::io::Interest;
use tokio::net::UdpSocket;

/// Which of the machine's addresses a datagram was sent to.
#[derive(Debug, Clone, Copy)]
enum Destination {
    V4(in_pktinfo),
    V6(in6_pktinfo),
}

/// Where a datagram came from, and to which address of the machine.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Origin {
    pub(crate) peer: SocketAddr,
    destination: Option<Destination>,
}

impl Origin {
    /// The address of this machine that the datagram was sent to.
    pub(crate) fn server(&self) -> Option<IpAddr> {
        self.destination.map(|destination| match destination {
            Destination::V4(information) => {
                let octets = information.ipi_spec_dst.s_addr.to_ne_bytes();
                IpAddr::from(octets)
            }
            Destination::V6(information) => {
                IpAddr::from(information.ipi6_addr.s6_addr).to_canonical()
            }
        })
    }
}

/// The socket.
#[derive(Debug)]
pub(crate) struct DatagramSocket(UdpSocket);

impl DatagramSocket {
    /// Takes a bound socket.
    ///
    /// # Errors
    ///
    /// When the system does not tell where datagrams were sent to.
    pub(crate) fn new(socket: UdpSocket) -> io::Result<Self> {
        if socket.local_addr()?.is_ipv4() {
            setsockopt(&socket, sockopt::Ipv4PacketInfo, &true)?;
        } else {
            setsockopt(&socket, sockopt::Ipv6RecvPacketInfo, &true)?;
        }
        Ok(Self(socket))
    }

    /// Waits for a datagram; what is longer than `buffer` is cut.
    pub(crate) async fn receive(&self, buffer: &mut [u8]) -> io::Result<(usize, Origin)> {
        let receive = || receive(&self.0, buffer);
        self.0.async_io(Interest::READABLE, receive).await
    }

    /// Sends a datagram back to where one came from.
    pub(crate) async fn answer(&self, datagram: &[u8], origin: Origin) -> io::Result<usize> {
        let send = || send(&self.0, datagram, origin);
        self.0.async_io(Interest::WRITABLE, send).await
    }
}

fn receive(socket: &UdpSocket, buffer: &mut [u8]) -> io::Result<(usize, Origin)> {
    let mut control = nix::cmsg_space!(in_pktinfo, in6_pktinfo);
    let mut slices = [IoSliceMut::new(buffer)];
    let flags = MsgFlags::empty();
    let received =
        recvmsg::<SockaddrStorage>(socket.as_raw_fd(), &mut slices, Some(&mut control), flags)?;
    let peer = received.address.as_ref().and_then(socket_address);
    let peer = peer.ok_or_else(|| io::Error::other("a datagram without a sender"))?;
    let destination = received.cmsgs()?.find_map(|message| match message {
        ControlMessageOwned::Ipv4PacketInfo(information) => Some(Destination::V4(information)),
        ControlMessageOwned::Ipv6PacketInfo(information) => Some(Destination::V6(information)),
        _ => None,
    });
    Ok((received.bytes, Origin { peer, destination }))
}

fn send(socket: &UdpSocket, datagram: &[u8], origin: Origin) -> io::Result<usize> {
    let slices = [IoSlice::new(datagram)];
    let peer = SockaddrStorage::from(origin.peer);
    let (mut v4, mut v6);
    let control = match origin.destination {
        Some(Destination::V4(information)) => {
            v4 = information;
            // `ipi_spec_dst` is the machine's own address, even of a broadcast. Which interface is the routes' to say.
            v4.ipi_ifindex = 0;
            v4.ipi_addr = in_addr { s_addr: 0 };
            Some(ControlMessage::Ipv4PacketInfo(&v4))
        }
        Some(Destination::V6(information)) => {
            v6 = information;
            v6.ipi6_ifindex = 0;
            Some(ControlMessage::Ipv6PacketInfo(&v6))
        }
        None => None,
    };
    let flags = MsgFlags::empty();
    let sent = sendmsg(
        socket.as_raw_fd(),
        &slices,
        control.as_slice(),
        flags,
        Some(&peer),
    )?;
    Ok(sent)
}

fn socket_address(address: &SockaddrStorage) -> Option<SocketAddr> {
    let v4 = address.as_sockaddr_in().map(|v4| SocketAddr::from(*v4));
    v4.or_else(|| {
        let v6 = address.as_sockaddr_in6()?;
        Some(SocketAddrV6::from(*v6).into())
    })
}
