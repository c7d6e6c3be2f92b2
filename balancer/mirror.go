package balancer

import (
	"context"
	"math/rand/v2"
	"net/http"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"spangate/handler/config"
	"spangate/handler/field"
)

// MirrorConfig says which requests are copied to backends whose answers nobody gets. The
// zero value copies none.
type MirrorConfig struct {
	Backends Members        `env:"MIRROR_BACKENDS" list:"true" needs:"MIRROR" zero:"none" doc:"backends that get copies of requests, written like BACKENDS; their answers are thrown away, and nobody waits for them; a copy has all that the request has, Host and credentials too, and X-Mirror: true, which no other request has, and what comes with it is not copied again; what does not fit RETRY_BODY_LIMIT is not copied, nor is what a client breaks off"`
	Share    config.Percent `env:"MIRROR" needs:"MIRROR_BACKENDS" zero:"none" doc:"share of the requests that MIRROR_BACKENDS get a copy of, such as 10%, drawn at random"`
	Methods  Methods        `env:"MIRROR_METHODS" envDefault:"GET,HEAD,OPTIONS,QUERY" list:"true" needs:"MIRROR" doc:"methods of requests that are copied; of others a copy would do again what the request has done"`
	Timeout  time.Duration  `env:"MIRROR_TIMEOUT" envDefault:"5s" min:"1ms" needs:"MIRROR" doc:"longest life of a copy, from when the request has been read to the end of the answer"`
	AtOnce   int            `env:"MIRROR_MAX_CONCURRENT" envDefault:"32" min:"1" needs:"MIRROR" doc:"most copies that are under way at once; others wait for their turn"`
	Memory   config.Bytes   `env:"MIRROR_MAX_MEMORY" envDefault:"8MiB" min:"65536" needs:"MIRROR" doc:"most memory that copies take, those that wait and their bodies included; while it is in use no more are made"`
}

// Pool returns what the pool of the mirror is built of, of which the rest is of.
func (c *MirrorConfig) Pool(of Config) Config {
	return of.aside(c.Backends)
}

// Check returns what is wrong with the files that the mirror's members name, where the
// rest is of.
func (c *MirrorConfig) Check(of *Config) error { return of.check(&c.Backends) }

// Fields returns the field that says what a copy is; none where no copies are made.
func (c *MirrorConfig) Fields() []string {
	if c.Backends == nil {
		return nil
	}
	return []string{MirrorField}
}

// MirrorField is the field that copies have, and no other request on a route with a
// mirror. Whoever has mirrors beside other ways keeps clients from saying it there.
const MirrorField = "X-Mirror"

// DropReason names why there is no copy of a request, or nobody got it.
type DropReason string

// The reasons.
const (
	DropBodyTooLarge   DropReason = "body_too_large"     // more than RETRY_BODY_LIMIT
	DropBodyIncomplete DropReason = "body_incomplete"    // the client broke it off, or the backend answered without
	DropMemory         DropReason = "memory"             // MIRROR_MAX_MEMORY is in use
	DropWaited         DropReason = "waited"             // MIRROR_TIMEOUT was over before its turn came
	DropNoBackend      DropReason = "no_healthy_backend" // none of the mirror's may be used
	DropShutdown       DropReason = "shutdown"           // the proxy stops
)

// MirrorHooks are how others listen to a [Mirror]. The zero value is silent. All are
// called concurrently.
type MirrorHooks struct {
	// Copied returns ctx, which is to be the context of a copy of r, with what the copy
	// is to know of it. What is r's own must not be kept: r may end before its copy.
	Copied func(ctx context.Context, r *http.Request) context.Context

	// Sent is told of each copy that was sent, once its answer has ended or failed.
	Sent func(context.Context)

	// Dropped is told of each request that should have been copied and was not, and of
	// each copy that nobody got.
	Dropped func(DropReason)
}

// Mirror is a RoundTripper that sends requests on, and copies of a share of them to
// backends of its own. Requests never wait for their copies: these are sent beside them,
// a bounded number at once, and are dropped when they are too many, too large or too
// slow. It is safe for concurrent use.
type Mirror struct {
	cfg       MirrorConfig
	bodyLimit int64
	pool      *Pool
	hooks     MirrorHooks
	next      http.RoundTripper

	memory atomic.Int64 // that copies take
	now    mirrorCounts
	ctx    context.Context
	cancel context.CancelCauseFunc

	mu     sync.Mutex    // guards what follows, and changes of now's running and waiting
	queue  []*shadow     // that wait for their turn
	closed bool          // nothing is sent any more but what is there
	idle   chan struct{} // closed when it is, and nobody sends
}

// NewMirror returns what sends requests through next, and copies of them, with bodies up
// to bodyLimit, to the backends of pool, which is built of [MirrorConfig.Pool] and run
// like others. It stands behind what changes requests, so that copies have what backends
// get. [Mirror.Run] ends it.
func NewMirror(cfg MirrorConfig, bodyLimit config.Bytes, pool *Pool, next http.RoundTripper, hooks MirrorHooks) *Mirror {
	m := &Mirror{cfg: cfg, bodyLimit: int64(bodyLimit), pool: pool, hooks: hooks, next: next, idle: make(chan struct{})}
	m.ctx, m.cancel = context.WithCancelCause(context.Background())
	return m
}

// RoundTrip implements [http.RoundTripper].
func (m *Mirror) RoundTrip(r *http.Request) (*http.Response, error) {
	if !takeMirrorField(r.Header) && m.wants(r) {
		m.copy(r)
	}
	return m.next.RoundTrip(r)
}

// takeMirrorField removes what says that a request is a copy, however it is written, and
// reports whether anything did. A copy is not copied again: a mirror that leads back to
// the proxy would get copies of its copies without end. Behind a mirror, it would say
// what is not so.
func takeMirrorField(header http.Header) (isCopy bool) {
	for name := range header {
		if field.Canonical(name) == MirrorField {
			delete(header, name)
			isCopy = true
		}
	}
	return isCopy
}

// wants reports whether r is to be copied. What goes on in another protocol is not: only
// its beginning could be.
func (m *Mirror) wants(r *http.Request) bool {
	return slices.Contains(m.cfg.Methods, r.Method) && r.Header["Upgrade"] == nil && rand.Float64() < float64(m.cfg.Share)
}

// copy makes a copy of r, which is sent once all of its body has been read.
func (m *Mirror) copy(r *http.Request) {
	if r.ContentLength > m.bodyLimit {
		m.dropped(DropBodyTooLarge)
		return
	}
	s := &shadow{}
	if !m.reserve(s, sizeOf(r)) {
		m.dropped(DropMemory)
		return
	}
	s.fill(m.ctx, r)
	if m.hooks.Copied != nil {
		s.ctx = m.hooks.Copied(s.ctx, r)
	}
	if r.Body == nil || r.Body == http.NoBody {
		m.enqueue(s)
		return
	}
	body := &mirroredBody{ReadCloser: r.Body, mirror: m, of: s, left: r.ContentLength}
	body.unwatch = context.AfterFunc(r.Context(), func() { body.drop(DropBodyIncomplete) })
	r.Body = body
}

// reserve takes n bytes of the memory for s, and reports whether there are so many.
func (m *Mirror) reserve(s *shadow, n int64) bool {
	for {
		used := m.memory.Load()
		if n > int64(m.cfg.Memory)-used {
			return false
		}
		if m.memory.CompareAndSwap(used, used+n) {
			s.size += n
			return true
		}
	}
}

func (m *Mirror) release(s *shadow) { m.memory.Add(-s.size) }

func (m *Mirror) dropped(why DropReason) {
	m.now.dropped.Add(1)
	if m.hooks.Dropped != nil {
		m.hooks.Dropped(why)
	}
}

// drop gives a copy up.
func (m *Mirror) drop(s *shadow, why DropReason) {
	m.release(s)
	m.dropped(why)
}
