package exposition

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"

	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

const (
	// atOnce is how many scrapes are answered at a time. Each of them has a page in
	// memory, and keeps it for others once it has ended.
	atOnce = 4

	// longest is how long one may take from its start until its page has been read:
	// as long as a Prometheus waits that nobody told otherwise.
	longest = 10 * time.Second
)

// Handler returns what answers scrapes with what collect reads, whatever their path and
// method. It is safe for concurrent use, as collect must be. A scrape has no span.
//
// A scrape that comes while there are enough others is answered with 503, and so is one
// for which not all could be collected.
func Handler(collect func(context.Context, *metricdata.ResourceMetrics) error) http.Handler {
	h := &handler{collect: collect, idle: make(chan *scrape, atOnce)}
	for range atOnce {
		h.idle <- &scrape{}
	}
	return h
}

type handler struct {
	collect func(context.Context, *metricdata.ResourceMetrics) error
	idle    chan *scrape
}

// scrape is what the answer to one is made with.
type scrape struct {
	metrics metricdata.ResourceMetrics
	page    []byte
	packed  bytes.Buffer
	gzip    *gzip.Writer
}

var errBusy = errors.New("too many scrapes at once")

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	select {
	case s := <-h.idle:
		defer func() { h.idle <- s }()
		h.answer(w, r, s)
	default:
		refuse(w, errBusy)
	}
}

func (h *handler) answer(w http.ResponseWriter, r *http.Request, s *scrape) {
	end := time.Now().Add(longest)
	ctx, cancel := context.WithDeadline(r.Context(), end)
	defer cancel()
	if err := h.collect(ctx, &s.metrics); err != nil {
		refuse(w, err)
		return
	}
	format := Negotiate(strings.Join(r.Header.Values("Accept"), ","))
	s.page = Append(s.page[:0], format, &s.metrics)
	body := s.page
	if AcceptsGzip(strings.Join(r.Header.Values("Accept-Encoding"), ",")) {
		body = s.pack()
		w.Header().Set("Content-Encoding", "gzip")
	}
	w.Header().Set("Content-Type", format.ContentType())
	w.Header().Set("Content-Length", strconv.Itoa(len(body)))
	w.Header().Set("Cache-Control", "no-store")
	w.Header().Set("Vary", "Accept, Accept-Encoding")
	w.Header().Set("X-Content-Type-Options", "nosniff")
	if r.Method == http.MethodHead {
		return
	}
	_ = http.NewResponseController(w).SetWriteDeadline(end) // a server that knows none has its own
	w.Write(body)
}

// pack returns the page in gzip, quickly rather than small.
func (s *scrape) pack() []byte {
	s.packed.Reset()
	if s.gzip == nil {
		s.gzip, _ = gzip.NewWriterLevel(nil, gzip.BestSpeed) // fails for unknown levels alone
	}
	s.gzip.Reset(&s.packed)
	s.gzip.Write(s.page) // as is Close: a buffer takes everything
	s.gzip.Close()
	return s.packed.Bytes()
}

func refuse(w http.ResponseWriter, err error) {
	w.Header().Set("Retry-After", "1")
	w.Header().Set("Cache-Control", "no-store")
	http.Error(w, err.Error(), http.StatusServiceUnavailable)
}
