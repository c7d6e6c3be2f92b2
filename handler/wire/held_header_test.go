package wire_test

import (
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// TestClientThatTakesNoBodyGetsTheHeader: net/http has all of the answer, and must not
// send more of it than the header (RFC 9113 §6.9).
func TestClientThatTakesNoBodyGetsTheHeader(t *testing.T) {
	t.Parallel()
	s := newServing(t, func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Length", "5")
		io.WriteString(w, "whole")
	}, time.Minute)
	conn, err := net.Dial("tcp", s.addr)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(time.Minute))
	io.WriteString(conn, http2.ClientPreface)
	framer := http2.NewFramer(conn, conn)
	framer.ReadMetaHeaders = hpack.NewDecoder(4096, nil)
	framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: 0})
	framer.WriteHeaders(http2.HeadersFrameParam{
		StreamID: 1, EndHeaders: true, EndStream: true,
		BlockFragment: []byte{0x82, 0x86, 0x84, 0x41, 1, 'a'}, // GET http://a/, RFC 7541 §C.3
	})
	granted := false
	for {
		frame, err := framer.ReadFrame()
		if err != nil {
			t.Fatalf("granted: %v: %v", granted, err)
		}
		switch f := frame.(type) {
		case *http2.MetaHeadersFrame:
			if f.PseudoValue("status") != "200" || f.StreamEnded() {
				t.Errorf("got %v", f)
			}
			framer.WriteWindowUpdate(1, 100)
			granted = true
		case *http2.DataFrame:
			if string(f.Data()) != "whole" || !granted {
				t.Errorf("got %q, granted: %v", f.Data(), granted)
			}
			return
		}
	}
}
