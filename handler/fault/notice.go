package fault

import (
	"log/slog"
	"sync"
	"time"
)

// quiet is the least time from one line of a Notice to the next.
const quiet = time.Minute

// Notice tells the log of exhaustion, at most once a minute, whatever meets
// with it. It is safe for concurrent use.
type Notice struct {
	Log *slog.Logger

	mu    sync.Mutex
	next  time.Time
	since int // failures since the line before
}

// Saw looks at how something went; of what is no exhaustion, nil above all, it
// takes no notice.
func (n *Notice) Saw(err error) {
	l, ok := lackOf(err)
	if !ok {
		return
	}
	n.mu.Lock()
	n.since++
	now, failures := time.Now(), n.since
	silent := now.Before(n.next)
	if !silent {
		n.next, n.since = now.Add(quiet), 0
	}
	n.mu.Unlock()
	if !silent {
		n.Log.Warn("out of "+l.of, "advice", l.raise, "failures", failures, "error", err.Error())
	}
}
