package wire

import (
	"io"
	"net/http"
	"sync/atomic"
)

// after has c, of HTTP/1.1, over which resp comes, serve again when all of that
// has been read.
func (p *connectionPool) after(c *connection, resp *http.Response) {
	if resp.Body == http.NoBody {
		p.finished(c)
		return
	}
	resp.Body = &receivedBody{ReadCloser: resp.Body, pool: p, c: c}
}

// receivedBody is the content of a response, which its connection waits for.
type receivedBody struct {
	io.ReadCloser
	pool  *connectionPool
	c     *connection
	ended atomic.Bool
}

func (b *receivedBody) Read(p []byte) (int, error) {
	n, err := b.ReadCloser.Read(p)
	if err == io.EOF && !b.ended.Swap(true) {
		b.pool.finished(b.c)
	}
	return n, err
}

// finished takes c back, or leaves it to net/http, which closes what takes no
// other request.
func (p *connectionPool) finished(c *connection) {
	if c.reusable() {
		p.giveBack(c)
	}
}

// spared takes c back if a request that failed was not sent over it after all.
func (p *connectionPool) spared(c *connection) {
	if c.http1 != nil {
		p.finished(c)
	}
}
