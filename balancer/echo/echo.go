// Package echo answers: what would a backend be asked? It is the demonstration
// backend, whose answers tell what it received.
package echo

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

	"spangate/handler/clock"
	"spangate/handler/config"
)

// Bounds of what a query can ask of the demonstration backend.
const (
	maxDelay  = time.Minute
	maxSize   = config.Bytes(1 << 30)
	maxEvents = 1000
	maxBody   = 64 << 10 // of the request's body that is shown
)

// received is what the demonstration backend received.
type received struct {
	Backend string      `json:"backend"`
	Method  string      `json:"method"`
	Path    string      `json:"path"`
	Query   string      `json:"query,omitempty"`
	Host    string      `json:"host"`
	Proto   string      `json:"proto"`
	Headers http.Header `json:"headers"`
	Body    string      `json:"body,omitempty"`
}

// Handler returns the demonstration backend of that name. It answers with what it
// received, as JSON, unless the query asks for something else:
//
//	?status=503          with this status
//	?delay=2s            after this time
//	?size=1MB            with so many bytes instead
//	?stream=5&every=1s   with so many Server-Sent Events instead, at this pace
//	?at=NAME&status=503  with any of these, but at the backend of that name only
func Handler(name string) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		ask, err := parse(name, r)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		if clock.Sleep(r.Context(), ask.delay) != nil {
			return
		}
		switch {
		case ask.events > 0:
			serveEvents(w, r, name, ask)
		case ask.size >= 0:
			w.Header().Set("Content-Type", "application/octet-stream")
			w.Header().Set("Content-Length", strconv.FormatInt(int64(ask.size), 10))
			w.WriteHeader(ask.status)
			io.CopyN(w, zeros{}, int64(ask.size))
		default:
			body, _ := io.ReadAll(io.LimitReader(r.Body, maxBody))
			w.Header().Set("Content-Type", "application/json")
			w.WriteHeader(ask.status)
			out := json.NewEncoder(w)
			out.SetIndent("", "  ")
			out.Encode(received{
				Backend: name, Method: r.Method, Path: r.URL.EscapedPath(), Query: r.URL.RawQuery,
				Host: r.Host, Proto: r.Proto, Headers: r.Header, Body: string(body),
			})
		}
	})
}

// Serve answers on ln as the [Handler] of that name until ctx is done.
func Serve(ctx context.Context, ln net.Listener, name string) error {
	server := &http.Server{Handler: Handler(name)}
	defer context.AfterFunc(ctx, func() { server.Close() })()
	if err := server.Serve(ln); err != http.ErrServerClosed {
		return err
	}
	return nil
}

// request is what the query asks of a backend. A negative size asks for none.
type request struct {
	status int
	delay  time.Duration
	size   config.Bytes
	events int
	every  time.Duration
}

func parse(backend string, r *http.Request) (request, error) {
	ask := request{status: http.StatusOK, size: -1, every: time.Second}
	query := r.URL.Query()
	if at := query.Get("at"); at != "" && at != backend {
		return ask, nil
	}
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
		if ask.size > maxSize {
			return errors.New("must be at most 1GiB")
		}
		return nil
	})
	read("stream", func(s string) (err error) {
		if ask.events, err = strconv.Atoi(s); err != nil || ask.events < 1 || ask.events > maxEvents {
			return fmt.Errorf("must be 1 to %d", maxEvents)
		}
		return nil
	})
	return ask, errors.Join(errs...)
}

func parsePause(s string) (time.Duration, error) {
	d, err := time.ParseDuration(s)
	if err != nil || d < 0 || d > maxDelay {
		return 0, fmt.Errorf("must be a duration from 0 to %v, such as 200ms", maxDelay)
	}
	return d, nil
}

func serveEvents(w http.ResponseWriter, r *http.Request, name string, ask request) {
	w.Header().Set("Content-Type", "text/event-stream")
	w.WriteHeader(ask.status)
	control := http.NewResponseController(w)
	for i := range ask.events {
		if i > 0 && clock.Sleep(r.Context(), ask.every) != nil {
			return
		}
		fmt.Fprintf(w, "id: %d\ndata: from %s\n\n", i+1, name)
		if control.Flush() != nil {
			return
		}
	}
}

// zeros is an endless run of zero bytes.
type zeros struct{}

func (zeros) Read(p []byte) (int, error) {
	clear(p)
	return len(p), nil
}
