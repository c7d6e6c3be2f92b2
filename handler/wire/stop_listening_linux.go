package wire

import (
	"context"
	"net"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"spangate/handler/clock"
)

// acceptRest is how long connections are still taken that were on their way
// when new ones ceased to be: longer than a handshake takes.
const acceptRest = 300 * time.Millisecond

// stopListening closes ln without losing whoever has just connected. Closing
// alone resets the connections that wait to be accepted; so the kernel is told
// first to leave new ones unanswered, and whoever accepts on ln takes the rest.
// A client that comes in between asks again a second later, and is refused.
// Where unused says that there are no clients, it only waits if somebody is about to
// become one.
func stopListening(ctx context.Context, ln net.Listener, unused bool) {
	if socket, ok := ln.(syscall.Conn); ok {
		if raw, err := socket.SyscallConn(); err == nil {
			raw.Control(ignoreConnections)
			if !unused || isWaitedAt(raw) {
				clock.Sleep(ctx, acceptRest)
			}
		}
	}
	ln.Close()
}

// isWaitedAt reports whether somebody waits to be accepted.
func isWaitedAt(listening syscall.RawConn) (waited bool) {
	listening.Control(func(fd uintptr) {
		n, err := unix.Poll([]unix.PollFd{{Fd: int32(fd), Events: unix.POLLIN}}, 0)
		waited = n > 0 || err != nil
	})
	return waited
}

// withoutSYN is a filter of TCP segments that drops those with which a
// connection begins (RFC 9293, section 3.1: SYN is bit 1 of byte 13), and
// nothing else: the last step of a handshake must still come through.
var withoutSYN = [...]unix.SockFilter{
	{Code: unix.BPF_LD | unix.BPF_B | unix.BPF_ABS, K: 13},
	{Code: unix.BPF_JMP | unix.BPF_JSET | unix.BPF_K, K: 0x02, Jf: 1},
	{Code: unix.BPF_RET | unix.BPF_K, K: 0},
	{Code: unix.BPF_RET | unix.BPF_K, K: 0xffff},
}

// ignoreConnections makes a listening socket ignore who asks for a connection.
// Where sockets take no filter, its queue is made as short as it can be, which
// leaves one place in it.
func ignoreConnections(fd uintptr) {
	err := unix.SetsockoptSockFprog(int(fd), unix.SOL_SOCKET, unix.SO_ATTACH_FILTER,
		&unix.SockFprog{Len: uint16(len(withoutSYN)), Filter: &withoutSYN[0]})
	if err != nil {
		unix.Listen(int(fd), 0)
	}
}
