package integrity

import (
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptrace"
	"net/textproto"
	"strconv"
	"sync"
	"sync/atomic"
)

// http2Client makes requests over one connection of h2c, which many share, while
// it lasts.
type http2Client struct {
	*run
	mu   sync.Mutex
	conn *http.ClientConn // makes each request once
}

// connection returns one that takes requests.
func (c *http2Client) connection() (*http.ClientConn, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.conn != nil && c.conn.Available() > 0 {
		return c.conn, nil
	}
	transport := &http.Transport{DisableCompression: true, Protocols: new(http.Protocols)}
	transport.Protocols.SetUnencryptedHTTP2(true)
	conn, err := transport.NewClientConn(context.Background(), "http", c.address)
	if err != nil {
		return nil, err
	}
	c.counts.http2s.Add(1)
	c.conn = conn
	return conn, nil
}

func (c *http2Client) work(ids *atomic.Int64) {
	for {
		id := int(ids.Add(1))
		if id >= len(c.traces) {
			return
		}
		x := exchangeOf(c.seed, id).overHTTP2()
		c.traces[id].http2.Store(true)
		c.judge(x, "h2c", c.do(x))
	}
}

// upload yields a request's content.
type upload struct {
	exchange
	*content
	*pacer
	left  int
	leave func() // instead of the end
}

func (u *upload) Read(p []byte) (int, error) {
	if u.left == 0 {
		if u.leave != nil {
			u.leave()
			return 0, context.Canceled
		}
		return 0, io.EOF
	}
	switch u.pacer.pace {
	case slow:
		p = p[:min(len(p), 1+u.up.size/8)]
		u.pause()
	case shreds:
		p = p[:min(len(p), 1+u.rand.IntN(max(20, u.up.size/32)))]
	}
	n := copy(p, u.next(min(u.left, len(p))))
	u.left -= n
	return n, nil
}

func (u *upload) Close() error { return nil }

func (c *http2Client) do(x exchange) (o outcome) {
	c.traces[x.id].tell("asked over h2c")
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{Got1xxResponse: func(code int, h textproto.MIMEHeader) error {
		if link := "</" + strconv.Itoa(x.id) + ">"; code == http.StatusEarlyHints && h.Get("Link") != link {
			c.fault("a 103 is that of %s: %v", h.Get("Link"), x)
		}
		c.counts.hints.Add(1)
		return nil
	}})
	req, err := http.NewRequestWithContext(ctx, x.method, "http://integrity.test/"+strconv.Itoa(x.id), nil)
	if err != nil {
		return outcome{err: wrong("%v", err)}
	}
	req.Header.Set("X-Exchange", strconv.Itoa(x.id))
	if x.up.filler > 0 {
		req.Header.Set("X-Filler", filler(x.id, x.up.filler))
	}
	if x.down.trailer {
		req.Header.Set("TE", "trailers")
	}
	if x.expect {
		req.Header.Set("Expect", "100-continue")
	}
	if x.up.framing != none && (x.up.size > 0 || x.up.framing == chunked) {
		u := &upload{exchange: x, content: contentOf(x.id, false), pacer: newPacer(x.up.send, x.id), left: x.up.size}
		if x.leaves == inUpload {
			u.left, u.leave = x.id%x.up.size, cancel
		}
		req.Body, req.ContentLength = u, int64(x.up.size)
		if x.up.framing == chunked {
			req.ContentLength = -1
		}
	}
	conn, err := c.connection()
	if err != nil {
		return outcome{err: err}
	}
	res, err := conn.RoundTrip(req)
	if err != nil {
		return outcome{err: err, left: x.leaves == inUpload}
	}
	defer res.Body.Close()
	return c.receive(x, res)
}

func (c *http2Client) receive(x exchange, res *http.Response) (o outcome) {
	o.status, o.identity = res.StatusCode, res.Header.Get("X-Exchange")
	if x.leaves == inUpload && !x.early {
		return outcome{left: true}
	}
	if o.identity == "" {
		b, err := io.ReadAll(res.Body)
		o.said, o.err = string(b), err
		return o
	}
	if o.identity != strconv.Itoa(x.id) || res.Header.Get("X-Filler") != filler(x.id, x.down.filler) {
		o.err = wrong("the answer is that of %s, with a filler of %d bytes, want %d", o.identity, len(res.Header.Get("X-Filler")), x.down.filler)
		return o
	}
	if x.bodiless() { // of a 304's length this client wants the content
		if n, _ := io.Copy(io.Discard, res.Body); n > 0 {
			o.err = wrong("content without any")
		}
		return o
	}
	want, p := contentOf(x.id, true), newPacer(x.down.read, x.id)
	for {
		n, err := res.Body.Read(p.buffer())
		if wrong := want.check(p.space[:n]); wrong != nil {
			o.err = wrong
			return o
		}
		o.size += n
		if x.leaves == inDownload && o.size > 0 {
			return outcome{left: true}
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			o.err = err
			return o
		}
		p.pause()
	}
	if sum := res.Trailer.Get("X-Sum"); sum != "" && !x.down.trailer || sum != strconv.Itoa(x.id) && x.down.trailer {
		o.err = wrong("the trailer is %q", res.Trailer)
	}
	return o
}
