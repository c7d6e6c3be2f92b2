//go:build race

package wire

import (
	"net/http"
	"net/url"
	"sync"
)

const poison = "\x00used again"

// spoiled is memory that whoever looks at it too late finds spoiled, so that tests fail
// where somebody does. The oldest is used again.
var spoiled struct {
	sync.Mutex
	all []*memory
}

// keepMemory spoils memory that has been reset, and has it used again later.
func (c *clientConn) keepMemory(m *memory) {
	header := http.Header{poison: {poison}}
	m.request.Request = http.Request{Method: poison, RequestURI: poison, Host: poison, URL: &url.URL{Path: poison}, Header: header}
	m.attempt.response.Response = http.Response{Status: poison, Header: header}
	m.exchange.header = header
	spoiled.Lock()
	spoiled.all = append(spoiled.all, m)
	m = nil
	if len(spoiled.all) > 16 {
		m, spoiled.all = spoiled.all[0], spoiled.all[1:]
	}
	spoiled.Unlock()
	if m != nil {
		m.request.Request, m.attempt.response.Response, m.exchange = http.Request{}, http.Response{}, clientExchange{}
		memories.Put(m)
	}
}
