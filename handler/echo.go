package handler

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"strconv"
	"time"

	"spangate/handler/config"
)

// Bounds of what a query can ask of the demonstration backend.
const (
	maxEchoDelay  = time.Minute
	maxEchoSize   = config.Bytes(1 << 30)
	maxEchoEvents = 1000
	maxEchoBody   = 64 << 10 // of the request's body that is shown
)

// echoed is what the demonstration backend received.
type echoed struct {
	Backend string      `json:"backend"`
	Method  string      `json:"method"`
	Path    string      `json:"path"`
	Query   string      `json:"query,omitempty"`
	Host    string      `json:"host"`
	Proto   string      `json:"proto"`
	Headers http.Header `json:"headers"`
	Body    string      `json:"body,omitempty"`
}

// Echo returns the demonstration backend of that name. It answers with what it
// received, as JSON, unless the query asks for something else:
//
//	?status=503          with this status
//	?delay=2s            after this time
//	?size=1MB            with so many bytes instead
//	?stream=5&every=1s   with so many Server-Sent Events instead, at this pace
func Echo(name string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ask, err := parseEcho(r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if !pause(r, ask.delay) {
			return
		}
		switch {
		case ask.events > 0:
			echoEvents(w, r, name, ask)
		case ask.size >= 0:
			w.Header().Set("Content-Type", "application/octet-stream")
			w.Header().Set("Content-Length", strconv.FormatInt(int64(ask.size), 10))
			w.WriteHeader(ask.status)
			io.CopyN(w, zeros{}, int64(ask.size))
		default:
			body, _ := io.ReadAll(io.LimitReader(r.Body, maxEchoBody))
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(ask.status)
			out := json.NewEncoder(w)
			out.SetIndent("", "  ")
			out.Encode(echoed{
				Backend: name, Method: r.Method, Path: r.URL.EscapedPath(), Query: r.URL.RawQuery,
				Host: r.Host, Proto: r.Proto, Headers: r.Header, Body: string(body),
			})
		}
	})
}

// ServeEcho answers on ln as [Echo] of that name until ctx is done.
func ServeEcho(ctx context.Context, ln net.Listener, name string) error {
	server := &http.Server{Handler: Echo(name)}
	defer context.AfterFunc(ctx, func() { server.Close() })()
	if err := server.Serve(ln); err != http.ErrServerClosed {
		return err
	}
	return nil
}

// echoRequest is what the query asks for. A negative size asks for none.
type echoRequest struct {
	status int
	delay  time.Duration
	size   config.Bytes
	events int
	every  time.Duration
}

func parseEcho(r *http.Request) (echoRequest, error) {
	ask := echoRequest{status: http.StatusOK, size: -1, every: time.Second}
	query := r.URL.Query()
	var errs []error
	read := func(name string, parse func(string) error) {
		if value := query.Get(name); value != "" {
			if err := parse(value); err != nil {
				errs = append(errs, fmt.Errorf("%s=%q: %w", name, value, err))
			}
		}
	}
	read("status", func(s string) (err error) {
		if ask.status, err = strconv.Atoi(s); err != nil || ask.status < 200 || ask.status > 599 {
			return errors.New("must be 200 to 599")
		}
		return nil
	})
	read("delay", func(s string) (err error) { ask.delay, err = parsePause(s); return err })
	read("every", func(s string) (err error) { ask.every, err = parsePause(s); return err })
	read("size", func(s string) error {
		if err := ask.size.UnmarshalText([]byte(s)); err != nil {
			return err
		}
		if ask.size > maxEchoSize {
			return errors.New("must be at most 1GiB")
		}
		return nil
	})
	read("stream", func(s string) (err error) {
		if ask.events, err = strconv.Atoi(s); err != nil || ask.events < 1 || ask.events > maxEchoEvents {
			return fmt.Errorf("must be 1 to %d", maxEchoEvents)
		}
		return nil
	})
	return ask, errors.Join(errs...)
}

func parsePause(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 || d > maxEchoDelay {
		return 0, fmt.Errorf("must be a duration from 0 to %v, such as 200ms", maxEchoDelay)
	}
	return d, nil
}

func echoEvents(w http.ResponseWriter, r *http.Request, name string, ask echoRequest) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.WriteHeader(ask.status)
	control := http.NewResponseController(w)
	for i := range ask.events {
		if i > 0 && !pause(r, ask.every) {
			return
		}
		fmt.Fprintf(w, "id: %d\ndata: from %s\n\n", i+1, name)
		if control.Flush() != nil {
			return
		}
	}
}

// pause waits for d and reports whether the client is still there.
func pause(r *http.Request, d time.Duration) bool {
	if d == 0 {
		return true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return true
	case <-r.Context().Done():
		return false
	}
}

// zeros is an endless run of zero bytes.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
