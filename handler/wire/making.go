package wire

import (
	"context"
	"net/http/httptrace"
	"sync"
	"time"
)

// making is how it goes to make one connection: a phase after the other, each until the
// next begins. Several may wait for that, and look while it goes on. It is safe for
// concurrent use.
type making struct {
	mu    sync.Mutex
	parts []part // of which the last one goes on until ended
	ended time.Time
}

type part struct {
	phase Phase
	began time.Time
}

// enter begins a phase.
func (m *making) enter(phase Phase) {
	now := time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.parts = append(m.parts, part{phase, now})
}

// lookups returns a context in which a dial tells m when it looks a name up.
func (m *making) lookups(ctx context.Context) context.Context {
	return httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		DNSStart: func(httptrace.DNSStartInfo) { m.enter(DNS) },
		DNSDone:  func(httptrace.DNSDoneInfo) { m.enter(Connect) },
	})
}

// end says that there is a connection, or will be none.
func (m *making) end() {
	now := time.Now()
	m.mu.Lock()
	defer m.mu.Unlock()
	m.ended = now
}

// add adds to p how long each phase took of what lies between the two times. A nil
// making has none.
func (m *making) add(p *Phases, from, to time.Time) {
	if m == nil {
		return
	}
	m.mu.Lock()
	defer m.mu.Unlock()
	end := to
	if !m.ended.IsZero() && m.ended.Before(to) {
		end = m.ended
	}
	for i := len(m.parts) - 1; i >= 0; i-- {
		began := m.parts[i].began
		if began.Before(from) {
			began = from
		}
		p[m.parts[i].phase] += max(end.Sub(began), 0)
		if began.Before(end) {
			end = began
		}
	}
}
