package balancer

import (
	"context"
	"io"
	"time"

	"spangate/handler/clock"
	"spangate/handler/fault"
)

const (
	// longestAnswer is how much of the answer to a copy is read. A longer one costs its
	// connection.
	longestAnswer = 16 << 20
	// longestDrain is for how long copies go on once the proxy stops: they are no
	// reason to keep a platform waiting.
	longestDrain = time.Second
)

// enqueue has s sent when its turn comes.
func (m *Mirror) enqueue(s *shadow) {
	s.until = time.Now().Add(m.cfg.Timeout)
	m.mu.Lock()
	defer m.mu.Unlock()
	switch {
	case m.closed:
		m.drop(s, DropShutdown)
	case m.now.running.Load() < int64(m.cfg.AtOnce):
		m.now.running.Add(1)
		go m.send(s)
	default:
		m.queue = append(m.queue, s)
		m.now.waiting.Add(1)
	}
}

// send sends s, and then those whose turn comes, until there is none.
func (m *Mirror) send(s *shadow) {
	for ; s != nil; s = m.turn() {
		switch {
		case m.ctx.Err() != nil:
			m.drop(s, DropShutdown)
		case !time.Now().Before(s.until):
			m.drop(s, DropWaited)
		default:
			m.sendNow(s)
		}
	}
}

// turn returns the copy whose turn it is; nil says that whoever asks has to end.
func (m *Mirror) turn() (s *shadow) {
	m.mu.Lock()
	defer m.mu.Unlock()
	if len(m.queue) > 0 {
		s, m.queue[0] = m.queue[0], nil
		m.queue = m.queue[1:]
		m.now.waiting.Add(-1)
		return s
	}
	m.queue = nil
	if m.now.running.Add(-1) == 0 && m.closed {
		close(m.idle)
	}
	return nil
}

// sendNow sends s, once, and reads the answer.
func (m *Mirror) sendNow(s *shadow) {
	ctx, cancel := context.WithDeadline(s.ctx, s.until)
	defer cancel()
	r := s.request(ctx)
	b, err := m.pool.pick(r)
	if err != nil {
		m.drop(s, DropNoBackend)
		return
	}
	defer m.release(s)
	if resp, _ := b.attempt(r, time.Now(), &followedBody{}, nil); resp != nil {
		io.CopyN(io.Discard, resp.Body, longestAnswer)
		resp.Body.Close()
	}
	m.now.sent.Add(1)
	if m.hooks.Sent != nil {
		m.hooks.Sent(s.ctx)
	}
}

// Waiting returns how many copies wait for their turn.
func (m *Mirror) Waiting() int64 { return m.now.waiting.Load() }

// MemoryInUse returns how many bytes copies take.
func (m *Mirror) MemoryInUse() int64 { return m.memory.Load() }

// Run waits until ctx is done, and ends the mirror: no more copies are made, and those
// that there are have a second to come to an end. It returns when nobody sends any more.
func (m *Mirror) Run(ctx context.Context) error {
	<-ctx.Done()
	m.mu.Lock()
	if m.closed = true; m.now.running.Load() == 0 {
		close(m.idle)
	}
	m.mu.Unlock()
	clock.Await(context.WithoutCancel(ctx), m.idle, longestDrain)
	m.cancel(&fault.Error{Type: fault.Shutdown})
	<-m.idle
	return nil
}
