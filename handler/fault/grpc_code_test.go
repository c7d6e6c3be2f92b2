package fault_test

import (
	"fmt"
	"net/http"
	"strings"
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

// TestGRPCCodesTaken has the table of grpc/doc/http-grpc-status-mapping.md.
func TestGRPCCodesTaken(t *testing.T) {
	for status, want := range map[int]codes.Code{
		200: codes.Unknown, 204: codes.Unknown, 302: codes.Unknown, 400: codes.Internal, 401: codes.Unauthenticated, 403: codes.PermissionDenied,
		404: codes.Unimplemented, 405: codes.Unknown, 415: codes.Unknown, 429: codes.Unavailable, 431: codes.Internal,
		500: codes.Unknown, 502: codes.Unavailable, 503: codes.Unavailable, 504: codes.Unavailable,
	} {
		if got := codes.Code(fault.GRPCCodeTaken(status)); got != want {
			t.Errorf("%d is taken for %v, want %v", status, got, want)
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

func TestGRPCWords(t *testing.T) {
	words := fault.GRPCWords()
	if len(words) != 16 || words[0] != "cancelled" || words[15] != "unauthenticated" {
		t.Errorf("the words are %q", words)
	}
	for i, word := range words {
		for _, name := range []string{word, strings.ReplaceAll(word, "-", "_")} {
			if code, ok := fault.GRPCCodeNamed(name); !ok || int(code) != i+1 {
				t.Errorf("%s is %v, %v", name, code, ok)
			}
		}
	}
	for _, name := range []string{"", "UNAVAILABLE", "14", "canceled", "data--loss"} {
		if code, ok := fault.GRPCCodeNamed(name); ok {
			t.Errorf("%q is %v", name, code)
		}
	}
}

// TestGRPCFaultsOfServers has those of OpenTelemetry's conventions for gRPC.
func TestGRPCFaultsOfServers(t *testing.T) {
	var got []string
	for code := range fault.GRPCCode(17) {
		if code.OfServer() {
			got = append(got, code.String())
		}
	}
	if diff := cmp.Diff([]string{"UNKNOWN", "DEADLINE_EXCEEDED", "UNIMPLEMENTED", "INTERNAL", "UNAVAILABLE", "DATA_LOSS"}, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

func TestGRPCStatusOfFields(t *testing.T) {
	for want, fields := range map[string]http.Header{
		"OK false":           {},
		"OK true":            {"Grpc-Status": {"0"}},
		"UNAVAILABLE true":   {"Grpc-Status": {"14", "0"}},
		"DATA_LOSS true":     {"Trailer:Grpc-Status": {"15"}},
		"INTERNAL true":      {"Grpc-Status": {"15"}, "Trailer:Grpc-Status": {"13"}},
		"UNKNOWN true":       {"Grpc-Status": {"unavailable"}},
		"OK false, no lines": {"Grpc-Status": {}},
	} {
		code, said := fault.GRPCStatus(fields)
		if got := fmt.Sprint(code, " ", said); !strings.HasPrefix(want, got) {
			t.Errorf("%v says %s, want %s", fields, got, want)
		}
	}
}
