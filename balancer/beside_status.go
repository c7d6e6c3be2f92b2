package balancer

import (
	"sync/atomic"
	"time"
)

// CanaryStatus is how a canary does.
type CanaryStatus struct {
	Backends []string // names of the members that there are
	State    CanaryState
	Share    float64      // of the requests, that it has now
	Since    time.Time    // of the state
	Reason   CanaryReason // for it; empty where the canary began with it
}

// Status returns how the canary does.
func (c *Canary) Status() CanaryStatus {
	p, share := c.trial.now(time.Now())
	return CanaryStatus{Backends: c.canary.pool.names(), State: p.state, Share: share, Since: p.since, Reason: p.reason}
}

// MirrorStatus is how a mirror does.
type MirrorStatus struct {
	Backends         []string // names of the members that there are
	Share            float64  // of the requests, that is copied
	Running, Waiting int64    // copies under way, and those that wait for their turn
	Memory           int64    // bytes that they take
	Sent, Dropped    int64    // copies, and requests without one, since the start
}

// Status returns how the mirror does.
func (m *Mirror) Status() MirrorStatus {
	return MirrorStatus{
		Backends: m.pool.names(), Share: float64(m.cfg.Share), Running: m.now.running.Load(), Waiting: m.Waiting(),
		Memory: m.MemoryInUse(), Sent: m.now.sent.Load(), Dropped: m.now.dropped.Load(),
	}
}

// mirrorCounts are what a mirror counts, for those who ask and do not wait.
type mirrorCounts struct{ running, waiting, sent, dropped atomic.Int64 }

func (p *Pool) names() (all []string) {
	for _, b := range p.Members() {
		all = append(all, b.Name)
	}
	return all
}
