package main

import (
	"bytes"
	"fmt"
	"slices"
	"strconv"
	"time"
)

// patience bounds each wait: far longer than any of them takes, so that it ends
// what is stuck and never what is slow.
const patience = 20 * time.Second

// protocol is what a client speaks to the proxy.
type protocol string

const (
	http1     protocol = "http/1.1"
	https     protocol = "https" // HTTP/1.1 over TLS
	h2        protocol = "h2"
	h2c       protocol = "h2c"
	handshake protocol = "handshake" // as https, with a connection for each request
	websocket protocol = "websocket"
)

// secure reports whether it is spoken over TLS.
func (p protocol) secure() bool { return p == https || p == h2 || p == handshake }

// job is what the load generator is to do.
type job struct {
	Protocol    protocol
	Address     string // of the proxy
	Connections int
	Size        int           // of each answer
	Paths       int           // how many different ones are asked for; 0 is one
	Warmup      time.Duration // before it counts
	Length      time.Duration
	Rate        float64 // requests that are due in a second; 0: each connection asks again as soon as it is answered
	Each        int     // in place of that: so many, one after the other, over each connection in turn
}

// tally is what came of it. Requests that fail have none: they end the job.
type tally struct {
	Due      int           // requests that were to be sent
	Answered int           // in the end
	InTime   int           // of these, before Length was over
	P50, P99 time.Duration // from when a request was due

	took []time.Duration // by each that was answered
}

// and returns t and u together, yet to be summed up.
func (t tally) and(u tally) tally {
	return tally{Due: t.Due + u.Due, InTime: t.InTime + u.InTime, took: append(t.took, u.took...)}
}

// sum fills in what follows from how long the requests took.
func (t tally) sum() tally {
	slices.Sort(t.took)
	t.Answered, t.P50, t.P99 = len(t.took), percentile(t.took, 0.5), percentile(t.took, 0.99)
	return t
}

// saturated reports whether the proxy could not keep up with the rate, and its
// latencies are therefore those of a queue.
func (t tally) saturated() bool { return float64(t.InTime) < 0.95*float64(t.Due) }

// body returns the bytes of each answer of that size. They do not repeat within
// any buffer, so that none can be taken for another's.
func body(size int) []byte {
	b := make([]byte, 0, size+8)
	for i := 0; len(b) < size; i++ {
		b = append(b, fmt.Sprintf("%07x\n", i)...)
	}
	return b[:size]
}

// path returns the path that asks a backend for an answer of the job's size.
func (j job) path(i int) string { return fmt.Sprintf("/%d/%d", j.Size, i%max(j.Paths, 1)) }

// requests returns all that the job sends in HTTP/1.1.
func (j job) requests() (all [][]byte) {
	for i := range max(j.Paths, 1) {
		all = append(all, fmt.Appendf(nil, "GET %s HTTP/1.1\r\nHost: %s\r\nUser-Agent: bench\r\nAccept: */*\r\n\r\n", j.path(i), j.Address))
	}
	return all
}

// upgrade returns what makes a connection one of WebSocket, see RFC 6455 section 4.1.
func (j job) upgrade() []byte {
	return []byte("GET /echo HTTP/1.1\r\nHost: " + j.Address + "\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
		"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n")
}

// message returns a message of WebSocket as a client sends it, and as it is echoed,
// see RFC 6455 section 5.2. The size is at most 125.
func message(size int) (masked, plain []byte) {
	payload, mask := body(size), []byte("mask")
	masked = append([]byte{0x82, 0x80 | byte(size)}, mask...)
	for i, b := range payload {
		masked = append(masked, b^mask[i%4])
	}
	return masked, append([]byte{0x82, byte(size)}, payload...)
}

// sizeIn returns the size that the request line of head asks for.
func sizeIn(head []byte) (int, error) {
	_, path, _ := bytes.Cut(head[:min(len(head), 64)], []byte(" /"))
	digits, _, _ := bytes.Cut(path, []byte("/"))
	return strconv.Atoi(string(digits))
}
