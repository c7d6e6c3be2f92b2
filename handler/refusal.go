package handler

import (
	"math"
	"net/http"
	"strconv"
	"strings"

	"golang.org/x/net/http/httpguts"

	"spangate/handler/fault"
)

// RefusalOf returns why a request is refused that is malformed or not for a
// gateway, without a status where it is neither.
func RefusalOf(r *http.Request) fault.Refusal {
	if r.Method == http.MethodConnect {
		return fault.Refusal{Status: http.StatusNotImplemented, Detail: "There are no tunnels here."}
	}
	if wrong := Malformed(r); wrong != "" {
		return fault.Refusal{Status: http.StatusBadRequest, Detail: wrong}
	}
	hops, limited, err := maxForwards(r)
	switch {
	case r.Method == http.MethodTrace:
		return fault.Refusal{Status: http.StatusMethodNotAllowed, Detail: "TRACE would show what is added on the way."}
	case err != nil:
		return fault.Refusal{Status: http.StatusBadRequest, Detail: "Max-Forwards is not one number."}
	case asksGateway(r), limited && hops == 0:
		return fault.Refusal{Status: http.StatusNoContent} // asks about the gateway itself
	case expectsOther(r):
		return fault.Refusal{Status: http.StatusExpectationFailed, Detail: "Nothing but 100-continue can be expected."}
	case loops(r):
		return fault.Refusal{Status: http.StatusLoopDetected, Detail: "The request goes round in a circle."}
	}
	return fault.Refusal{}
}

// asksGateway reports whether r is about the server as a whole. A URL without
// path and query says so too (RFC 9112 §3.2.4).
func asksGateway(r *http.Request) bool {
	return r.Method == http.MethodOptions && (r.RequestURI == "*" || r.URL.Host != "" && r.URL.Path == "" && r.URL.RawQuery == "" && !r.URL.ForceQuery)
}

// maxForwards returns how many more hops an OPTIONS request may make, if it
// limits them (RFC 9110 §7.6.2). For other methods the field means nothing.
func maxForwards(r *http.Request) (hops int64, limited bool, err error) {
	lines := r.Header["Max-Forwards"]
	if r.Method != http.MethodOptions || len(lines) == 0 {
		return 0, false, nil
	}
	if len(lines) > 1 || strings.Trim(lines[0], "0123456789") != "" || lines[0] == "" {
		return 0, false, strconv.ErrSyntax
	}
	hops, err = strconv.ParseInt(lines[0], 10, 64)
	if err != nil {
		hops = math.MaxInt64 // more than can be counted
	}
	return hops, true, nil
}

// expectsContinue reports whether r expects an interim response before it
// sends its content.
func expectsContinue(r *http.Request) bool {
	return httpguts.HeaderValuesContainsToken(r.Header["Expect"], "100-continue")
}

// expectsOther reports whether r expects what cannot be promised (RFC 9110
// §10.1.1). HTTP/1.0 has no expectations.
func expectsOther(r *http.Request) bool {
	if !r.ProtoAtLeast(1, 1) {
		return false
	}
	for _, line := range r.Header["Expect"] {
		for member := range strings.SplitSeq(line, ",") {
			if member = trim(member); member != "" && !strings.EqualFold(member, "100-continue") {
				return true
			}
		}
	}
	return false
}
