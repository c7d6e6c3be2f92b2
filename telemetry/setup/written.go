package setup

import (
	"context"
	"net/http"
	"net/http/httptrace"
)

type writtenKey struct{}

// whenWritten returns ctx for exports of which written is told when one is with
// the collector, as far as can be told from here. It may be told more than once.
func whenWritten(ctx context.Context, written func()) context.Context {
	return context.WithValue(ctx, writtenKey{}, written)
}

// tellWritten tells who asked for it by [whenWritten].
type tellWritten struct{ next http.RoundTripper }

func (t tellWritten) RoundTrip(r *http.Request) (*http.Response, error) {
	if written, ok := r.Context().Value(writtenKey{}).(func()); ok {
		r = r.WithContext(httptrace.WithClientTrace(r.Context(), &httptrace.ClientTrace{
			WroteRequest: func(info httptrace.WroteRequestInfo) {
				if info.Err == nil {
					written()
				}
			},
		}))
	}
	return t.next.RoundTrip(r)
}
