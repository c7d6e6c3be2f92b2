package wire

import (
	"net/http"
	"os"
	"sync"
	"time"

	"spangate/handler/wire/framing"
)

// steadyStream writes an answer over HTTP/2. It ends the stream where the client lets
// nothing of that be sent for as long as pause, by the windows that it opens (RFC 9113
// §5.2), and waits for as long as the client likes otherwise. Who takes nothing of the
// connection is for [steadyConn].
type steadyStream struct {
	http.ResponseWriter
	conn  *framing.Conn
	pause time.Duration // 0: no limit

	size    int // of what was written of the body
	pending int // bytes of it that may not have been sent, or more
	flushed bool

	mu    sync.Mutex
	timer *time.Timer // nil until something was waited for
	waits bool        // for the client; else ResponseWriter must not be used
	by    time.Time   // write deadline; zero: none
	late  bool        // the stream has been ended

	since, looked time.Time        // the wait began, and somebody looked at it
	moved         time.Time        // it may have been the turn of others until then
	first, last   framing.Progress // when it began, and was looked at
}

const (
	// answerBuffer is how much of an answer a handler can write before anybody waits for
	// the client. What is still there when the handler returns, net/http sends.
	answerBuffer = 4 << 10

	// piece is how much of an answer is waited for at once. Nobody tells how much of it
	// has gone out, so that less in a pause is taken for nothing.
	piece = frameSize

	// manyTurns is what is sent on a connection until each of 250 streams, which are all
	// that there may be, has sent two frames. net/http has them take turns.
	manyTurns = 2 * 250 * piece

	// moment is what a write has, at least, that began before its deadline. An answer that
	// the client does take is not reset at that, but ended by the handler.
	moment = 500 * time.Millisecond
)

// Unwrap is for [http.ResponseController].
func (s *steadyStream) Unwrap() http.ResponseWriter { return s.ResponseWriter }

func (s *steadyStream) Write(p []byte) (written int, err error) {
	s.size += len(p)
	if s.pending += len(p); s.pending <= answerBuffer {
		return s.ResponseWriter.Write(p)
	}
	for written < len(p) && err == nil {
		s.begin()
		n, failed := s.ResponseWriter.Write(p[written:min(written+piece, len(p))])
		written += n
		err = s.over(failed)
	}
	return written, err
}

// FlushError is for [http.ResponseController].
func (s *steadyStream) FlushError() error {
	s.flushed = true
	if s.pending == 0 {
		return http.NewResponseController(s.ResponseWriter).Flush()
	}
	s.pending = 0
	s.begin()
	return s.over(http.NewResponseController(s.ResponseWriter).Flush())
}

// end sends what is left of the body, or bounds how long net/http takes to do that.
func (s *steadyStream) end() {
	switch {
	case s.pause == 0 && s.by.IsZero() || s.pending == 0:
	case s.flushed || s.size > answerBuffer:
		s.FlushError() // others may have their turn for longer than a pause
	default:
		now := time.Now()
		by := s.waitsBy(now)
		if s.pause > 0 {
			by = sooner(now.Add(s.pause), by)
		}
		http.NewResponseController(s.ResponseWriter).SetWriteDeadline(by)
	}
}

// SetWriteDeadline is for [http.ResponseController]. From t on the stream is reset once
// the client is waited for; where t has passed that is at once. Zero is for never.
func (s *steadyStream) SetWriteDeadline(t time.Time) error {
	if !t.IsZero() && !t.After(time.Now()) {
		return http.NewResponseController(s.ResponseWriter).SetWriteDeadline(t)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.by = t
	return nil
}

// begin says that the client is waited for.
func (s *steadyStream) begin() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.pause == 0 && s.by.IsZero() {
		return
	}
	now, p := time.Now(), s.conn.Progress()
	s.waits, s.since, s.looked, s.moved, s.first, s.last = true, now, now, now, p, p
	if s.timer == nil {
		s.timer = time.AfterFunc(s.untilLook(now), s.look)
	} else {
		s.timer.Reset(s.untilLook(now))
	}
}

// waitsBy returns when a wait that began at since ends by the deadline, and the zero Time
// if there is none.
func (s *steadyStream) waitsBy(since time.Time) time.Time {
	if end := since.Add(moment); !s.by.IsZero() && s.by.Before(end) {
		return end
	}
	return s.by
}

// untilLook returns for how long nobody has to look, from now on. The caller holds mu.
func (s *steadyStream) untilLook(now time.Time) time.Duration {
	by := s.waitsBy(s.since)
	if s.pause > 0 {
		by = sooner(now.Add(s.pause/8), by)
	}
	return by.Sub(now)
}

// over says that the wait has ended with err, and returns what that comes of.
func (s *steadyStream) over(err error) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.waits {
		return err
	}
	s.waits = false
	s.timer.Stop()
	if err != nil && (s.late || s.conn.Stuck()) {
		return os.ErrDeadlineExceeded
	}
	return err
}

// look ends the stream if it has not been sent a piece though it had its turn. As long as
// the connection is what is waited for, and gets on, others may have theirs.
func (s *steadyStream) look() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !s.waits || s.late {
		return
	}
	now, p := time.Now(), s.conn.Progress()
	if p.Exhausted > s.last.Exhausted || 2*(p.Writing-s.last.Writing) > now.Sub(s.looked) {
		s.moved = now
	}
	s.looked, s.last = now, p
	hadTurns := p.Sent-s.first.Sent > manyTurns && now.Sub(s.since) >= s.pause
	paused := s.pause > 0 && (now.Sub(s.moved) >= s.pause || hadTurns)
	if by := s.waitsBy(s.since); !paused && (by.IsZero() || now.Before(by)) {
		s.timer.Reset(s.untilLook(now))
		return
	}
	s.late = true
	http.NewResponseController(s.ResponseWriter).SetWriteDeadline(longAgo)
}
