package policy

import (
	"encoding/binary"
	"encoding/hex"
	"errors"
	"math/rand/v2"
	"net/http"
	"time"

	"golang.org/x/net/http/httpguts"

	"spangate/handler"
	"spangate/handler/config"
	"spangate/handler/field"
)

// RequestIDHeader is the field that a request's id travels in, in its canonical
// form. The zero value, off as text, stands for none.
type RequestIDHeader string

// RequestIDConfig says in which field a request's id travels.
type RequestIDConfig struct {
	Header RequestIDHeader `env:"REQUEST_ID_HEADER" envDefault:"X-Request-Id" doc:"header with an id of each request, for backend, client, span and log; what a client sends is kept if it is well-formed, else one is made; off leaves the header alone"`
}

// UnmarshalText parses the name of a field, or off.
func (h *RequestIDHeader) UnmarshalText(text []byte) error {
	name := http.CanonicalHeaderKey(string(text))
	if config.IsOff(text) || name == "Off" {
		*h = ""
		return nil
	}
	if !httpguts.ValidHeaderFieldName(name) || field.IsDefined(name) { // an id would destroy what it means
		return errors.New("must be the name of a header field such as X-Request-Id, or off")
	}
	*h = RequestIDHeader(name)
	return nil
}

// maxRequestID is the length up to which a client's id is kept.
const maxRequestID = 128

// RequestID returns a wrapper that gives each request an id, or nil when cfg names
// no header. It is in the header of the request as it is passed on, and in that
// of the response, in place of whatever the backend says there.
//
// An id that comes with the request is kept, whoever sends it: clients and the
// proxies before this one look for their own. It proves nothing, and need not
// be the only one of its kind. One that is not well-formed (of letters, digits
// and the signs -._~:/+=@, not longer than 128 bytes, in one line) is replaced,
// so that it can do no harm in a log. Ids made here are UUIDs that sort by time
// (RFC 9562, version 7).
func RequestID(cfg RequestIDConfig, hooks Hooks) func(http.Handler) http.Handler {
	if cfg.Header == "" {
		return nil
	}
	name := string(cfg.Header)
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			line, answer := r.Header[name], handler.AnswerOf(r)
			if len(line) == 1 && isRequestID(line[0]) {
				answer.Set(name, line...)
			} else {
				line = answer.SetValue(name, newRequestID())
				r.Header[name] = line
			}
			if hooks.RequestID != nil {
				hooks.RequestID(r.Context(), line[0])
			}
			next.ServeHTTP(w, r)
		})
	}
}

func isRequestID(id string) bool {
	if id == "" || len(id) > maxRequestID {
		return false
	}
	for i := range len(id) {
		if !requestIDBytes[id[i]] {
			return false
		}
	}
	return true
}

var requestIDBytes = func() (set [256]bool) {
	for _, c := range "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._~:/+=@" {
		set[c] = true
	}
	return set
}()

// newRequestID returns a UUID of version 7: 48 bits of milliseconds, then 74
// random ones. These keep ids apart, and hide nothing: whoever sees the request sees
// its id. So they need not be those of crypto/rand, which ask more of the processor.
func newRequestID() string {
	var id [16]byte
	binary.BigEndian.PutUint64(id[0:], uint64(time.Now().UnixMilli())<<16|rand.Uint64()>>48)
	binary.BigEndian.PutUint64(id[8:], rand.Uint64())
	id[6] = id[6]&0x0f | 0x70 // version
	id[8] = id[8]&0x3f | 0x80 // variant

	var text [36]byte
	hex.Encode(text[0:8], id[0:4])
	hex.Encode(text[9:13], id[4:6])
	hex.Encode(text[14:18], id[6:8])
	hex.Encode(text[19:23], id[8:10])
	hex.Encode(text[24:36], id[10:16])
	text[8], text[13], text[18], text[23] = '-', '-', '-', '-'
	return string(text[:])
}
