package wire

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"golang.org/x/net/http/httpguts"

	"spangate/handler/wire/http1"
)

// WriteHeader implements [http.ResponseWriter]. What changes in the header later is not
// sent, but as a trailer. An interim response goes out at once; HTTP/1.0 knows none.
func (x *clientExchange) WriteHeader(status int) {
	if x.ended() != nil || x.status != 0 {
		return
	}
	if status < 100 || status > 999 {
		panic(fmt.Sprintf("invalid status %d", status))
	}
	if status < http.StatusOK && status != http.StatusSwitchingProtocols {
		x.writeInterim(status)
		return
	}
	x.writeHeader(status)
}

// writeHeader makes the head, but for how the content ends and what becomes of the
// connection.
func (x *clientExchange) writeHeader(status int) {
	x.status = status
	x.writing.Lock()
	x.body.expected = false // it has its answer
	x.writing.Unlock()
	x.room()
	x.bytes = appendStatusLine(x.bytes, x.old, status)
	x.saysClose = httpguts.HeaderValuesContainsToken(x.header["Connection"], "close")
	x.close = x.saysClose || x.endsConnection(status)
	if x.close {
		x.sayClose()
	}
	x.declareLength()
	x.declareTrailers()
	_, typed := x.header["Content-Type"]
	x.guess = !typed && x.header["Content-Encoding"] == nil && hasContent(status)
	b, err := http1.AppendFields(x.bytes, x.header, func(name string) bool {
		switch name {
		case "Content-Length":
			return x.length < 0 || status == http.StatusNotModified
		case "Content-Type":
			return status == http.StatusNotModified
		}
		x.trailers = x.trailers || isTrailer(name)
		return withheld(name)
	})
	if err != nil {
		x.fail(err)
		return
	}
	x.bytes = b[:len(b)-len(crlf)]
	if _, ok := x.header["Date"]; !ok {
		x.bytes = append(x.bytes, date()...)
	}
}

// endsConnection reports whether the connection ends with an answer of that status
// whatever the handler says of it.
func (x *clientExchange) endsConnection(status int) bool {
	return x.ends || status != http.StatusSwitchingProtocols && (x.conn.server.leaving.Err() != nil || x.switches)
}

// fail makes an answer of that which cannot be sent.
func (x *clientExchange) fail(err error) {
	x.conn.server.log.Debug("answer that cannot be sent", "error", err.Error())
	x.room()
	x.bytes = appendStatusLine(x.out[:0], x.old, http.StatusInternalServerError)
	x.status, x.length, x.guess, x.close = http.StatusInternalServerError, -1, false, true
	x.saysClose, x.saysLength = false, false
	x.sayClose()
}

// sayClose has the head say that the connection ends.
func (x *clientExchange) sayClose() {
	if !x.saysClose && !x.old {
		x.bytes = append(x.bytes, "Connection: close\r\n"...)
	}
	x.saysClose = true
}

// commit ends the head. next is the content behind that which waits; final says that
// there is no more.
func (x *clientExchange) commit(final bool, next []byte) {
	if x.committed {
		return
	}
	x.committed = true
	if x.length < 0 && final && !x.trailers && (x.written > 0 || !x.asksHead) {
		x.length = x.written
	}
	x.form = x.formOfContent()
	x.open.Store(x.form == formUntilClose)
	if x.form == formUntilClose || !x.close && !x.bodyCame() {
		x.close = true
		x.sayClose()
	}
	if len(x.content) > 0 {
		next = x.content
	}
	if x.guess && len(next) > 0 {
		x.bytes = append(append(append(x.bytes, "Content-Type: "...), http.DetectContentType(next)...), crlf...)
	}
	switch {
	case x.form == formLength && !x.saysLength:
		x.bytes = append(strconv.AppendInt(append(x.bytes, "Content-Length: "...), x.length, 10), crlf...)
	case x.form == formChunks:
		x.bytes = append(x.bytes, "Transfer-Encoding: chunked\r\n"...)
	}
	if x.old && x.keep && !x.close {
		x.bytes = append(x.bytes, "Connection: keep-alive\r\n"...)
	}
	x.bytes = append(x.bytes, crlf...)
}

func (x *clientExchange) formOfContent() contentForm {
	switch {
	case !hasContent(x.status):
		return formNone
	case x.length >= 0:
		return formLength // which HEAD asks for too
	case x.asksHead:
		return formNone
	case !x.old:
		return formChunks
	}
	return formUntilClose
}

// hasContent reports whether an answer with that status has content.
func hasContent(status int) bool {
	return status >= 200 && status != http.StatusNoContent && status != http.StatusNotModified
}

// withheld reports whether a field of the handler's is not sent in the head.
func withheld(name string) bool {
	return name == "Transfer-Encoding" || isTrailer(name)
}

func withheldUnsized(name string) bool { return name == "Content-Length" || withheld(name) }

// isTrailer reports whether a field of the handler's stands for one that follows the
// content.
func isTrailer(name string) bool { return strings.HasPrefix(name, http.TrailerPrefix) }

// declareLength notes how long the handler says that the content is.
func (x *clientExchange) declareLength() {
	lengths := x.header["Content-Length"]
	if len(lengths) != 1 || !hasContent(x.status) {
		return
	}
	if n, err := strconv.ParseUint(lengths[0], 10, 63); err == nil {
		x.length, x.saysLength = int64(n), true
	}
}

// declareTrailers notes which fields are announced to follow the content.
func (x *clientExchange) declareTrailers() {
	for _, line := range x.header["Trailer"] {
		for name := range strings.SplitSeq(line, ",") {
			if name = http.CanonicalHeaderKey(strings.Trim(name, " \t")); !httpguts.ValidTrailerHeader(name) {
				continue
			}
			if x.declared == nil {
				x.declared = http.Header{}
			}
			x.declared[name] = nil
		}
		x.trailers = true
	}
}

// trailer returns the fields that follow the content.
func (x *clientExchange) trailer() http.Header {
	var trailer http.Header
	add := func(name string, values []string) {
		if trailer == nil {
			trailer = http.Header{}
		}
		trailer[name] = values
	}
	for name, values := range x.header {
		if late, ok := strings.CutPrefix(name, http.TrailerPrefix); ok {
			add(http.CanonicalHeaderKey(late), values)
		}
	}
	for name := range x.declared {
		if values := x.header[name]; values != nil {
			add(name, values)
		}
	}
	return trailer
}

// writeInterim sends a response that is not the last one.
func (x *clientExchange) writeInterim(status int) {
	if x.old {
		return
	}
	x.writing.Lock()
	defer x.writing.Unlock()
	if status == http.StatusContinue {
		x.body.expected = false
	}
	b := appendStatusLine(nil, x.old, status)
	b, err := http1.AppendFields(b, x.header, withheldUnsized)
	if err == nil {
		x.conn.write(b, x.writeBy) // what fails here does so again
	}
}

// tellToContinue sends a client a 100 that waits for it.
func (x *clientExchange) tellToContinue() error {
	x.writing.Lock()
	defer x.writing.Unlock()
	if !x.body.expected {
		return nil
	}
	x.body.expected = false
	_, err := x.conn.write([]byte(continues), x.writeBy)
	return err
}

// continues is the interim response that says nothing but that the final one comes.
const continues = "HTTP/1.1 100 Continue\r\n\r\n"

func appendStatusLine(b []byte, old bool, status int) []byte {
	if old {
		b = append(b, "HTTP/1.0 "...)
	} else {
		b = append(b, "HTTP/1.1 "...)
	}
	b = strconv.AppendInt(b, int64(status), 10)
	b = append(b, ' ')
	if text := http.StatusText(status); text != "" {
		b = append(b, text...)
	} else {
		b = strconv.AppendInt(append(b, "status code "...), int64(status), 10)
	}
	return append(b, crlf...)
}

// dated is the line of Date for a second.
type dated struct {
	second int64
	line   string
}

var lastDate atomic.Pointer[dated]

// date returns the line of Date for now.
func date() string {
	now := time.Now()
	if d := lastDate.Load(); d != nil && d.second == now.Unix() {
		return d.line
	}
	d := &dated{now.Unix(), "Date: " + now.UTC().Format(http.TimeFormat) + "\r\n"}
	lastDate.Store(d)
	return d.line
}
