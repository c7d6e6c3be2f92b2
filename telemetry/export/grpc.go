package export

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"math"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"spangate/handler/fault"
)

// grpcPaths are the methods that take each signal.
var grpcPaths = map[string]string{
	"traces":  "/opentelemetry.proto.collector.trace.v1.TraceService/Export",
	"metrics": "/opentelemetry.proto.collector.metrics.v1.MetricsService/Export",
	"logs":    "/opentelemetry.proto.collector.logs.v1.LogsService/Export",
}

// callGRPC makes a gRPC call of what is posted in OTLP/HTTP, and an answer of
// OTLP/HTTP of its outcome: both carry the same messages, so that a frame of
// five bytes and a status in the trailers are all that differs. The gRPC
// exporters would do the same for megabytes of binary, and with waits between
// connections that nothing can cut short.
type callGRPC struct{ next http.RoundTripper }

func (g callGRPC) RoundTrip(r *http.Request) (*http.Response, error) {
	resp, err := g.next.RoundTrip(frame(r))
	if err != nil || resp.StatusCode != http.StatusOK {
		return resp, err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer))
	if err != nil {
		return nil, err
	}
	// An answer without a message has its status in the header.
	trailer := func(name string) string { return cmp.Or(resp.Trailer.Get(name), resp.Header.Get(name)) }
	code, err := strconv.ParseUint(trailer("Grpc-Status"), 10, 32)
	if err != nil {
		return nil, errors.New("the answer is not one of gRPC: it has no grpc-status")
	}
	if code != 0 {
		return refusal(r, fault.GRPCCode(code), trailer("Grpc-Message"), trailer("Grpc-Status-Details-Bin")), nil
	}
	resp = answer(r, http.StatusOK, "200 OK", body[min(frameHeader, len(body)):])
	if len(body) < frameHeader || body[0] != 0 {
		resp.Body = io.NopCloser(unreadable{errors.New("it has no plain message")})
	}
	return resp, nil
}

// unreadable is the body of an answer that has none, for this reason.
type unreadable struct{ err error }

func (u unreadable) Read([]byte) (int, error) { return 0, u.err }

const (
	frameHeader = 5 // one byte that says whether the message is compressed, four its length
	maxAnswer   = 4 << 20
)

// frame returns the call for a posted message, whose length is known.
func frame(r *http.Request) *http.Request {
	call := r.Clone(r.Context())
	header := make([]byte, frameHeader)
	if encoding := r.Header.Get("Content-Encoding"); encoding != "" {
		header[0] = 1
		call.Header.Set("Grpc-Encoding", encoding)
		call.Header.Del("Content-Encoding")
	}
	binary.BigEndian.PutUint32(header[1:], uint32(r.ContentLength))

	call.Header.Set("Content-Type", "application/grpc")
	call.Header.Set("Te", "trailers")
	call.ContentLength = frameHeader + r.ContentLength
	framed := func(message io.ReadCloser) io.ReadCloser {
		return struct {
			io.Reader
			io.Closer
		}{io.MultiReader(bytes.NewReader(header), message), message}
	}
	call.Body = framed(r.Body)
	// With GetBody the transport replays a call that a closing connection did
	// not take.
	call.GetBody = func() (io.ReadCloser, error) {
		message, err := r.GetBody()
		return framed(message), err
	}
	return call
}

// refusal is what OTLP/HTTP would have answered: 503 where OTLP/gRPC lets the
// client repeat, else 400.
func refusal(r *http.Request, code fault.GRPCCode, message, details string) *http.Response {
	if plain, err := url.PathUnescape(message); err == nil {
		message = plain
	}
	after, hinted := retryInfo(details)
	httpStatus := http.StatusBadRequest
	switch code {
	case fault.GRPCCanceled, fault.GRPCDeadlineExceeded, fault.GRPCAborted,
		fault.GRPCOutOfRange, fault.GRPCUnavailable, fault.GRPCDataLoss:
		httpStatus = http.StatusServiceUnavailable
	case fault.GRPCResourceExhausted:
		// Without a hint it means that no repetition will fit either.
		if hinted {
			httpStatus = http.StatusServiceUnavailable
		}
	}
	resp := answer(r, httpStatus, fmt.Sprintf("grpc status %d %s", code, code), []byte(message))
	if hinted {
		// Rounded up: not before the collector wants to be asked.
		seconds := (after + time.Second - 1) / time.Second
		resp.Header.Set("Retry-After", strconv.Itoa(int(seconds)))
	}
	return resp
}

// retryInfo reads the pause that the collector asks for: of a google.rpc.Status the
// detail that is a RetryInfo.
func retryInfo(details string) (after time.Duration, ok bool) {
	// Binary headers come with padding and without.
	status, err := base64.RawStdEncoding.DecodeString(strings.TrimRight(details, "="))
	if err != nil {
		return 0, false
	}
	for detail, err := range fields(status) {
		if err != nil {
			return 0, false
		}
		url, _ := fieldOf(detail.bytes, 1)
		if detail.number == 3 && bytes.HasSuffix(url.bytes, []byte("/google.rpc.RetryInfo")) {
			info, _ := fieldOf(detail.bytes, 2)
			delay, _ := fieldOf(info.bytes, 1)
			return duration(delay.bytes), true
		}
	}
	return 0, false
}

// duration reads a google.protobuf.Duration. One that is too long is a very long one.
func duration(message []byte) time.Duration {
	seconds, _ := fieldOf(message, 1)
	nanoseconds, _ := fieldOf(message, 2)
	const most = math.MaxInt32 // as a Retry-After
	whole := min(int64(seconds.n), most)
	return time.Duration(whole)*time.Second + time.Duration(int32(nanoseconds.n))
}

func answer(r *http.Request, code int, text string, body []byte) *http.Response {
	return &http.Response{
		Status: text, StatusCode: code,
		Proto: "HTTP/2.0", ProtoMajor: 2,
		Header:        http.Header{"Content-Type": {"application/x-protobuf"}},
		Body:          io.NopCloser(bytes.NewReader(body)),
		ContentLength: int64(len(body)),
		Request:       r,
	}
}
