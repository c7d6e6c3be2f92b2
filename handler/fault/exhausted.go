package fault

import (
	"errors"
	"net"
	"strings"
	"syscall"
)

// lack is what a process may run out of, and how to get more of it.
type lack struct {
	errno syscall.Errno
	of    string
	raise string
}

var lacks = []lack{
	{syscall.EMFILE, "file descriptors", "raise the limit of open files: ulimit -n, docker run --ulimit nofile=, LimitNOFILE="},
	{syscall.ENFILE, "file descriptors of this host", "raise the sysctl fs.file-max"},
	{syscall.ENOBUFS, "memory for sockets", "give this process, or the kernel's sockets, more memory"},
	{syscall.ENOMEM, "memory", "give this process, or the kernel's sockets, more memory"},
	{syscall.EADDRNOTAVAIL, "local ports", "widen the sysctl net.ipv4.ip_local_port_range, or spread the load over more addresses"},
}

// Exhausted reports whether err says that this process or its host has run out
// of something that a connection takes: descriptors, memory or local ports. That
// tells nothing about whoever is at the other end, or would have been.
func Exhausted(err error) bool {
	_, ok := lackOf(err)
	return ok
}

func lackOf(err error) (lack, bool) {
	if err == nil {
		return lack{}, false
	}
	dns, isDNS := errors.AsType[*net.DNSError](err)
	for _, l := range lacks {
		switch {
		case l.errno == syscall.EADDRNOTAVAIL:
			if errors.Is(err, l.errno) && hasAddressFor(err) {
				return l, true
			}
		case errors.Is(err, l.errno), isDNS && strings.Contains(dns.Err, l.errno.Error()): // of whose cause package net keeps the text alone
			return l, true
		}
	}
	return lack{}, false
}

// hasAddressFor reports whether this host has an address to connect from to
// where err, of a dial, was bound. Where it has none, as in a container without
// IPv6, the kernel says the same as of a want of ports. A UDP socket that is
// connected sends nothing, and takes no port of TCP's.
func hasAddressFor(err error) bool {
	dial, ok := errors.AsType[*net.OpError](err)
	if !ok {
		return true
	}
	to, ok := dial.Addr.(*net.TCPAddr)
	if !ok {
		return true
	}
	conn, err := net.DialUDP("udp", nil, &net.UDPAddr{IP: to.IP, Port: max(to.Port, 1), Zone: to.Zone})
	if err != nil {
		return !errors.Is(err, syscall.EADDRNOTAVAIL)
	}
	conn.Close()
	return true
}
