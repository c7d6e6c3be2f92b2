// Package dnstest answers what a program asks of DNS: a name server for tests,
// as net/http/httptest is a server for them.
package dnstest

import (
	"context"
	"encoding/binary"
	"io"
	"maps"
	"net"
	"net/netip"
	"strings"
	"sync"
	"testing"

	"golang.org/x/net/dns/dnsmessage"
)

// Server answers questions on loopback, over UDP and TCP, from a zone that
// can be replaced. What is not in the zone does not exist.
type Server struct {
	Addr  string      // host:port, for UDP and TCP
	Asked chan string // "NAME TYPE" of each question, while someone listens

	mu   sync.Mutex
	zone Zone
}

// Zone has the answer to each question, "NAME TYPE".
type Zone map[string]Reply

// Reply is an answer: records, or the lack of them. The zero value says that the
// name exists without any.
type Reply struct {
	Addrs  []string
	SRV    []net.SRV
	Code   dnsmessage.RCode
	Silent bool // no answer at all
	Cut    bool // over UDP only the note that there is more
}

// Addresses is the answer with these addresses.
func Addresses(addrs ...string) Reply { return Reply{Addrs: addrs} }

// NewServer returns a server that stops with the test.
func NewServer(t testing.TB) *Server {
	t.Helper()
	s := &Server{Asked: make(chan string)}
	tcp, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.Addr = tcp.Addr().String()
	udp, err := net.ListenPacket("udp", s.Addr)
	if err != nil {
		t.Fatal(err)
	}
	var serving sync.WaitGroup
	serving.Go(func() { s.serveUDP(udp) })
	serving.Go(func() {
		for {
			conn, err := tcp.Accept()
			if err != nil {
				return
			}
			serving.Go(func() { s.serveTCP(conn) })
		}
	})
	t.Cleanup(func() {
		tcp.Close()
		udp.Close()
		serving.Wait()
	})
	return s
}

// Resolver asks the server, as the program would ask its own.
func (s *Server) Resolver() *net.Resolver { return Resolver(s.Addr) }

// Resolver asks the server at addr, which may be another process's.
func Resolver(addr string) *net.Resolver {
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, network, _ string) (net.Conn, error) {
		var d net.Dialer
		return d.DialContext(ctx, network, addr)
	}}
}

// Set replaces the zone.
func (s *Server) Set(z Zone) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.zone = z
}

// Update replaces the answers to these questions in the zone.
func (s *Server) Update(z Zone) {
	s.mu.Lock()
	defer s.mu.Unlock()
	updated := maps.Clone(s.zone)
	if updated == nil {
		updated = Zone{}
	}
	maps.Copy(updated, z)
	s.zone = updated
}

func (s *Server) serveUDP(conn net.PacketConn) {
	packet := make([]byte, 1500)
	for {
		n, from, err := conn.ReadFrom(packet)
		if err != nil {
			return
		}
		if answer := s.answer(packet[:n], true); answer != nil {
			conn.WriteTo(answer, from)
		}
	}
}

func (s *Server) serveTCP(conn net.Conn) {
	defer conn.Close()
	var length uint16
	for binary.Read(conn, binary.BigEndian, &length) == nil {
		packet := make([]byte, length)
		if _, err := io.ReadFull(conn, packet); err != nil {
			return
		}
		if answer := s.answer(packet, false); answer != nil {
			conn.Write(binary.BigEndian.AppendUint16(nil, uint16(len(answer))))
			conn.Write(answer)
		}
	}
}

// answer returns the answer to a question, or nil for none.
func (s *Server) answer(packet []byte, udp bool) []byte {
	var p dnsmessage.Parser
	header, err := p.Start(packet)
	if err != nil {
		return nil
	}
	question, err := p.Question()
	if err != nil {
		return nil
	}
	name, kind := strings.ToLower(question.Name.String()), strings.TrimPrefix(question.Type.String(), "Type")
	select {
	case s.Asked <- name + " " + kind:
	default:
	}
	reply := s.reply(name, kind)
	if reply.Silent {
		return nil
	}
	message := dnsmessage.Message{
		Header:    dnsmessage.Header{ID: header.ID, Response: true, Authoritative: true, RCode: reply.Code},
		Questions: []dnsmessage.Question{question},
	}
	if udp && reply.Cut {
		message.Truncated = true
	} else {
		message.Answers = reply.records(question.Name)
	}
	packed, err := message.Pack()
	if err != nil {
		panic(err)
	}
	if udp && len(packed) > 512 {
		message.Truncated, message.Answers = true, nil
		packed, _ = message.Pack()
	}
	return packed
}

func (s *Server) reply(name, kind string) Reply {
	s.mu.Lock()
	defer s.mu.Unlock()
	if reply, ok := s.zone[name+" "+kind]; ok {
		return reply
	}
	for question := range s.zone {
		if strings.HasPrefix(question, name+" ") {
			return Reply{} // the name exists, without records of this type
		}
	}
	return Reply{Code: dnsmessage.RCodeNameError}
}

func (r Reply) records(name dnsmessage.Name) (records []dnsmessage.Resource) {
	add := func(kind dnsmessage.Type, body dnsmessage.ResourceBody) {
		records = append(records, dnsmessage.Resource{
			Header: dnsmessage.ResourceHeader{Name: name, Type: kind, Class: dnsmessage.ClassINET}, Body: body,
		})
	}
	for _, text := range r.Addrs {
		if addr := netip.MustParseAddr(text); addr.Is4() {
			add(dnsmessage.TypeA, &dnsmessage.AResource{A: addr.As4()})
		} else {
			add(dnsmessage.TypeAAAA, &dnsmessage.AAAAResource{AAAA: addr.As16()})
		}
	}
	for _, srv := range r.SRV {
		add(dnsmessage.TypeSRV, &dnsmessage.SRVResource{
			Priority: srv.Priority, Weight: srv.Weight, Port: srv.Port, Target: dnsmessage.MustNewName(srv.Target),
		})
	}
	return records
}
