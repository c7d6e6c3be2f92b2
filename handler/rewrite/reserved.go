package rewrite

import (
	"slices"

	"spangate/handler/field"
)

// reservedInRequest says why no configuration may change the field of that canonical
// name in what a backend sees: "" if it may. vouched are fields that policies write.
func reservedInRequest(vouched []string) func(canonical string) string {
	return func(name string) string {
		switch {
		case name == "Host":
			return "BACKEND_HOST says what backends are told"
		case field.IsForwarded(name):
			return "says whom a request comes from, which the proxy vouches for"
		case field.IsTraceContext(name):
			return "is trace context, of which each attempt has its own"
		case name == "Expect", name == "Max-Forwards":
			return "is between client, proxy and backend"
		}
		return reserved(name, vouched)
	}
}

// reservedInResponse is reservedInRequest for what a client sees.
func reservedInResponse(vouched []string) func(canonical string) string {
	return func(name string) string {
		if name == "Strict-Transport-Security" {
			return "HSTS says what clients are told"
		}
		return reserved(name, vouched)
	}
}

func reserved(name string, vouched []string) string {
	switch {
	case field.EndsHere(name):
		return "is for one connection alone, and never passed on"
	case name == "Content-Length":
		return "says where the content ends"
	case name == "Via":
		return "says which proxies have passed it on"
	case slices.ContainsFunc(vouched, func(own string) bool { return field.Canonical(own) == name }):
		return "is written by the proxy, which vouches for it"
	}
	return ""
}
