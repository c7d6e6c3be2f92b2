package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// client asks over many connections, of HTTP/1.1 or WebSocket, in one thread.
type client struct {
	*poll
	job      job
	requests [][]byte
	next     int       // of requests
	lines    []*line   // in the order in which they ask
	of       []*line   // by descriptor
	alarm    int       // descriptor of the clock for what is due
	busy     int       // lines that wait for an answer
	again    bool      // who is answered asks at once
	began    time.Time // of this run
	end      time.Time // after which nothing more is asked
	tally    tally
	buffer   []byte
}

// line is one connection.
type line struct {
	fd     int
	answer answer
	busy   bool
	due    time.Time   // of the request that it waits for an answer to
	late   []time.Time // when those were due that wait for their turn
}

// newClient opens so many of the job's connections.
func newClient(j job, connections int) (c *client, err error) {
	c = &client{job: j, requests: j.requests(), buffer: make([]byte, 256<<10)}
	if c.poll, err = newPoll(); err != nil {
		return nil, err
	}
	if c.alarm, err = unix.TimerfdCreate(unix.CLOCK_MONOTONIC, unix.TFD_NONBLOCK|unix.TFD_CLOEXEC); err != nil {
		return nil, err
	}
	if err := c.add(c.alarm, unix.EPOLLIN); err != nil {
		return nil, err
	}
	expected := answer{body: body(j.Size)}
	if j.Protocol == websocket {
		masked, plain := message(j.Size)
		c.requests, expected = [][]byte{masked}, answer{body: plain, bare: true}
	}
	for range connections {
		fd, err := connect(j)
		if err != nil {
			return nil, err
		}
		l := &line{fd: fd, answer: expected}
		c.lines = append(c.lines, l)
		for len(c.of) <= fd {
			c.of = append(c.of, nil)
		}
		c.of[fd] = l
		if err := c.add(fd, unix.EPOLLIN); err != nil {
			return nil, err
		}
	}
	return c, nil
}

// connect returns the descriptor of a new connection, which does not block.
func connect(j job) (fd int, err error) {
	conn, err := net.DialTimeout("tcp", j.Address, patience)
	if err != nil {
		return -1, err
	}
	defer conn.Close()
	if j.Protocol == websocket {
		conn.SetDeadline(time.Now().Add(patience))
		if _, err := conn.Write(j.upgrade()); err != nil {
			return -1, err
		}
		// Nothing follows the head before something is sent, so that none is lost.
		resp, err := http.ReadResponse(bufio.NewReader(conn), nil)
		if err != nil {
			return -1, fmt.Errorf("upgrade: %w", err)
		}
		if resp.StatusCode != http.StatusSwitchingProtocols {
			return -1, fmt.Errorf("upgrade: answered %s", resp.Status)
		}
	}
	raw, err := conn.(syscall.Conn).SyscallConn()
	if err != nil {
		return -1, err
	}
	var dup error
	err = raw.Control(func(of uintptr) { fd, dup = unix.FcntlInt(of, unix.F_DUPFD_CLOEXEC, 0) })
	return fd, errors.Join(err, dup)
}

// each asks so often, one request after the other, over each connection in turn.
func (c *client) each(number int) (tally, error) {
	c.tally = tally{Due: number}
	for i := range number {
		if err := c.ask(c.lines[i%len(c.lines)], time.Now()); err != nil {
			return tally{}, err
		}
		if err := c.finish(); err != nil {
			return tally{}, err
		}
	}
	return c.tally, nil
}

// run asks for so long, at that rate or as often as there are answers, and
// returns once all that was asked is answered.
func (c *client) run(length time.Duration, rate float64) (tally, error) {
	c.tally = tally{}
	c.began = time.Now()
	c.end = c.began.Add(length)
	var err error
	if rate > 0 {
		err = c.atRate(rate)
	} else {
		err = c.atOnce()
	}
	if err == nil {
		err = c.finish()
	}
	return c.tally, err
}

// atOnce has each connection ask again as soon as it is answered.
func (c *client) atOnce() error {
	c.again = true
	defer func() { c.again = false }()
	for _, l := range c.lines {
		if err := c.ask(l, c.began); err != nil {
			return err
		}
	}
	for left := time.Until(c.end); left > 0; left = time.Until(c.end) {
		if err := c.step(left); err != nil {
			return err
		}
	}
	c.tally.Due = len(c.tally.took) + c.busy
	return nil
}

// atRate asks when it is due, over one connection after the other. One that still
// waits for an answer asks later, and its latency counts from when it was due.
func (c *client) atRate(rate float64) error {
	gap := time.Duration(float64(time.Second) / rate)
	for now := c.began; now.Before(c.end); now = time.Now() {
		for due := c.due(gap); !due.After(now) && due.Before(c.end); due = c.due(gap) {
			l := c.lines[c.tally.Due%len(c.lines)]
			c.tally.Due++
			if l.busy {
				l.late = append(l.late, due)
			} else if err := c.ask(l, due); err != nil {
				return err
			}
		}
		wake := unix.ItimerSpec{Value: unix.NsecToTimespec(max(int64(time.Until(c.due(gap))), 1))}
		if err := unix.TimerfdSettime(c.alarm, 0, &wake, nil); err != nil {
			return err
		}
		if err := c.step(time.Until(c.end)); err != nil {
			return err
		}
	}
	for c.due(gap).Before(c.end) {
		c.tally.Due++ // no more in time, as whoever sends them had no turn
	}
	for _, l := range c.lines {
		l.late = nil
	}
	return nil
}

// due is when the next request of a run is.
func (c *client) due(gap time.Duration) time.Time {
	return c.began.Add(time.Duration(c.tally.Due) * gap)
}

// finish waits for what is still to be answered.
func (c *client) finish() error {
	for until := time.Now().Add(patience); c.busy > 0; {
		left := time.Until(until)
		if left <= 0 {
			return fmt.Errorf("%d requests were not answered within %v", c.busy, patience)
		}
		if err := c.step(left); err != nil {
			return err
		}
	}
	return nil
}

// step waits, for so long, until something can be read, and reads it.
func (c *client) step(patience time.Duration) error {
	events, err := c.wait(max(patience, 0))
	if err != nil {
		return err
	}
	for _, event := range events {
		if int(event.Fd) == c.alarm {
			unix.Read(c.alarm, c.buffer[:8])
		} else if err := c.listen(c.of[event.Fd]); err != nil {
			return err
		}
	}
	return nil
}

// ask sends a request, which always fits into the socket's buffer as no other
// one is under way.
func (c *client) ask(l *line, due time.Time) error {
	request := c.requests[c.next]
	c.next = (c.next + 1) % len(c.requests)
	n, err := unix.Write(l.fd, request)
	if err == nil && n < len(request) {
		err = io.ErrShortWrite
	}
	if err != nil {
		return fmt.Errorf("sending a request: %w", err)
	}
	l.busy, l.due = true, due
	c.busy++
	return nil
}

// listen reads what there is of an answer; with its end the next request follows.
func (c *client) listen(l *line) error {
	n, err := unix.Read(l.fd, c.buffer)
	switch {
	case errors.Is(err, unix.EAGAIN), errors.Is(err, unix.EINTR):
		return nil
	case err != nil:
		return fmt.Errorf("reading an answer: %w", err)
	case n == 0:
		return fmt.Errorf("reading an answer: %w", io.ErrUnexpectedEOF)
	case !l.busy:
		return fmt.Errorf("answered what was not asked: %.100q", c.buffer[:n])
	}
	done, err := l.answer.take(c.buffer[:n])
	if err != nil || !done {
		return err
	}
	now := time.Now()
	l.busy = false
	c.busy--
	c.tally.took = append(c.tally.took, now.Sub(l.due))
	if !now.Before(c.end) {
		return nil
	}
	c.tally.InTime++
	switch {
	case c.again:
		return c.ask(l, now)
	case len(l.late) > 0:
		due := l.late[0]
		l.late = l.late[1:]
		return c.ask(l, due)
	}
	return nil
}
