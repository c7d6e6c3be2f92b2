package abuse

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"net"
	"os"
	"strings"
	"sync"
	"time"

	"golang.org/x/net/http2"
	"golang.org/x/net/http2/hpack"
)

// peer is an HTTP/2 client that sends whatever it is told to. What it sends is
// gathered until it flushes.
type peer struct {
	*http2.Framer
	conn  net.Conn
	out   *bufio.Writer
	block bytes.Buffer
	hpack *hpack.Encoder

	ended chan struct{} // closed when nothing more is read
	mu    sync.Mutex
	got   map[http2.FrameType]int
	goes  string // the code of the last GOAWAY
	err   error  // why reading ended
}

// connect returns a peer that has sent its preface and settings.
func (p *target) connect(settings ...http2.Setting) (*peer, error) {
	conn, err := p.dialFor("h2")
	if err != nil {
		return nil, err
	}
	conn.SetDeadline(time.Now().Add(patience))
	c := &peer{conn: conn, out: bufio.NewWriterSize(conn, 16<<10), ended: make(chan struct{}), got: make(map[http2.FrameType]int)}
	c.Framer = http2.NewFramer(c.out, conn)
	c.Framer.AllowIllegalWrites = true
	c.Framer.SetReuseFrames()
	c.hpack = hpack.NewEncoder(&c.block)
	c.out.WriteString(http2.ClientPreface)
	c.WriteSettings(settings...)
	c.out.Flush()
	return c, nil
}

// reading reads, and acknowledges the proxy's settings, until the connection ends.
func (c *peer) reading() *peer {
	go func() {
		defer close(c.ended)
		for {
			f, err := c.ReadFrame()
			if _, stream := errors.AsType[http2.StreamError](err); stream {
				continue
			}
			c.mu.Lock()
			if err != nil {
				c.err = err
				c.mu.Unlock()
				return
			}
			c.got[f.Header().Type]++
			if f, ok := f.(*http2.GoAwayFrame); ok {
				c.goes = f.ErrCode.String()
			}
			c.mu.Unlock()
		}
	}()
	return c
}

// received returns how many frames of a type have come.
func (c *peer) received(typ http2.FrameType) int {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.got[typ]
}

// request opens a stream with a request for path, which goes on with a body
// unless whole.
func (c *peer) request(stream uint32, path string, whole bool, fields ...hpack.HeaderField) error {
	method := "POST"
	if whole {
		method = "GET"
	}
	return c.WriteHeaders(http2.HeadersFrameParam{
		StreamID: stream, BlockFragment: c.fields(append([]hpack.HeaderField{
			{Name: ":method", Value: method}, {Name: ":scheme", Value: "http"}, {Name: ":path", Value: path}, {Name: ":authority", Value: "abuse.test"},
		}, fields...)...), EndStream: whole, EndHeaders: true,
	})
}

// fields encodes a header. It is valid until the next one.
func (c *peer) fields(fields ...hpack.HeaderField) []byte {
	c.block.Reset()
	for _, f := range fields {
		c.hpack.WriteField(f)
	}
	return c.block.Bytes()
}

// flood sends up to n times what send sends, until the proxy ends the connection,
// for which it is given a moment after the last.
func (c *peer) flood(n int, send func(i int) error) outcome {
	for i := range n {
		err := send(i)
		if err == nil && i%1024 == 1023 {
			err = c.out.Flush()
			time.Sleep(time.Millisecond) // for who shares this CPU
		}
		if err != nil {
			return c.end(i, err)
		}
		select {
		case <-c.ended:
			return c.end(i, nil)
		default:
		}
	}
	return c.end(n, c.out.Flush())
}

// end waits for the connection's end, and says how it came, if it did.
func (c *peer) end(sent int, err error) outcome {
	defer c.conn.Close()
	select {
	case <-c.ended:
	case <-time.After(3 * time.Second):
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	o := outcome{sent: sent, ended: endOf(errors.Join(c.err, err))}
	if errors.Is(c.err, os.ErrDeadlineExceeded) {
		o.ended = ""
	}
	if c.goes != "" {
		o.ended = strings.TrimSpace(fmt.Sprintf("GOAWAY %s %s", c.goes, o.ended))
	}
	return o
}
