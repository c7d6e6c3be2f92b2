package main

import (
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"net/http"
	"os"
	"strconv"
	"time"
)

// rig is what every subject is measured with.
type rig struct {
	dir              string // for files, all of them
	rounds           int
	length           time.Duration // of one measurement
	certificate, key string        // files
	backends         []string      // addresses of two
	collector        string        // address
	progress         io.Writer
}

// running is a subject that serves.
type running struct {
	*process
	site
	firstAnswer time.Duration // from its start
}

// serve starts a subject in a process of its own, calls f once it answers, and
// ends it.
func (r *rig) serve(ctx context.Context, s subject, p protocol, backends []string, f func(*running) error) error {
	dir, err := os.MkdirTemp(r.dir, "")
	if err != nil {
		return err
	}
	address, err := freeAddress(ctx)
	if err != nil {
		return err
	}
	at := site{dir, p, address, backends, r.certificate, r.key}
	cmd, err := s.command(at)
	if err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	began := time.Now()
	process, err := start(ctx, r.dir, s.name, cmd)
	if err != nil {
		return fmt.Errorf("%s: %w", s.name, err)
	}
	defer process.stop()
	subject := &running{process: process, site: at}
	err = subject.await(ctx)
	subject.firstAnswer = time.Since(began)
	if err == nil {
		err = f(subject)
	}
	if err != nil && ctx.Err() == nil {
		return process.wrong(err)
	}
	return err
}

// freeAddress returns one that nobody listens at. Its port is below those of
// outgoing connections, so that none of these takes it before the subject does.
func freeAddress(ctx context.Context) (string, error) {
	for range 100 {
		address := net.JoinHostPort("127.0.0.1", strconv.Itoa(10000+rand.IntN(20000)))
		ln, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
		if err == nil {
			return address, ln.Close()
		}
	}
	return "", errors.New("no free port was found")
}

// await returns once the subject forwards.
func (r *running) await(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, patience)
	defer cancel()
	var protocols http.Protocols
	protocols.SetHTTP1(r.protocol != h2 && r.protocol != h2c)
	protocols.SetHTTP2(r.protocol == h2)
	protocols.SetUnencryptedHTTP2(r.protocol == h2c)
	transport := &http.Transport{Protocols: &protocols, TLSClientConfig: &tls.Config{InsecureSkipVerify: true}}
	defer transport.CloseIdleConnections()
	scheme := "http"
	if r.protocol.secure() {
		scheme = "https"
	}
	for {
		err := get(ctx, transport, scheme+"://"+r.address+"/1/0", nil)
		if err == nil {
			return nil
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("never answered: %w", err)
		case <-r.ended:
			return errors.New("ended before it answered")
		case <-time.After(200 * time.Microsecond):
		}
	}
}

// get reads an answer of status 200, as JSON into value if there is one.
func get(ctx context.Context, transport http.RoundTripper, url string, value any) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return err
	}
	resp, err := transport.RoundTrip(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	switch {
	case err != nil:
		return err
	case resp.StatusCode != http.StatusOK:
		return fmt.Errorf("answered %s", resp.Status)
	case value != nil:
		return json.Unmarshal(body, value)
	}
	return nil
}

// work is what came of a job, and what it cost the subject.
type work struct {
	tally
	cpu   time.Duration
	after usage // while the connections are open still
}

// each returns the CPU time of a request, in microseconds.
func (w work) each() float64 { return w.cpu.Seconds() * 1e6 / float64(w.Answered) }

// drive has the load generator do a job, and settles for so long before it looks at
// what the subject holds.
func (r *rig) drive(ctx context.Context, at *running, j job, settle time.Duration) (work, error) {
	j.Protocol, j.Address, j.Warmup = at.protocol, at.address, max(j.Warmup, r.length/4)
	text, err := json.Marshal(j)
	if err != nil {
		return work{}, err
	}
	load, err := cast(ctx, r.dir, "load", string(text))
	if err != nil {
		return work{}, err
	}
	defer load.stop()
	var ready string
	if err := load.hear(2*patience+j.Warmup, &ready); err != nil {
		return work{}, err
	}
	before, err := usageOf(at.pid)
	if err != nil {
		return work{}, err
	}
	if _, err := io.WriteString(load.in, "\n"); err != nil {
		return work{}, err
	}
	var w work
	if err := load.hear(2*patience+j.Length, &w.tally); err != nil {
		return work{}, err
	}
	if w.Answered == 0 {
		return work{}, errors.New("nothing was answered")
	}
	select {
	case <-ctx.Done():
		return work{}, context.Cause(ctx)
	case <-time.After(settle):
	}
	w.after, err = usageOf(at.pid)
	w.cpu = w.after.cpu - before.cpu
	return w, err
}
