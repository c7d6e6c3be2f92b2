package probe

import "context"

// Names for tests from outside of what has none there.
var (
	HTTP = checkHTTP
	TCP  = checkTCP
	GRPC = checkGRPC
)

func (w *Watcher) Demand(ctx context.Context) <-chan struct{} { return w.demand(ctx) }
