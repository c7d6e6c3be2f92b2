package balancer

import (
	"cmp"
	"sync"
	"sync/atomic"
	"time"
)

// OutlierConfig says when a backend is left out for failing requests. The zero
// value never does.
type OutlierConfig struct {
	On         Conditions    `env:"OUTLIER_ON" envDefault:"connect,reset,timeout,502,503,504" list:"true" needs:"OUTLIER_FAILURES|PROBE_MODE!=off" doc:"failures of requests that count against a backend, in the words of RETRY_ON; a status of gRPC counts wherever it stands in an answer"`
	MaxEjected int           `env:"OUTLIER_MAX_PERCENT" envDefault:"50" min:"0" max:"100" needs:"OUTLIER_FAILURES" doc:"most backends, in percent, that may be left out for failing requests at once"`
	Failures   int           `env:"OUTLIER_FAILURES" envDefault:"5" min:"0" zero:"never" doc:"requests that a backend must fail in a row to be left out for a time; 0: never"`
	Ejection   time.Duration `env:"OUTLIER_EJECTION" envDefault:"30s" min:"1ms" needs:"OUTLIER_FAILURES" doc:"how long it is left out; twice as long the second time, and so on up to ten times, less again once it has stayed for as long"`
}

// maxEjections is the most times OutlierConfig.Ejection that an ejection takes.
const maxEjections = 10

// outlier counts how the requests to one backend fare, and ejects it when too
// many fail in a row. It is safe for concurrent use.
type outlier struct {
	most     int           // failures in a row before it is ejected; 0: never is
	ejection time.Duration // how long the first one takes
	eject    func(Ejection) bool

	failures atomic.Int64 // in a row

	mu          sync.Mutex
	times       int       // what OutlierConfig.Ejection was multiplied with last
	until       time.Time // when the last ejection ends, or ended
	probeFailed bool      // as the last one did
}

// newOutlier returns the outlier detection of one backend. eject leaves the
// backend out, or refuses to by returning false; the next failure
// then asks again. It is called by whoever observes the failure, one call at a
// time, and must not call the outlier.
func newOutlier(cfg OutlierConfig, eject func(Ejection) bool) *outlier {
	return &outlier{most: cfg.Failures, ejection: cmp.Or(cfg.Ejection, 30*time.Second), eject: eject}
}

// observe counts the outcome of a request: why it failed, or nil. Success costs
// an atomic load.
func (o *outlier) observe(err error) {
	switch {
	case o.most == 0:
	case err == nil:
		// The load keeps the line of memory shared between cores.
		if o.failures.Load() != 0 {
			o.failures.Store(0)
		}
	default:
		o.failed(err)
	}
}

func (o *outlier) failed(err error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	if now.Before(o.until) {
		return // a request that the backend still had when it was ejected
	}
	failures := o.failures.Add(1)
	if failures < int64(o.most) {
		return
	}
	// Each ejection is forgotten once the backend stayed for as long as one takes.
	forgotten := int(min(now.Sub(o.until)/o.ejection, maxEjections))
	times := min(1+max(0, o.times-forgotten), maxEjections)
	d := time.Duration(times) * o.ejection
	if o.eject(Ejection{For: d, Failures: int(failures), Err: err}) {
		o.times, o.until = times, now.Add(d)
		o.failures.Store(0)
	}
}

// probed counts the outcome of a probe, and reports whether it ends an
// ejection: when the probe before failed and this one did not. The backend's
// trouble then was one that probes see, a restart for example, and it is over.
// That probes succeed all along ends nothing, for a backend can fail requests
// and pass probes.
func (o *outlier) probed(err error) (ended bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	now := time.Now()
	ended = err == nil && o.probeFailed && now.Before(o.until)
	o.probeFailed = err != nil
	if ended {
		o.until = now
	}
	return ended
}
