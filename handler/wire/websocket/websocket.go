// Package websocket answers: how does a WebSocket that others have opened come to a
// good end?
//
// A [Tunnel] passes on what the two ends of a WebSocket (RFC 6455) send one another,
// as it is, and follows the headers of its frames: so it knows where a Close of the
// proxy's own may stand.
package websocket

import (
	"io"
	"slices"
	"sync"
	"sync/atomic"
)

// Party is one of those who can end a WebSocket.
type Party string

// The parties.
const (
	Client  Party = "client"
	Backend Party = "backend"
	Proxy   Party = "proxy"
)

// Tunnel is between a client and a backend. It is safe for concurrent use as
// connections are.
type Tunnel struct {
	client, backend end
	leaving         atomic.Bool // both ends were told, or are about to be
	closes          func(by Party, status int)
}

// New returns the tunnel between the two connections. What is read and written has
// to go over [Tunnel.Client] and [Tunnel.Backend] from now on: what comes from one is
// written to the other. closes is told of each Close with its status, [NoStatus] or
// [CutStatus]. It is called concurrently.
func New(client, backend io.ReadWriteCloser, closes func(by Party, status int)) *Tunnel {
	t := &Tunnel{closes: closes}
	t.client = end{conn: client, tunnel: t, other: Backend}
	t.backend = end{conn: backend, tunnel: t, other: Client, masks: true, written: frames{masked: true}}
	return t
}

// Client returns the client's end.
func (t *Tunnel) Client() io.ReadWriteCloser { return &t.client }

// Backend returns the backend's end.
func (t *Tunnel) Backend() io.ReadWriteCloser { return &t.backend }

// GoAway tells both ends that the proxy goes away: each is sent a Close with 1001,
// between two frames, and nothing that the other sends from then on. An end that has
// sent its own Close in answer is closed. GoAway may have to wait for a write.
//
// It does nothing where one end has sent a Close already, or frames that cannot be
// followed, nor a second time.
func (t *Tunnel) GoAway() {
	if t.client.state.Load() != open || t.backend.state.Load() != open || t.leaving.Swap(true) {
		return
	}
	t.closes(Proxy, goingAway)
	for _, e := range []*end{&t.client, &t.backend} {
		e.owed.Store(true)
		e.payClose()
	}
	t.settle()
}

// Told reports whether [Tunnel.GoAway] has done something.
func (t *Tunnel) Told() bool { return t.leaving.Load() }

// Answered reports whether both ends have answered with a Close.
func (t *Tunnel) Answered() bool {
	return t.client.finished.Load() && t.backend.finished.Load()
}

// settle closes, once the ends are told, each that has sent a Close and been sent one
// (RFC 6455 §5.5.1).
func (t *Tunnel) settle() {
	if !t.leaving.Load() {
		return
	}
	t.client.settle(&t.backend)
	t.backend.settle(&t.client)
}

// What has been seen of what one end is sent by the other.
const (
	open int32 = iota
	closed
	lost
)

// end is one of the two.
type end struct {
	conn   io.ReadWriteCloser
	tunnel *Tunnel
	other  Party // who sends what is written here
	masks  bool  // it is the server: what it is sent is masked

	owed     atomic.Bool  // a Close of the proxy's
	state    atomic.Int32 // of what the other end sends
	parted   atomic.Bool  // it has been sent a Close, the proxy's or the other end's
	finished atomic.Bool  // it has sent one too, and was closed

	writing sync.Mutex
	written frames
	told    bool // the proxy's Close has been written
}

// Read implements [io.Reader]. It ends where the connection was closed because all is
// said.
func (e *end) Read(p []byte) (int, error) {
	n, err := e.conn.Read(p)
	if err != nil && e.finished.Load() {
		err = io.EOF
	}
	return n, err
}

// Write implements [io.Writer].
func (e *end) Write(p []byte) (int, error) {
	n, err := e.write(p)
	e.payClose() // whoever has asked for it in the meantime found the way taken
	e.tunnel.settle()
	return n, err
}

func (e *end) write(p []byte) (int, error) {
	e.writing.Lock()
	defer e.writing.Unlock()
	told := e.told
	place := e.follow(p)
	switch {
	case told: // what comes for it is dropped
	case place >= 0:
		if _, err := e.conn.Write(slices.Concat(p[:place], e.close())); err != nil {
			return 0, err
		}
	default:
		if n, err := e.conn.Write(p); err != nil {
			return n, err
		}
	}
	if e.told || e.written.closed {
		e.parted.Store(true)
	}
	return len(p), nil
}

// follow reads p along, and returns where in it the Close that is owed may stand, or
// -1. The caller holds writing.
func (e *end) follow(p []byte) (place int) {
	place = -1
	for at := 0; at < len(p); {
		if place < 0 && e.owed.Load() && e.written.between() {
			place = at
		}
		at += e.written.next(p[at:])
	}
	switch {
	case e.written.closed:
		if e.state.Swap(closed) != closed {
			e.tunnel.closes(e.other, e.written.closeStatus())
		}
	case e.written.lost:
		e.state.Store(lost)
	}
	return place
}

// close returns the Close that is owed, to be written now. The caller holds writing.
func (e *end) close() []byte {
	e.owed.Store(false)
	e.told = true
	return closing(e.masks)
}

// payClose writes the Close that is owed, if any, where it may stand now, unless
// something is being written: whoever does that looks once more when it is done.
func (e *end) payClose() {
	if !e.owed.Load() || !e.writing.TryLock() {
		return
	}
	defer e.writing.Unlock()
	if !e.owed.Load() || !e.written.between() {
		return
	}
	if _, err := e.conn.Write(e.close()); err != nil {
		e.conn.Close() // a part of it may have gone out
	}
	e.parted.Store(true)
}

func (e *end) settle(other *end) {
	if other.state.Load() == closed && e.parted.Load() && !e.finished.Swap(true) {
		e.closeWrite() // a stream of HTTP/2 would be reset
		e.conn.Close()
	}
}

// CloseWrite passes on that the other end sends no more, unless this one has been
// told more than that. A connection that cannot end one direction ends whole.
func (e *end) CloseWrite() error {
	if e.parted.Load() && e.tunnel.leaving.Load() {
		return nil
	}
	return e.closeWrite()
}

func (e *end) closeWrite() error {
	if half, ok := e.conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	return e.conn.Close()
}

// Close implements [io.Closer].
func (e *end) Close() error { return e.conn.Close() }
