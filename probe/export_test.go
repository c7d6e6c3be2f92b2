package probe

// Names for tests from outside of what has none there.
var (
	HTTP = checkHTTP
	TCP  = checkTCP
	GRPC = checkGRPC
)

func (w *Watcher) Demand() <-chan struct{} { return w.demand() }
