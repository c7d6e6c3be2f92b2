package wire

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/http"
	"testing"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"

	"spangate/handler/wire/wiretest"
)

// answersEarly is a backend of HTTP/2 that answers each request with a header as soon as
// it has come, and takes none of its content, but for what its first window holds. It
// sends what else comes to told, and goes on as long as that is taken.
func answersEarly(t *testing.T, window uint32, told chan<- http2.FrameHeader) string {
	return wiretest.Listen(t, func(conn net.Conn, _ int) {
		io.ReadFull(conn, make([]byte, len(http2.ClientPreface)))
		framer := http2.NewFramer(conn, conn)
		framer.WriteSettings(http2.Setting{ID: http2.SettingInitialWindowSize, Val: window})
		framer.WriteWindowUpdate(0, 1<<30)
		for {
			frame, err := framer.ReadFrame()
			if err != nil {
				return
			}
			switch frame := frame.(type) {
			case *http2.SettingsFrame:
				if !frame.IsAck() {
					framer.WriteSettingsAck()
				}
				continue
			case *http2.HeadersFrame:
				var header bytes.Buffer
				hpack.NewEncoder(&header).WriteField(hpack.HeaderField{Name: ":status", Value: "200"})
				framer.WriteHeaders(http2.HeadersFrameParam{StreamID: frame.StreamID, BlockFragment: header.Bytes(), EndHeaders: true, EndStream: frame.StreamEnded()})
			}
			select {
			case told <- frame.Header():
			case <-t.Context().Done():
				return
			}
		}
	})
}

// uploadTo sends content without end to the backend at addr, and returns why the answer has
// ended.
func uploadTo(ctx context.Context, transport *Transport, addr string) error {
	r, err := http.NewRequestWithContext(ctx, "POST", "http://"+addr, io.NopCloser(endless{}))
	if err != nil {
		return err
	}
	resp, err := transport.RoundTrip(r)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	_, err = io.ReadAll(resp.Body)
	return err
}

// breaksOff waits until an answer has ended, which must not look complete.
func breaksOff(t *testing.T, ended <-chan error, late <-chan time.Time) {
	t.Helper()
	select {
	case err := <-ended:
		if err == nil {
			t.Error("the answer has ended well")
		}
	case <-late:
		t.Fatal("the answer waits on")
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) { return len(p), nil }

// An upload that waits until its backend takes more ends with its context, though the
// answer has begun: the backend is told, and whoever reads the answer too.
func TestStuckUploadsEndWithTheirContext(t *testing.T) {
	t.Parallel()
	const window = 1 << 16
	told := make(chan http2.FrameHeader)
	addr := answersEarly(t, window, told)
	transport := NewTransport(TransportConfig{ResponseTimeout: time.Minute}, "h2c", "", nil, ConnectionHooks{})
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	ended := make(chan error, 1)
	go func() { ended <- uploadTo(ctx, transport, addr) }()
	late := time.After(20 * time.Second)
	for come, reset := 0, false; !reset; {
		select {
		case frame := <-told:
			if reset = frame.Type == http2.FrameRSTStream; frame.Type == http2.FrameData {
				come += int(frame.Length)
			}
			if come == window {
				cancel()
			}
		case <-late:
			t.Fatal("the backend is not told")
		}
	}
	breaksOff(t, ended, late)
}

// A backend that takes nothing of a connection any more holds none but the requests that
// are on it, and these no longer than BACKEND_RESPONSE_TIMEOUT.
func TestDeafConnectionsAreLeft(t *testing.T) {
	t.Parallel()
	told := make(chan http2.FrameHeader)
	addr := answersEarly(t, 1<<30, told)
	transport := NewTransport(TransportConfig{ResponseTimeout: time.Second}, "h2c", "", nil, ConnectionHooks{})
	ended := make(chan error, 1)
	go func() { ended <- uploadTo(t.Context(), transport, addr) }()
	late := time.After(20 * time.Second)
	for read := false; !read; { // up to the header, and then nothing
		select {
		case frame := <-told:
			read = frame.Type == http2.FrameHeaders
		case <-late:
			t.Fatal("no request has come")
		}
	}
	breaksOff(t, ended, late)
	go func() { // on another connection
		for range told {
		}
	}()
	r, err := http.NewRequestWithContext(t.Context(), "GET", "http://"+addr, nil)
	if err != nil {
		t.Fatal(err)
	}
	resp, err := transport.RoundTrip(r)
	if err != nil {
		t.Fatalf("another request: %v", err)
	}
	resp.Body.Close()
}
