package probe

import (
	"bytes"
	"context"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strconv"
	"strings"

	"google.golang.org/protobuf/encoding/protowire"
)

const (
	// healthMethod and serviceField, statusField are those of
	// grpc.health.v1's health.proto.
	healthMethod = "/grpc.health.v1.Health/Check"
	serviceField = protowire.Number(1)
	statusField  = protowire.Number(1)

	// frameHeader is the length of what goes before a message: a byte that says
	// whether it is compressed, and its length in four.
	frameHeader = 5
	// maxAnswer bounds an answer, which is 7 bytes where nobody added to it.
	maxAnswer = 4 << 10
)

// checkGRPC returns a check that calls grpc.health.v1.Health/Check about service, or
// about the whole server when that is empty, and is content with SERVING. The
// authority is host, or u's when that is empty. rt must speak HTTP/2, in the
// clear if u's scheme is http; see checkHTTP for what else is asked of it.
func checkGRPC(rt http.RoundTripper, host, service string) Check {
	question := healthQuestion(service)
	return func(ctx context.Context, u *url.URL) error {
		req, err := request(ctx, u, http.MethodPost, host, healthMethod)
		if err != nil {
			return fmt.Errorf("probing %s: %w", healthMethod, err)
		}
		req.Header.Set("Content-Type", "application/grpc")
		req.Header.Set("Te", "trailers")
		req.Body = io.NopCloser(bytes.NewReader(question))
		req.GetBody = func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(question)), nil }
		req.ContentLength = int64(len(question))
		resp, err := rt.RoundTrip(req)
		if err != nil {
			return fmt.Errorf("probing %s: %w", req.URL, err)
		}
		defer resp.Body.Close()
		if err := healthResponse(ctx, resp); err != nil {
			return fmt.Errorf("probing %s: %w", req.URL, err)
		}
		return nil
	}
}

func healthQuestion(service string) []byte {
	var message []byte
	if service != "" {
		message = protowire.AppendTag(message, serviceField, protowire.BytesType)
		message = protowire.AppendString(message, service)
	}
	frame := binary.BigEndian.AppendUint32([]byte{0}, uint32(len(message)))
	return append(frame, message...)
}

// healthResponse returns nil when resp says SERVING.
func healthResponse(ctx context.Context, resp *http.Response) error {
	contentType := resp.Header.Get("Content-Type")
	switch {
	case resp.ProtoMajor != 2:
		return malformed("answered in HTTP/%d.%d, where gRPC takes HTTP/2", resp.ProtoMajor, resp.ProtoMinor)
	case resp.StatusCode != http.StatusOK:
		code := strconv.Itoa(resp.StatusCode)
		return &failure{code, fmt.Errorf("status %s", code)}
	case !strings.HasPrefix(contentType, "application/grpc"):
		return malformed("answered with Content-Type %.100q, not with gRPC", contentType)
	}
	answer, err := io.ReadAll(io.LimitReader(resp.Body, maxAnswer+1))
	if err != nil {
		return brokenOff(ctx, err)
	}
	if len(answer) > maxAnswer {
		return malformed("answered with more than %d bytes", maxAnswer)
	}
	// A call that failed at once has its status in the header, and no trailer.
	trailer := resp.Trailer
	if trailer.Get("Grpc-Status") == "" {
		trailer = resp.Header
	}
	if err := callStatus(trailer.Get("Grpc-Status"), trailer.Get("Grpc-Message")); err != nil {
		return err
	}
	serving, err := parseHealth(answer)
	if err != nil {
		return err
	}
	if serving != 1 {
		return servingFailure(serving)
	}
	return nil
}

// callStatus returns why a call failed, or nil. code and message are the
// peer's.
func callStatus(code, message string) error {
	if code == "0" {
		return nil
	}
	n, err := strconv.ParseUint(code, 10, 8)
	if err != nil || n >= uint64(len(codes)) {
		return malformed("answered with grpc-status %.100q", code)
	}
	err = fmt.Errorf("grpc-status %d (%s)", n, codes[n])
	switch {
	case codes[n] == "unimplemented":
		err = fmt.Errorf("%w: the backend has no health service", err)
	case message != "":
		if plain, perr := url.PathUnescape(message); perr == nil {
			message = plain
		}
		err = fmt.Errorf("%w: %.200q", err, message)
	}
	return &failure{codes[n], err}
}

// codes are the names of gRPC's status codes, by number.
var codes = []string{
	"ok", "cancelled", "unknown", "invalid_argument", "deadline_exceeded", "not_found", "already_exists",
	"permission_denied", "resource_exhausted", "failed_precondition", "aborted", "out_of_range", "unimplemented",
	"internal", "unavailable", "data_loss", "unauthenticated",
}

// parseHealth reads a HealthCheckResponse in its frame and returns its
// ServingStatus.
func parseHealth(answer []byte) (serving uint64, err error) {
	if len(answer) < frameHeader {
		return 0, malformed("answered with %d bytes, less than a gRPC message", len(answer))
	}
	if answer[0] != 0 {
		return 0, malformed("compressed its answer without being asked to")
	}
	message := answer[frameHeader:]
	if length := binary.BigEndian.Uint32(answer[1:]); uint64(length) != uint64(len(message)) {
		return 0, malformed("announced a message of %d bytes and sent %d", length, len(message))
	}
	for len(message) > 0 {
		field, kind, n := protowire.ConsumeTag(message)
		if n < 0 {
			return 0, malformed("message: %w", protowire.ParseError(n))
		}
		message = message[n:]
		if field == statusField && kind == protowire.VarintType {
			serving, n = protowire.ConsumeVarint(message) // of several, the last holds
		} else {
			n = protowire.ConsumeFieldValue(field, kind, message)
		}
		if n < 0 {
			return 0, malformed("message: %w", protowire.ParseError(n))
		}
		message = message[n:]
	}
	return serving, nil
}

func servingFailure(serving uint64) error {
	switch serving {
	case 0:
		return &failure{"unknown", errors.New("health is UNKNOWN")}
	case 2:
		return &failure{"not_serving", errors.New("health is NOT_SERVING")}
	case 3:
		return &failure{"service_unknown", errors.New("health is SERVICE_UNKNOWN")}
	}
	return malformed("health is %d, which has no meaning", serving)
}

func malformed(format string, args ...any) error {
	return &failure{"malformed_response", fmt.Errorf(format, args...)}
}
