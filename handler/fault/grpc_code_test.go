package fault_test

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"google.golang.org/grpc/codes"

	"spangate/handler/fault"
)

func TestGRPCCodes(t *testing.T) {
	for status, want := range map[int]codes.Code{
		400: codes.Internal, 401: codes.Unauthenticated, 403: codes.PermissionDenied, 404: codes.Unimplemented,
		405: codes.Unimplemented, 408: codes.DeadlineExceeded, 413: codes.ResourceExhausted, 417: codes.Unknown,
		429: codes.ResourceExhausted, 431: codes.ResourceExhausted, 499: codes.Canceled, 500: codes.Internal,
		501: codes.Unimplemented, 502: codes.Unavailable, 503: codes.Unavailable, 504: codes.DeadlineExceeded,
		508: codes.Internal,
	} {
		if got := codes.Code(fault.GRPCCodeOf(status)); got != want {
			t.Errorf("%d is %v, want %v", status, got, want)
		}
	}
}

// TestGRPCNames checks the names by those of grpc-go, which reads them.
func TestGRPCNames(t *testing.T) {
	for code := range fault.GRPCCode(17) {
		var read codes.Code
		if err := read.UnmarshalJSON([]byte(`"` + code.String() + `"`)); err != nil || int(read) != int(code) {
			t.Errorf("%d is %s: %v %v", int(code), code, read, err)
		}
	}
	got := map[string]string{}
	for _, value := range []string{"0", "00", "14", "16", "17", "-1", "99999999999", "", "OK", " 0"} {
		got[value] = fault.ParseGRPCCode(value).String()
	}
	if diff := cmp.Diff(map[string]string{
		"0": "OK", "00": "OK", "14": "UNAVAILABLE", "16": "UNAUTHENTICATED",
		"17": "UNKNOWN", "-1": "UNKNOWN", "99999999999": "UNKNOWN", "": "UNKNOWN", "OK": "UNKNOWN", " 0": "UNKNOWN",
	}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if got := fault.GRPCCode(-1).String(); got != "UNKNOWN" {
		t.Errorf("-1 is %s", got)
	}
}
