package export

import (
	"context"
	"net/http"
	"net/http/httptrace"
)

type writtenKey struct{}

// whenWritten returns ctx for an export of which is told whether it is with the
// collector, as far as can be known from here: true once an attempt is, and
// false when that has failed.
func whenWritten(ctx context.Context, is func(written bool)) context.Context {
	return context.WithValue(ctx, writtenKey{}, is)
}

func setWritten(ctx context.Context, written bool) {
	if is, ok := ctx.Value(writtenKey{}).(func(bool)); ok {
		is(written)
	}
}

// tellWritten tells who asked for it by [whenWritten].
type tellWritten struct{ next http.RoundTripper }

func (t tellWritten) RoundTrip(r *http.Request) (*http.Response, error) {
	ctx := r.Context()
	r = r.WithContext(httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{
		WroteRequest: func(info httptrace.WroteRequestInfo) { setWritten(ctx, info.Err == nil) },
	}))
	return t.next.RoundTrip(r)
}
