package proxyproto

import (
	"errors"
	"io"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"
)

// pair returns both ends of a connection over the loopback, the second one as the
// receiver has it.
func pair(t testing.TB, r *Receiver) (balancer *net.TCPConn, conn net.Conn) {
	t.Helper()
	ln, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer ln.Close()
	out, err := net.Dial("tcp", ln.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	in, err := ln.Accept()
	if err != nil {
		t.Fatal(err)
	}
	conn = r.Conn(in)
	t.Cleanup(func() {
		out.Close()
		conn.Close()
	})
	return out.(*net.TCPConn), conn
}

// receiver returns one that trusts everybody, and tells failures.
func receiver(failures chan<- *Error) *Receiver {
	return &Receiver{
		Trusts: func(netip.Addr) bool { return true }, Timeout: time.Minute,
		Failed: func(peer net.Addr, err *Error) { failures <- err },
	}
}

// Whatever pieces a header comes in, what follows is read as it is, and the ends are
// those that are told.
func TestConn(t *testing.T) {
	for name, test := range received {
		t.Run(name, func(t *testing.T) {
			for _, piece := range []int{len(test.sent) + 100, 1, 7, 200} {
				if len(test.sent) > 1000 && piece < 200 {
					continue
				}
				failures := make(chan *Error, 1)
				balancer, conn := pair(t, receiver(failures))
				go func() {
					defer balancer.CloseWrite()
					for text := test.sent + "behind"; text != ""; text = text[min(len(text), piece):] {
						io.WriteString(balancer, text[:min(len(text), piece)])
					}
				}()
				remote := conn.RemoteAddr().String()
				got, err := io.ReadAll(conn)
				if test.fail != "" {
					if failed, ok := errors.AsType[*Error](err); !ok || failed.Reason != test.fail || len(got) > 0 {
						t.Fatalf("%q, error %v, want %s", got, err, test.fail)
					}
					if failed := <-failures; failed.Reason != test.fail {
						t.Errorf("told %v, want %s", failed, test.fail)
					}
					if remote != balancer.LocalAddr().String() {
						t.Errorf("the peer is %s, want %s", remote, balancer.LocalAddr())
					}
					continue
				}
				if err != nil || string(got) != "behind" {
					t.Fatalf("%q, error %v", got, err)
				}
				wantRemote, wantLocal := balancer.LocalAddr().String(), balancer.RemoteAddr().String()
				if test.want.Source.IsValid() {
					wantRemote, wantLocal = test.want.Source.String(), test.want.Destination.String()
				}
				if local := conn.LocalAddr().String(); remote != wantRemote || local != wantLocal {
					t.Errorf("%s to %s, want %s to %s", remote, local, wantRemote, wantLocal)
				}
				if got := conn.(*Conn).Header(); got != test.want {
					t.Errorf("header %+v, want %+v", got, test.want)
				}
			}
		})
	}
}

func TestConnOfOthers(t *testing.T) {
	_, conn := pair(t, &Receiver{Trusts: func(peer netip.Addr) bool { return peer != netip.MustParseAddr("127.0.0.1") }})
	if _, ok := conn.(*net.TCPConn); !ok {
		t.Errorf("got a %T", conn)
	}
}

func TestConnThatBreaksOff(t *testing.T) {
	const whole = "PROXY TCP4 1.2.3.4 10.0.0.1 12345 80\r\n"
	large := v2(0x21, 0x11, ends4+strings.Repeat("x", 5000))
	for name, test := range map[string]struct {
		sent string
		ends bool
		want Reason // none: nobody is told
	}{
		"at once":                     {"", true, ""},
		"never":                       {"", false, ""},
		"amid the signature":          {"PRO", true, Incomplete},
		"amid version 1":              {whole[:20], true, Incomplete},
		"before the last byte":        {whole[:len(whole)-1], true, Incomplete},
		"amid the additions":          {large[:4000], true, Incomplete},
		"late in the signature":       {"PRO", false, Late},
		"late in version 1":           {whole[:20], false, Late},
		"late in what is passed over": {large[:4000], false, Late},
	} {
		t.Run(name, func(t *testing.T) {
			failures := make(chan *Error, 1)
			r := receiver(failures)
			if !test.ends {
				r.Timeout = time.Millisecond
			}
			balancer, conn := pair(t, r)
			io.WriteString(balancer, test.sent)
			if test.ends {
				balancer.CloseWrite()
			}
			if n, err := conn.Read(make([]byte, 10)); err == nil || n > 0 {
				t.Fatalf("read %d, error %v", n, err)
			}
			var got Reason
			select {
			case err := <-failures:
				got = err.Reason
			default:
			}
			if got != test.want && (got != "" || test.want != Late) { // what is to be late may not have come at all
				t.Errorf("told %q, want %q", got, test.want)
			}
			if _, err := io.Copy(io.Discard, balancer); err != nil && !strings.Contains(err.Error(), "reset") {
				t.Errorf("the connection is not closed: %v", err)
			}
		})
	}
}

// The bound on the header is over with it, and what was asked for before is in force.
func TestConnDeadline(t *testing.T) {
	r := receiver(nil)
	r.Timeout = 50 * time.Millisecond
	balancer, conn := pair(t, r)
	io.WriteString(balancer, "PROXY UNKNOWN\r\n")
	conn.RemoteAddr()
	time.AfterFunc(3*r.Timeout, func() { io.WriteString(balancer, "late") })
	if n, err := conn.Read(make([]byte, 10)); err != nil || n != len("late") {
		t.Errorf("read %d, error %v", n, err)
	}

	balancer, conn = pair(t, receiver(nil))
	conn.SetReadDeadline(time.Unix(1, 0))
	io.WriteString(balancer, "PROXY TCP4 1.2.3.4 10.0.0.1 12345 80\r\n")
	if got := conn.RemoteAddr().String(); got != "1.2.3.4:12345" {
		t.Errorf("the peer is %s", got)
	}
	if _, err := conn.Read(make([]byte, 10)); err == nil {
		t.Error("a deadline that was set before the header came is forgotten")
	}
}

// Whoever closes a connection that waits for its header has failed nothing.
func TestConnClosed(t *testing.T) {
	var told atomic.Bool
	r := receiver(nil)
	r.Failed = func(net.Addr, *Error) { told.Store(true) }
	balancer, conn := pair(t, r)
	io.WriteString(balancer, "PROXY")
	go conn.Close()
	if _, err := conn.Read(make([]byte, 10)); err == nil || told.Load() {
		t.Errorf("error %v, told %v", err, told.Load())
	}
}

// FuzzConn compares what comes over a connection, in two pieces, with what is parsed
// of the whole.
func FuzzConn(f *testing.F) {
	for _, test := range received {
		if len(test.sent) < 1000 { // to make them smaller would take all the time
			f.Add([]byte(test.sent+"behind"), len(test.sent)/2)
		}
	}
	f.Fuzz(func(t *testing.T, sent []byte, cut int) {
		cut = min(max(cut, 0), len(sent))
		balancer, in := net.Pipe() // sockets would soon run out of ports
		conn := receiver(make(chan *Error, 1)).Conn(addressed{in})
		defer conn.Close()
		go func() {
			balancer.Write(sent[:cut])
			balancer.Write(sent[cut:])
			balancer.Close()
		}()
		got, err := io.ReadAll(conn)
		h, length, wrong := parse(sent)
		whole := wrong == nil && length > 0 && length <= len(sent)
		switch {
		case !whole && (err == nil) != (len(sent) == 0):
			t.Fatalf("error %v of %q", err, sent)
		case whole && (err != nil || string(got) != string(sent[length:]) || conn.(*Conn).Header() != h):
			t.Fatalf("%q, %+v, error %v, of %q", got, conn.(*Conn).Header(), err, sent)
		}
	})
}

// addressed is a connection that looks like one of TCP.
type addressed struct{ net.Conn }

func (addressed) RemoteAddr() net.Addr { return someAddr }

func BenchmarkConn(b *testing.B) {
	for name, sent := range map[string]string{"none": "", "v1": "PROXY TCP4 1.2.3.4 10.0.0.1 12345 80\r\n", "v2": v2(0x21, 0x11, ends4)} {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			r := receiver(nil)
			r.Trusts = func(netip.Addr) bool { return sent != "" }
			p := make([]byte, 10)
			for b.Loop() {
				conn := r.Conn(&scripted{sent: sent + "x"})
				conn.RemoteAddr()
				conn.LocalAddr()
				conn.Read(p)
			}
		})
	}
}

// scripted is a connection of which nothing is real.
type scripted struct {
	net.Conn
	sent string
}

var someAddr = &net.TCPAddr{IP: net.IPv4(10, 0, 0, 9), Port: 1}

func (s *scripted) Read(p []byte) (int, error) {
	n := copy(p, s.sent)
	s.sent = s.sent[n:]
	return n, nil
}
func (s *scripted) RemoteAddr() net.Addr            { return someAddr }
func (s *scripted) LocalAddr() net.Addr             { return someAddr }
func (s *scripted) SetReadDeadline(time.Time) error { return nil }
