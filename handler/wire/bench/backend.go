package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"

	"golang.org/x/sys/unix"
)

// serveBackends is the process of all backends: as many as the argument says, on
// ports of their own, whose addresses it writes as a line. They answer requests for
// /SIZE/… with so many bytes, and echo messages of WebSocket.
func serveBackends(args []string, _ io.Reader, stdout io.Writer) error {
	number, err := strconv.Atoi(args[0])
	if err != nil {
		return err
	}
	var listening []int
	var addresses []string
	for range number {
		fd, address, err := listen()
		if err != nil {
			return err
		}
		listening, addresses = append(listening, fd), append(addresses, address)
	}
	failed := make(chan error)
	for range polls() {
		p, err := newPoll()
		if err != nil {
			return err
		}
		b := &backend{poll: p, listening: listening, buffer: make([]byte, 64<<10), answers: map[int][]byte{}}
		go func() { failed <- b.serve() }()
	}
	if err := json.NewEncoder(stdout).Encode(addresses); err != nil {
		return err
	}
	return <-failed
}

// listen returns a socket that listens on a free port.
func listen() (fd int, address string, err error) {
	fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC|unix.SOCK_NONBLOCK, 0)
	if err != nil {
		return -1, "", err
	}
	if err := errors.Join(unix.Bind(fd, &unix.SockaddrInet4{Addr: [4]byte{127, 0, 0, 1}}), unix.Listen(fd, 4096)); err != nil {
		return -1, "", err
	}
	bound, err := unix.Getsockname(fd)
	if err != nil {
		return -1, "", err
	}
	return fd, net.JoinHostPort("127.0.0.1", strconv.Itoa(bound.(*unix.SockaddrInet4).Port)), nil
}

// backend is one thread of them.
type backend struct {
	*poll
	listening []int
	served    []*served // by descriptor
	buffer    []byte
	answers   map[int][]byte // by size
}

// served is a connection.
type served struct {
	fd       int
	in       []byte // of a request that has not come whole
	out      []byte // what did not fit into the socket's buffer
	upgraded bool
}

func (b *backend) serve() error {
	for _, fd := range b.listening {
		if err := b.add(fd, unix.EPOLLIN|unix.EPOLLEXCLUSIVE); err != nil {
			return err
		}
	}
	for {
		events, err := b.wait(-1)
		if err != nil {
			return err
		}
		for _, event := range events {
			fd := int(event.Fd)
			if fd >= len(b.served) || b.served[fd] == nil { // it listens
				if err := b.accept(fd); err != nil {
					return err
				}
			} else if b.proceed(b.served[fd]) != nil {
				unix.Close(fd)
				b.served[fd] = nil
			}
		}
	}
}

func (b *backend) accept(listening int) error {
	fd, _, err := unix.Accept4(listening, unix.SOCK_NONBLOCK|unix.SOCK_CLOEXEC)
	if err != nil {
		return nil // it has gone, or another thread was faster
	}
	for len(b.served) <= fd {
		b.served = append(b.served, nil)
	}
	b.served[fd] = &served{fd: fd}
	return errors.Join(unix.SetsockoptInt(fd, unix.IPPROTO_TCP, unix.TCP_NODELAY, 1), b.add(fd, unix.EPOLLIN))
}

// proceed does what a connection is ready for, and returns why it ends.
func (b *backend) proceed(c *served) error {
	var in []byte
	if len(c.out) > 0 {
		if err := b.send(c, c.out); err != nil || len(c.out) > 0 {
			return err
		}
	} else {
		n, err := unix.Read(c.fd, b.buffer)
		switch {
		case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
			return nil
		case err != nil:
			return err
		case n == 0:
			return io.EOF
		}
		in = b.buffer[:n]
	}
	if len(c.in) > 0 {
		c.in = append(c.in, in...)
		in = c.in
	}
	for len(c.out) == 0 {
		length, err := b.answer(c, in)
		if err != nil {
			return err
		}
		if length == 0 {
			break
		}
		in = in[length:]
	}
	c.in = append(c.in[:0], in...)
	return nil
}

// answer answers what in begins with, and returns its length: 0 if it is not whole.
func (b *backend) answer(c *served, in []byte) (int, error) {
	if c.upgraded {
		return b.echo(c, in)
	}
	end := bytes.Index(in, blankLine)
	if end < 0 {
		return 0, nil
	}
	head := in[:end+len(blankLine)]
	if bytes.HasPrefix(head, []byte("GET /echo ")) {
		c.upgraded = true
		return len(head), b.send(c, []byte(acceptance))
	}
	size, err := sizeIn(head)
	if err != nil {
		return 0, fmt.Errorf("asked for %.100q", head)
	}
	answer, ok := b.answers[size]
	if !ok {
		answer = fmt.Appendf(nil, "HTTP/1.1 200 OK\r\nContent-Type: application/octet-stream\r\nContent-Length: %d\r\n\r\n%s", size, body(size))
		b.answers[size] = answer
	}
	return len(head), b.send(c, answer)
}

// acceptance answers job.upgrade, with what RFC 6455 section 1.3 makes of its key.
const acceptance = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
	"Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n"

// echo sends back a short message of WebSocket, which comes masked.
func (b *backend) echo(c *served, in []byte) (int, error) {
	const head = 2 + 4
	if len(in) < head {
		return 0, nil
	}
	size := int(in[1] & 0x7f)
	if in[0] != 0x82 || in[1]&0x80 == 0 || size > 125 {
		return 0, io.EOF // a Close, or nothing that is sent here
	}
	if len(in) < head+size {
		return 0, nil
	}
	out := append(make([]byte, 0, 2+size), 0x82, byte(size))
	for i, masked := range in[head : head+size] {
		out = append(out, masked^in[2+i%4])
	}
	return head + size, b.send(c, out)
}

// send writes p, now or when there is room for it.
func (b *backend) send(c *served, p []byte) error {
	n, err := unix.Write(c.fd, p)
	if err != nil && !errors.Is(err, unix.EAGAIN) {
		return err
	}
	waited := len(c.out) > 0
	c.out = p[max(n, 0):]
	switch waits := len(c.out) > 0; {
	case waits && !waited:
		return b.set(c.fd, unix.EPOLLOUT)
	case waited && !waits:
		return b.set(c.fd, unix.EPOLLIN)
	}
	return nil
}

// serveCollector takes telemetry as OTLP over HTTP, and drops it. It writes its
// address as a line.
func serveCollector(_ []string, _ io.Reader, stdout io.Writer) error {
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err
	}
	if err := json.NewEncoder(stdout).Encode([]string{ln.Addr().String()}); err != nil {
		return err
	}
	return http.Serve(ln, http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		// The empty message of each of its services means that all was taken.
		w.Header().Set("Content-Type", "application/x-protobuf")
	}))
}
