package policy

import (
	"net/http"

	"spangate/handler"
	"spangate/handler/config"
	"spangate/handler/fault"
)

// AccessConfig says which clients may come in. The zero value lets in all.
type AccessConfig struct {
	Allow config.CIDRs `env:"ALLOW_CIDRS" envDefault:"all" list:"true" door:"write all to let in from everywhere" doc:"comma list of CIDRs that clients may come from, or all; with none nobody may"`
	Deny  config.CIDRs `env:"DENY_CIDRS" envDefault:"none" list:"true" door:"write none to shut nobody out" doc:"comma list of CIDRs that clients may not come from, also where ALLOW_CIDRS says otherwise"`
}

// Access returns a wrapper that refuses requests, 403, by the address of their
// clients, or nil when cfg lets in all. The reasons:
//
//	denied       the address is in cfg.Deny, whatever cfg.Allow says
//	not_allowed  it is in neither
//	no_address   there is none, so that no list can let it in
func Access(cfg AccessConfig, refuse Refuse) func(http.Handler) http.Handler {
	allowsAll := cfg.Allow.IsZero() || cfg.Allow.All()
	if allowsAll && cfg.Deny.Empty() {
		return nil
	}
	return func(next http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			reason := ""
			switch addr := handler.ClientOf(r).NamedAddr(); {
			case !addr.IsValid():
				reason = "no_address"
			case cfg.Deny.Contains(addr):
				reason = "denied"
			case !allowsAll && !cfg.Allow.Contains(addr):
				reason = "not_allowed"
			default:
				next.ServeHTTP(w, r)
				return
			}
			refuse(w, r, fault.Refusal{Policy: "access", Reason: reason, Status: http.StatusForbidden, Detail: "Requests from this address are not accepted."})
		})
	}
}
