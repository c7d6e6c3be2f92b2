package handler

import (
	"context"
	"errors"
	"io"
	"sync/atomic"

	"spangate/handler/fault"
	"spangate/handler/wire"
	"spangate/handler/wire/websocket"
)

// Upgrade is a connection, or a stream of HTTP/2, on which a client and a backend speak
// another protocol from now on. Its methods are safe for concurrent use.
type Upgrade struct {
	Protocol string // that the backend has agreed to, in lower case

	received, sent atomic.Int64
	parting        atomic.Pointer[Parting]
	told, answered atomic.Bool
}

// Parting is how an upgraded connection comes to its end: what of it came first.
type Parting struct {
	By     websocket.Party
	Close  bool       // a WebSocket's, of which that is the beginning
	Status int        // of the Close, [websocket.NoStatus] or [websocket.CutStatus]; 0 without a Close
	Lost   bool       // the connection with that party broke
	Cause  fault.Type // why the proxy ended it, if it did so without a Close
}

// Passed returns how many bytes have come from the client for the backend, and from the
// backend for the client.
func (u *Upgrade) Passed() (received, sent int64) { return u.received.Load(), u.sent.Load() }

// Parting returns how it has ended, or is about to; before, nil.
func (u *Upgrade) Parting() *Parting { return u.parting.Load() }

// Told reports whether it is a WebSocket that the proxy, about to leave, has sent a
// Close, and whether client and backend have both answered with theirs. That is known
// when it has ended.
func (u *Upgrade) Told() (told, answered bool) { return u.told.Load(), u.answered.Load() }

// parts notes how it comes to its end, unless that has begun.
func (u *Upgrade) parts(p Parting) {
	if u.parting.Load() == nil {
		u.parting.CompareAndSwap(nil, &p)
	}
}

// join copies both ways until both have ended, or ctx has, and returns what they
// ended with if it was no end. A WebSocket is told should the proxy leave, and then has
// the time to end by itself.
func (u *Upgrade) join(ctx context.Context, client, backend io.ReadWriteCloser) error {
	if u.Protocol != "websocket" {
		return u.copy(ctx, client, backend)
	}
	tunnel := websocket.New(client, backend, func(by websocket.Party, status int) {
		u.parts(Parting{By: by, Close: true, Status: status})
	})
	defer func() {
		u.told.Store(tunnel.Told())
		u.answered.Store(tunnel.Answered())
	}()
	defer wire.OnFarewell(ctx, tunnel.GoAway)()
	return u.copy(ctx, tunnel.Client(), tunnel.Backend())
}

func (u *Upgrade) copy(ctx context.Context, client, backend io.ReadWriteCloser) error {
	closeBoth := func() {
		client.Close()
		backend.Close()
	}
	defer context.AfterFunc(ctx, func() {
		u.parts(partingOf(ctx))
		closeBoth()
	})()
	c, b := side{client, websocket.Client, &u.received}, side{backend, websocket.Backend, &u.sent}
	toBackend := make(chan error, 1)
	go func() {
		err := u.pipe(b, c)
		if err != nil {
			closeBoth()
		}
		toBackend <- err
	}()
	err := u.pipe(c, b)
	if err != nil {
		closeBoth()
	}
	return errors.Join(err, <-toBackend)
}

// partingOf returns who has ended it where ctx, the request's, has.
func partingOf(ctx context.Context) Parting {
	cause := fault.Of(ctx, context.Cause(ctx)).Type
	if cause == fault.ClientDisconnected {
		return Parting{By: websocket.Client, Lost: true}
	}
	return Parting{By: websocket.Proxy, Cause: cause}
}

// side is one of the two ends, and how much of what it has sent was passed on.
type side struct {
	io.ReadWriter
	party  websocket.Party
	passed *atomic.Int64
}

// pipe copies what from sends to the other side until it ends, and passes that end on.
func (u *Upgrade) pipe(to, from side) error {
	buffer := copyBuffers.Get().(*[copyBufferSize]byte)
	defer copyBuffers.Put(buffer)
	for {
		n, err := from.Read(buffer[:])
		if n > 0 {
			if _, err := to.Write(buffer[:n]); err != nil {
				u.parts(Parting{By: to.party, Lost: true})
				return err
			}
			from.passed.Add(int64(n))
		}
		switch {
		case err == io.EOF:
			u.parts(Parting{By: from.party})
			return closeWrite(to.ReadWriter)
		case err != nil:
			u.parts(Parting{By: from.party, Lost: true})
			return err
		}
	}
}

// closeWrite ends the sending direction of conn, or all of one that cannot end just that.
func closeWrite(conn io.ReadWriter) error {
	if half, ok := conn.(interface{ CloseWrite() error }); ok {
		return half.CloseWrite()
	}
	if c, ok := conn.(io.Closer); ok {
		return c.Close()
	}
	return nil
}
