package fault

import (
	"log/slog"
	"time"

	"spangate/handler/clock"
)

// quiet is the least time from one line of a Notice to the next.
const quiet = time.Minute

// Notice tells the log of exhaustion, at most once a minute, whatever meets
// with it. It is safe for concurrent use.
type Notice struct {
	log  *slog.Logger
	pace clock.Pace
}

// NewNotice returns one that writes to log.
func NewNotice(log *slog.Logger) *Notice { return &Notice{log: log, pace: clock.Pace{Every: quiet}} }

// Saw looks at how something went; of what is no exhaustion, nil above all, it
// takes no notice.
func (n *Notice) Saw(err error) {
	l, ok := lackOf(err)
	if !ok {
		return
	}
	if failures, passes := n.pace.Pass(); passes {
		n.log.Warn("out of "+l.of, "advice", l.raise, "failures", failures, "error", err.Error())
	}
}
