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
	// atOnce is how many scrapes are collected at a time. The memory for their pages is
	// kept for others.
	atOnce = 4

	// most is how many may wait for that, or for who asked to read the page.
	most = 64

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
	h := &handler{collect: collect, idle: make(chan *scrape, atOnce), turns: make(chan struct{}, most)}
	for range atOnce {
		h.idle <- &scrape{}
	}
	return h
}

type handler struct {
	collect func(context.Context, *metricdata.ResourceMetrics) error
	idle    chan *scrape
	turns   chan struct{} // has one for each scrape that is answered
}

// scrape is what a page is made with.
type scrape struct {
	metrics metricdata.ResourceMetrics
	page    []byte
	packed  bytes.Buffer
	gzip    *gzip.Writer
}

var errBusy = errors.New("too many scrapes at once")

func (h *handler) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	select {
	case h.turns <- struct{}{}:
		defer func() { <-h.turns }()
	default:
		refuse(w, errBusy)
		return
	}
	end := time.Now().Add(longest)
	body, err := h.page(w.Header(), r, end)
	if err != nil {
		refuse(w, err)
		return
	}
	if r.Method == http.MethodHead {
		return
	}
	_ = http.NewResponseController(w).SetWriteDeadline(end) // a server that knows none has its own
	w.Write(body)
}

// page returns what is said to r, and describes it in the header. It is a copy: who reads
// it slowly does not keep others waiting.
func (h *handler) page(header http.Header, r *http.Request, end time.Time) ([]byte, error) {
	ctx, cancel := context.WithDeadline(r.Context(), end)
	defer cancel()
	var s *scrape
	select {
	case s = <-h.idle:
		defer func() { h.idle <- s }()
	case <-ctx.Done():
		return nil, errBusy
	}
	if err := h.collect(ctx, &s.metrics); err != nil {
		return nil, err
	}
	format := Negotiate(strings.Join(r.Header.Values("Accept"), ","))
	s.page = Append(s.page[:0], format, &s.metrics)
	body := s.page
	if AcceptsGzip(strings.Join(r.Header.Values("Accept-Encoding"), ",")) {
		body = s.pack()
		header.Set("Content-Encoding", "gzip")
	}
	header.Set("Content-Type", format.ContentType())
	header.Set("Content-Length", strconv.Itoa(len(body)))
	header.Set("Cache-Control", "no-store")
	header.Set("Vary", "Accept, Accept-Encoding")
	header.Set("X-Content-Type-Options", "nosniff")
	return bytes.Clone(body), nil
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
