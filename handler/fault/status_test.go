package fault_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"

	"spangate/handler/fault"
)

func TestStatus(t *testing.T) {
	for kind, want := range map[fault.Type]int{
		fault.ConnectionRefused: 502, fault.ConnectError: 502, fault.ConnectionReset: 502, fault.TLSHandshakeError: 502, fault.DNSError: 502,
		fault.BackendReset: 502, fault.MalformedResponse: 502, fault.Type("of tomorrow"): 502,
		fault.ConnectTimeout: 504, fault.ResponseTimeout: 504, fault.Timeout: 504,
		fault.NoHealthyBackend: 503, fault.Overloaded: 503, fault.Shutdown: 503,
		fault.BodyTooLarge: 413, fault.MalformedRequest: 400, fault.HeaderTooLarge: 431, fault.ClientTimeout: 408,
		fault.ClientDisconnected: 499, fault.InternalError: 500,
	} {
		if got := kind.Status(); got != want {
			t.Errorf("%s: %d, want %d", kind, got, want)
		}
	}
}

func TestOfCall(t *testing.T) {
	const otherwise = fault.Type("store_error")
	refused := &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", syscall.ECONNREFUSED)}
	for _, test := range []struct {
		err  error
		want fault.Type
	}{
		{fmt.Errorf("asking: %w", &fault.Error{Type: fault.DNSError}), fault.DNSError},
		{fmt.Errorf("asking: %w", context.DeadlineExceeded), fault.Timeout},
		{fmt.Errorf("asking: %w", os.ErrDeadlineExceeded), fault.Timeout},
		{refused, fault.ConnectionRefused},
		{&net.OpError{Op: "read", Err: os.NewSyscallError("read", syscall.ECONNRESET)}, fault.ConnectionReset},
		{&net.OpError{Op: "write", Err: os.NewSyscallError("write", syscall.EPIPE)}, fault.ConnectionReset},
		{io.EOF, otherwise},
		{context.Canceled, otherwise},
		{errors.New("WRONGPASS"), otherwise},
	} {
		if got := fault.OfCall(test.err, otherwise); got != test.want {
			t.Errorf("%v: %s, want %s", test.err, got, test.want)
		}
	}
}
