package main

import (
	"bufio"
	"bytes"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// session is one connection that needs more than its bytes, of TLS or HTTP/2, and
// a goroutine of its own.
type session interface {
	// ask sends the i-th request and returns once its answer is there, or until is.
	ask(i int, until time.Time) error
}

func newSession(j job) (session, error) {
	switch j.Protocol {
	case handshake:
		return strangers{j}, nil
	case https:
		return newSecure(j)
	}
	return newMultiplexed(j)
}

// asking is a session as a generator, of as many requests as it has answers.
type asking struct{ session }

func (a asking) run(length time.Duration, _ float64) (t tally, err error) {
	end := time.Now().Add(length)
	for began := time.Now(); began.Before(end); began = time.Now() {
		if err := a.ask(t.Due, end.Add(patience)); err != nil {
			return t, err
		}
		now := time.Now()
		t.Due++
		t.took = append(t.took, now.Sub(began))
		if now.Before(end) {
			t.InTime++
		}
	}
	return t, nil
}

// dialTLS returns a connection on which the handshake is done. Sessions are not
// resumed. It offers one key exchange, of X25519, as all proxies have that: a
// longer one that only some have, such as X25519MLKEM768, is no fair comparison.
func dialTLS(j job, alpn string) (*tls.Conn, error) {
	return tls.DialWithDialer(&net.Dialer{Timeout: patience}, "tcp", j.Address, &tls.Config{
		InsecureSkipVerify: true, // the certificate was made for this run
		NextProtos:         []string{alpn},
		CurvePreferences:   []tls.CurveID{tls.X25519},
	})
}

// secure is a connection of HTTP/1.1 over TLS.
type secure struct {
	*tls.Conn
	requests [][]byte
	answer   answer
	buffer   []byte
}

func newSecure(j job) (*secure, error) {
	conn, err := dialTLS(j, "http/1.1")
	if err != nil {
		return nil, err
	}
	return &secure{conn, j.requests(), answer{body: body(j.Size)}, make([]byte, 16<<10)}, nil
}

func (s *secure) ask(i int, until time.Time) error {
	s.SetDeadline(until)
	if _, err := s.Write(s.requests[i%len(s.requests)]); err != nil {
		return fmt.Errorf("sending a request: %w", err)
	}
	for {
		n, err := s.Read(s.buffer)
		if n > 0 {
			if done, err := s.answer.take(s.buffer[:n]); err != nil || done {
				return err
			}
		}
		if err != nil {
			return fmt.Errorf("reading an answer: %w", err)
		}
	}
}

// strangers come with a new connection each time, and a full handshake.
type strangers struct{ job }

func (s strangers) ask(i int, until time.Time) error {
	conn, err := newSecure(s.job)
	if err != nil {
		return err
	}
	defer conn.Close()
	return conn.ask(i, until)
}

// multiplexed is a connection of HTTP/2 with one stream at a time.
type multiplexed struct {
	net.Conn
	framer *http2.Framer
	fields []byte // of the request, encoded without state
	body   []byte
	stream uint32 // of the next request
	used   uint32 // of the connection's window
}

// window is of connection and streams: so large that nobody waits for it.
const window = 1 << 30

func newMultiplexed(j job) (m *multiplexed, err error) {
	m = &multiplexed{body: body(j.Size), fields: fieldsOf(j), stream: 1}
	if j.Protocol == h2 {
		m.Conn, err = dialTLS(j, "h2")
	} else {
		m.Conn, err = net.DialTimeout("tcp", j.Address, patience)
	}
	if err != nil {
		return nil, err
	}
	m.SetDeadline(time.Now().Add(patience))
	m.framer = http2.NewFramer(m.Conn, bufio.NewReaderSize(m.Conn, 16<<10))
	m.framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	m.framer.SetReuseFrames()
	_, err = io.WriteString(m.Conn, http2.ClientPreface)
	return m, errors.Join(err,
		m.framer.WriteSettings(http2.Setting{ID: http2.SettingEnablePush}, http2.Setting{ID: http2.SettingInitialWindowSize, Val: window}),
		m.framer.WriteWindowUpdate(0, window))
}

// fieldsOf returns the request's header. It enters nothing into the dynamic table,
// so that the same bytes are right each time.
func fieldsOf(j job) []byte {
	var block bytes.Buffer
	encoder := hpack.NewEncoder(&block)
	encoder.SetMaxDynamicTableSize(0)
	scheme := "http"
	if j.Protocol.secure() {
		scheme = "https"
	}
	for _, f := range []hpack.HeaderField{
		{Name: ":method", Value: "GET"}, {Name: ":scheme", Value: scheme}, {Name: ":authority", Value: j.Address}, {Name: ":path", Value: j.path(0)},
		{Name: "user-agent", Value: "bench"}, {Name: "accept", Value: "*/*"},
	} {
		encoder.WriteField(f)
	}
	return block.Bytes()
}

func (m *multiplexed) ask(_ int, until time.Time) error {
	m.SetDeadline(until)
	err := m.framer.WriteHeaders(http2.HeadersFrameParam{StreamID: m.stream, BlockFragment: m.fields, EndStream: true, EndHeaders: true})
	if err != nil {
		return fmt.Errorf("sending a request: %w", err)
	}
	left := m.body
	for {
		frame, err := m.framer.ReadFrame()
		if err != nil {
			return fmt.Errorf("reading an answer: %w", err)
		}
		if left, err = m.take(frame, left); err != nil {
			return err
		}
		if frame.Header().StreamID == m.stream && frame.Header().Flags.Has(http2.FlagDataEndStream) {
			break
		}
	}
	if len(left) > 0 {
		return fmt.Errorf("answered with %d bytes less than %d", len(left), len(m.body))
	}
	m.stream += 2
	return nil
}

// take does as a frame says, and returns what of the body is still to come.
func (m *multiplexed) take(frame http2.Frame, left []byte) ([]byte, error) {
	switch f := frame.(type) {
	case *http2.MetaHeadersFrame:
		if f.PseudoValue("status") != "200" {
			return nil, fmt.Errorf("answered %s", f.PseudoValue("status"))
		}
	case *http2.DataFrame:
		if !bytes.HasPrefix(left, f.Data()) {
			return nil, errors.New("answered with other bytes")
		}
		left = left[len(f.Data()):]
		if m.used += f.Length; m.used > window/2 {
			defer func() { m.used = 0 }()
			return left, m.framer.WriteWindowUpdate(0, m.used)
		}
	case *http2.SettingsFrame:
		if !f.IsAck() {
			return left, m.framer.WriteSettingsAck()
		}
	case *http2.PingFrame:
		if !f.IsAck() {
			return left, m.framer.WritePing(true, f.Data)
		}
	case *http2.GoAwayFrame, *http2.RSTStreamFrame:
		return nil, fmt.Errorf("answered with %v", f)
	}
	return left, nil
}
