package wire

import (
	"net"
	"net/http"
	"sync"
	"sync/atomic"
	"time"

	"spangate/handler/wire/http1"
)

// answer is what is known of an answer over HTTP/1, and what of it has not been sent.
// Its head waits for the first of its content, and what is small waits to be flushed.
type answer struct {
	header   http.Header
	status   int         // of the head; 0: none is made
	trailers bool        // some may follow the content
	declared http.Header // nil, or the names of those

	form       contentForm
	length     int64       // that the handler has declared; -1: none
	written    int64       // by the handler
	saysLength bool        // the head does
	guess      bool        // the content's type is to be guessed
	committed  bool        // the head is whole
	close      bool        // the connection ends with it
	open       atomic.Bool // its end is that of the connection, and has not come
	saysClose  bool        // the head does, in words of the handler's or ours

	out     *[outSize]byte // that bytes is in, unless those are too many
	bytes   []byte         // that are to be sent
	content []byte         // that has no form yet
	pooled  *[contentSize]byte

	finished bool // by the handler

	// Guarded by writing, as is what requestBody says.

	begun      bool // to be sent
	halfClosed bool // before: the client sends nothing any more, and may wait

	writing sync.Mutex // to the connection
	writeBy time.Time  // write deadline that the handler has set
	err     error      // of the first write that failed
	vec     [3][]byte  // for parts that are sent together
	parts   net.Buffers
}

// contentForm is how the end of content is told.
type contentForm int

const (
	formUnknown contentForm = iota
	formNone                // there is none
	formLength
	formChunks
	formUntilClose
)

const (
	outSize     = 16 << 10
	contentSize = 4 << 10
)

var (
	outs     = sync.Pool{New: func() any { return new([outSize]byte) }}
	contents = sync.Pool{New: func() any { return new([contentSize]byte) }}
)

// Header implements [http.ResponseWriter].
func (x *clientExchange) Header() http.Header { return x.header }

// TakeHeader has header be that of the answer, in place of what Header has returned, of
// which nothing is sent any more: who passes an answer on need not copy its fields.
func (x *clientExchange) TakeHeader(header http.Header) { x.header = header }

// Write implements [http.ResponseWriter]. Content whose length is known goes out with
// its last byte, at the latest.
func (x *clientExchange) Write(p []byte) (int, error) {
	if err := x.ended(); err != nil {
		return 0, err
	}
	if x.status == 0 {
		x.WriteHeader(http.StatusOK)
	}
	switch {
	case len(p) == 0:
		return 0, nil
	case !hasContent(x.status):
		return 0, http.ErrBodyNotAllowed
	case x.length >= 0 && x.written+int64(len(p)) > x.length:
		return 0, http.ErrContentLength
	}
	x.written += int64(len(p))
	if x.asksHead {
		return len(p), nil
	}
	if x.err == nil {
		x.add(p)
	}
	if x.err != nil {
		return 0, x.err
	}
	return len(p), nil
}

// add takes in content.
func (x *clientExchange) add(p []byte) {
	if x.length < 0 && (x.form == formUnknown || x.form == formChunks) && len(x.content)+len(p) <= contentSize {
		if x.pooled == nil {
			x.pooled = contents.Get().(*[contentSize]byte)
			x.content = x.pooled[:0]
		}
		x.content = append(x.content, p...)
		return
	}
	x.commit(false, p)
	x.frame(p)
	if x.written == x.length {
		x.send(nil, nil)
	}
}

// frame puts the content that waits, and p behind it, into the form that it has to
// have. The head is committed.
func (x *clientExchange) frame(p []byte) {
	n := len(x.content) + len(p)
	if x.form != formChunks || n == 0 {
		x.put(x.content, nil)
		x.put(p, nil)
	} else {
		x.room()
		x.bytes = http1.AppendChunkSize(x.bytes, n)
		x.put(x.content, nil)
		x.put(p, crlf)
	}
	x.dropContent()
}

var crlf = []byte("\r\n")

// put adds p, and then end, to the bytes to be sent. It sends them if they are many.
func (x *clientExchange) put(p, end []byte) {
	if len(p) == 0 && len(end) == 0 {
		return
	}
	x.room()
	if len(x.bytes)+len(p)+len(end) > outSize {
		x.send(p, end)
		return
	}
	x.bytes = append(append(x.bytes, p...), end...)
}

// room makes some for bytes that are to be sent.
func (x *clientExchange) room() {
	if x.out == nil {
		x.out = outs.Get().(*[outSize]byte)
		x.bytes = x.out[:0]
	}
}

// Flush implements [http.Flusher].
func (x *clientExchange) Flush() { x.FlushError() }

// FlushError is for [http.ResponseController]. It sends all that there is, the head at
// least.
func (x *clientExchange) FlushError() error {
	if err := x.ended(); err != nil {
		return err
	}
	if x.status == 0 {
		x.WriteHeader(http.StatusOK)
	}
	x.flush()
	return x.err
}

func (x *clientExchange) flush() {
	if x.err != nil {
		return
	}
	x.commit(false, nil)
	x.frame(nil)
	x.send(nil, nil)
}

// finish sends what is left of the answer, and reports whether its client may send
// another request.
func (x *clientExchange) finish() bool {
	if x.hijacked {
		return false
	}
	if x.status == 0 {
		x.writeHeader(http.StatusOK)
	}
	x.finished = true
	short := x.length > x.written && hasContent(x.status) && !x.asksHead
	if x.err == nil {
		x.commit(true, nil)
		x.frame(nil)
		if x.form == formChunks {
			x.lastChunk()
		}
		x.send(nil, nil)
	}
	x.drop()
	x.open.Store(false)
	return x.err == nil && !short && !x.close && x.status != http.StatusSwitchingProtocols
}

func (x *clientExchange) lastChunk() {
	x.room()
	b, err := http1.AppendLastChunk(x.bytes, x.trailer())
	if x.bytes = b; err != nil {
		x.err = err // and so the content has no end
	}
}

// breakOff leaves the answer as it is, so that it does not look complete: what waits is
// not sent, and where its end would be that of the connection, that is reset.
func (x *clientExchange) breakOff() {
	x.drop()
	if x.open.Load() && !x.hijacked {
		x.conn.reset()
	}
}

// drop gives back what is left of memory.
func (x *clientExchange) drop() {
	if x.out != nil {
		outs.Put(x.out)
		x.out, x.bytes = nil, nil
	}
	x.dropContent()
}

func (x *clientExchange) dropContent() {
	if x.pooled != nil {
		contents.Put(x.pooled)
		x.pooled = nil
	}
	x.content = nil
}
