package main

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"spangate/handler/wire/wiretest"
	"spangate/telemetry/otlptest"
)

// The attributes of an upgraded connection, but for how long it took.
var ofUpgrades = []string{"protocol", "received", "sent", "closed_by", "close_reason", "close_code", "farewell"}

// ofUpgrade is what attributes tell of an upgraded connection, without a value that
// cannot be known.
func ofUpgrade(attributes map[string]any) string {
	var all []string
	for _, name := range ofUpgrades {
		if value, ok := attributes["spangate.upgrade."+name]; ok {
			all = append(all, fmt.Sprint(name, "=", value))
		}
	}
	return strings.Join(all, " ")
}

// said are the names of what a request's line tells of it.
var said = map[string]string{
	"protocol": "upgrade", "received": "upgrade_received", "sent": "upgrade_sent",
	"closed_by": "closed_by", "close_reason": "close_reason", "close_code": "close_code", "farewell": "farewell",
}

// checkUpgrade checks that span, event, line and metrics tell the same of the only
// upgraded connection there was.
func (p *program) checkUpgrade(t *testing.T, want string) {
	t.Helper()
	span := p.span(t, "SERVER")
	if got := ofUpgrade(span.Attributes); got != want {
		t.Errorf("span: %s\nwant: %s", got, want)
	}
	took, _ := span.Attributes["spangate.upgrade.duration"].(float64)
	if length := span.End.Sub(span.Start).Seconds(); took <= 0 || took > length {
		t.Errorf("it took %v of %v", took, length)
	}
	var events []otlptest.Log
	for _, record := range p.collector.Logs() {
		if record.Event == "spangate.upgrade.ended" {
			events = append(events, record)
		}
	}
	if len(events) != 1 || ofUpgrade(events[0].Attributes) != want || events[0].SpanID != span.SpanID {
		t.Errorf("events: %v", events)
	}
	line := map[string]any{}
	for name, field := range said {
		if value, ok := p.log.requests(t)[0][field]; ok {
			line["spangate.upgrade."+name] = value
		}
	}
	if got := ofUpgrade(line); got != want {
		t.Errorf("line: %s\nwant: %s", got, want)
	}
	of := func(attributes map[string]any, names ...string) (values []any) {
		for _, name := range names {
			values = append(values, attributes[name])
		}
		return values
	}
	labels := []string{"spangate.upgrade.protocol", "spangate.upgrade.closed_by", "spangate.upgrade.close_reason"}
	durations := p.points("spangate.upgrade.duration")
	if len(durations) != 1 || durations[0].Count != 1 || !cmp.Equal(of(durations[0].Attributes, labels...), of(span.Attributes, labels...)) {
		t.Errorf("durations: %v", durations)
	}
	last := map[any]float64{}
	for _, point := range p.points("spangate.upgrade.io") {
		last[point.Attributes["network.io.direction"]] = point.Value
	}
	if diff := cmp.Diff(map[any]float64{"receive": float64(span.Attributes["spangate.upgrade.received"].(int64)), "transmit": float64(span.Attributes["spangate.upgrade.sent"].(int64))}, last); diff != "" {
		t.Errorf("bytes (-want +got):\n%s", diff)
	}
	if active := p.points("spangate.upgrade.active"); len(active) == 0 || active[len(active)-1].Value != 0 {
		t.Errorf("open: %v", active)
	}
}

// TestUpgrades checks what is told of a connection that goes on in another protocol: who
// ended it, and how.
func TestUpgrades(t *testing.T) {
	t.Parallel()
	waits := func(s framedSocket) { io.Copy(io.Discard, s.in) }
	resets := func(s framedSocket) { s.Writer.(*net.TCPConn).SetLinger(0) }
	const hello = "received=11 sent=7 "
	for name, test := range map[string]struct {
		protocol string // websocket unless given
		environ  []string
		backend  func(framedSocket) // once it has answered hello
		client   func(framedSocket) // then
		leaves   bool               // the proxy
		want     string
	}{
		"the client closes": {
			backend: echo, client: func(s framedSocket) { s.send(8, "\x03\xe8"); s.next() },
			want: "received=19 sent=11 closed_by=client close_reason=normal close_code=1000",
		},
		"the client closes without a code": {
			backend: echo, client: func(s framedSocket) { s.send(8, ""); s.next() },
			want: "received=17 sent=11 closed_by=client close_reason=no_status",
		},
		"the client closes and leaves": {
			backend: waits, client: func(s framedSocket) { s.send(8, "\x03\xe9") },
			want: "received=19 sent=7 closed_by=client close_reason=going_away close_code=1001",
		},
		"the client closes byte by byte": {
			backend: echo, client: func(s framedSocket) {
				for _, b := range []byte("\x88\x82\x01\x02\x03\x04\x02\xe8") {
					s.Write([]byte{b})
				}
				s.next()
			},
			want: "received=19 sent=11 closed_by=client close_reason=error close_code=1002",
		},
		"the backend closes": {
			backend: func(s framedSocket) { s.send(8, "\x03\xf3broken"); s.next() }, client: func(s framedSocket) { s.next(); s.send(8, "\x03\xf3") },
			want: "received=19 sent=17 closed_by=backend close_reason=error close_code=1011",
		},
		"the backend closes with a code of its own": {
			backend: func(s framedSocket) { s.send(8, "\x0f\xa1") },
			client:  func(s framedSocket) { s.next() },
			want:    "received=11 sent=11 closed_by=backend close_reason=application close_code=4001",
		},
		"the backend closes with no code there is": {
			backend: func(s framedSocket) { s.send(8, "\x03\xe7") },
			client:  func(s framedSocket) { s.next() },
			want:    "received=11 sent=11 closed_by=backend close_reason=invalid close_code=999",
		},
		"the client closes with the code of none": {
			backend: echo, client: func(s framedSocket) { s.send(8, "\x03\xed"); s.next() },
			want: "received=19 sent=11 closed_by=client close_reason=invalid close_code=1005",
		},
		"the backend closes with the code of none": {
			backend: func(s framedSocket) { s.send(8, "\x03\xed") }, client: func(s framedSocket) { s.next() },
			want: "received=11 sent=11 closed_by=backend close_reason=invalid close_code=1005",
		},
		"the client closes with zero": {
			backend: echo, client: func(s framedSocket) { s.send(8, "\x00\x00"); s.next() },
			want: "received=19 sent=11 closed_by=client close_reason=invalid close_code=0",
		},
		"the client closes with half a code": {
			backend: echo, client: func(s framedSocket) { s.send(8, "\x03"); s.next() },
			want: "received=18 sent=11 closed_by=client close_reason=invalid",
		},
		"the client ends without a word":  {backend: waits, client: func(framedSocket) {}, want: hello + "closed_by=client close_reason=end"},
		"the backend ends without a word": {backend: func(framedSocket) {}, client: func(s framedSocket) { s.next() }, want: hello + "closed_by=backend close_reason=end"},
		"the client resets":               {backend: waits, client: func(s framedSocket) { s.Writer.(session).Conn.(*net.TCPConn).SetLinger(0) }, want: hello + "closed_by=client close_reason=reset"},
		"the backend resets":              {backend: resets, client: func(s framedSocket) { s.next() }, want: hello + "closed_by=backend close_reason=reset"},
		"the proxy leaves, and both answer": {
			environ: []string{"SHUTDOWN_TIMEOUT=20s"}, leaves: true,
			backend: echo, client: func(s framedSocket) { s.next(); s.send(8, "\x03\xe9"); s.next() },
			want: "received=19 sent=11 closed_by=proxy close_reason=going_away close_code=1001 farewell=answered",
		},
		"the time is over": {
			environ: []string{"REQUEST_TIMEOUT=500ms"},
			backend: waits, client: func(s framedSocket) { s.next() },
			want: hello + "closed_by=proxy close_reason=timeout",
		},
		"another protocol": {
			protocol: "chat", backend: func(s framedSocket) { s.next(); s.send(8, "") }, client: func(s framedSocket) { s.send(8, "\x03\xe8"); s.next(); s.next() },
			want: "received=19 sent=9 closed_by=backend close_reason=end",
		},
		"another protocol, and the proxy leaves": {
			protocol: "chat", environ: []string{"SHUTDOWN_TIMEOUT=3s"}, leaves: true,
			backend: waits, client: func(s framedSocket) { s.next() },
			want: hello + "closed_by=proxy close_reason=shutdown",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			protocol, told := "websocket", "websocket"
			if test.protocol != "" {
				protocol, told = test.protocol, "_OTHER"
			}
			backend := wiretest.Listen(t, func(conn net.Conn, _ int) {
				in := bufio.NewReader(conn)
				if _, err := http.ReadRequest(in); err != nil {
					return
				}
				fmt.Fprintf(conn, "HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\n", protocol)
				s := framedSocket{conn, in, false}
				s.next()
				s.send(1, "hello")
				test.backend(s)
			})
			p := start(t, append([]string{"PROBE_MODE=off", "OTEL_LOGS_EXPORTER=otlp", "BACKENDS=http://" + backend}, test.environ...)...)
			client := p.session(t)
			fmt.Fprintf(client, "GET / HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: %s\r\n\r\n", protocol)
			if resp, err := http.ReadResponse(client.in, nil); err != nil || resp.StatusCode != http.StatusSwitchingProtocols {
				t.Fatalf("%v, %v", resp, err)
			}
			s := framedSocket{client, client.in, true}
			s.send(1, "hello")
			if got := s.next(); got != "1 hello" {
				t.Fatalf("answered %s", got)
			}
			left := make(chan struct{})
			if test.leaves {
				go func() { defer close(left); p.stop() }()
			}
			test.client(s)
			client.Close()
			if test.leaves {
				<-left
			} else {
				p.await(`"msg":"request"`)
			}
			p.stop()
			p.checkUpgrade(t, "protocol="+told+" "+test.want)
		})
	}
}

// TestUpgradesOverHTTP2 checks that a WebSocket over HTTP/2 is told of like others.
func TestUpgradesOverHTTP2(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		client func(*webSocket)
		want   string
	}{
		"the client closes": {
			func(ws *webSocket) {
				io.WriteString(ws.out, "\x88\x82\x00\x00\x00\x00\x03\xe8")
				ws.out.Close()
				io.Copy(io.Discard, ws.in)
			},
			"protocol=websocket received=14 sent=14 closed_by=client close_reason=normal close_code=1000",
		},
		"the client ends without a word": {
			func(ws *webSocket) { ws.end(t) },
			"protocol=websocket received=6 sent=6 closed_by=client close_reason=end",
		},
		"the client resets": {
			func(ws *webSocket) { ws.cancel(); ws.out.CloseWithError(context.Canceled) },
			"protocol=websocket received=6 sent=6 closed_by=client close_reason=reset",
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := start(t, "PROBE_MODE=off", "OTEL_LOGS_EXPORTER=otlp", "BACKENDS=http://"+agrees(t, nil, echoes))
			ws := p.connect(t, extended(new(net.Dialer).DialContext), "websocket")
			io.WriteString(ws.out, "\x81\x80\x00\x00\x00\x00")
			if _, err := io.ReadFull(ws.in, make([]byte, 6)); err != nil {
				t.Fatal(err)
			}
			test.client(ws)
			p.await(`"msg":"request"`)
			p.stop()
			p.checkUpgrade(t, test.want)
		})
	}
}
