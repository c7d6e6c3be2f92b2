package exposition

import (
	"compress/gzip"
	"context"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"strconv"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel/sdk/metric/metricdata"
)

func collected(_ context.Context, m *metricdata.ResourceMetrics) error {
	*m = *everything()
	return nil
}

func scraped(h http.Handler, method string, fields ...string) *http.Response {
	r := httptest.NewRequest(method, "/metrics", nil)
	for i := 0; i < len(fields); i += 2 {
		r.Header.Add(fields[i], fields[i+1])
	}
	w := httptest.NewRecorder()
	h.ServeHTTP(w, r)
	return w.Result()
}

func TestScrapes(t *testing.T) {
	h := Handler(collected)
	for name, tt := range map[string]struct {
		fields []string
		format Format
		gzip   bool
	}{
		"plain":        {nil, Text004, false},
		"OpenMetrics":  {[]string{"Accept", "application/openmetrics-text;version=1.0.0"}, OpenMetrics100, false},
		"in two lines": {[]string{"Accept", "text/plain;q=0.5", "Accept", "application/openmetrics-text"}, OpenMetrics100, false},
		"packed":       {[]string{"Accept-Encoding", "gzip"}, Text004, true},
	} {
		resp := scraped(h, "GET", tt.fields...)
		var length int64
		var body io.Reader = resp.Body
		want := http.Header{
			"Content-Type": {tt.format.ContentType()}, "Cache-Control": {"no-store"}, "Vary": {"Accept, Accept-Encoding"}, "X-Content-Type-Options": {"nosniff"},
		}
		if tt.gzip {
			want.Set("Content-Encoding", "gzip")
			whole, err := io.ReadAll(resp.Body)
			if err != nil {
				t.Fatal(err)
			}
			length = int64(len(whole))
			if body, err = gzip.NewReader(strings.NewReader(string(whole))); err != nil {
				t.Fatal(err)
			}
		}
		page, err := io.ReadAll(body)
		if err != nil {
			t.Fatal(err)
		}
		if !tt.gzip {
			length = int64(len(page))
		}
		want.Set("Content-Length", strconv.FormatInt(length, 10))
		if diff := cmp.Diff(want, resp.Header); diff != "" || resp.StatusCode != http.StatusOK {
			t.Errorf("%s: %s (-want +got):\n%s", name, resp.Status, diff)
		}
		if diff := cmp.Diff(string(Append(nil, tt.format, everything())), string(page)); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		head := scraped(h, "HEAD", tt.fields...)
		if rest, _ := io.ReadAll(head.Body); len(rest) > 0 || cmp.Diff(want, head.Header) != "" {
			t.Errorf("%s: HEAD has %d bytes, and %v", name, len(rest), head.Header)
		}
	}
}

// What the page before said is not said again when nothing could be collected.
func TestScrapesThatFail(t *testing.T) {
	var failure error
	h := Handler(func(ctx context.Context, m *metricdata.ResourceMetrics) error {
		if failure != nil {
			return failure
		}
		return collected(ctx, m)
	})
	for range atOnce {
		scraped(h, "GET")
	}
	failure = errors.New("reader is shutdown")
	resp := scraped(h, "GET")
	if page, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusServiceUnavailable || string(page) != "reader is shutdown\n" || resp.Header.Get("Retry-After") != "1" {
		t.Errorf("%s %v\n%s", resp.Status, resp.Header, page)
	}
}

func TestScrapesAtOnce(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var slow bool
		h := Handler(func(ctx context.Context, m *metricdata.ResourceMetrics) error {
			if !slow {
				return collected(ctx, m)
			}
			<-ctx.Done()
			return context.Cause(ctx)
		})
		slow = true
		began := time.Now()
		answers := make(chan *http.Response, most)
		for range most {
			go func() { answers <- scraped(h, "GET") }()
		}
		synctest.Wait()
		resp := scraped(h, "GET")
		if page, _ := io.ReadAll(resp.Body); resp.StatusCode != http.StatusServiceUnavailable || string(page) != "too many scrapes at once\n" {
			t.Errorf("one more: %s %s", resp.Status, page)
		}
		for range most {
			if resp := <-answers; resp.StatusCode != http.StatusServiceUnavailable {
				t.Errorf("one that takes too long: %s", resp.Status)
			}
		}
		if took := time.Since(began); took != longest {
			t.Errorf("they took %v, want %v", took, longest)
		}
		slow = false
		if resp := scraped(h, "GET"); resp.StatusCode != http.StatusOK {
			t.Errorf("afterwards: %s", resp.Status)
		}
	})
}

// Who reads his page slowly does not keep others from theirs.
func TestScrapesThatAreReadSlowly(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		h, read := Handler(collected), make(chan struct{})
		for range 2 * atOnce {
			go h.ServeHTTP(slowReader{httptest.NewRecorder(), read}, httptest.NewRequest("GET", "/metrics", nil))
		}
		synctest.Wait()
		if resp := scraped(h, "GET"); resp.StatusCode != http.StatusOK {
			t.Errorf("beside them: %s", resp.Status)
		}
		close(read)
	})
}

type slowReader struct {
	http.ResponseWriter
	read chan struct{}
}

func (r slowReader) Write(p []byte) (int, error) {
	<-r.read
	return r.ResponseWriter.Write(p)
}

func BenchmarkScrape(b *testing.B) {
	h, r := Handler(collected), httptest.NewRequest("GET", "/metrics", nil)
	b.ReportAllocs()
	for b.Loop() {
		h.ServeHTTP(httptest.NewRecorder(), r)
	}
}
