package route_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"spangate/handler/config"
	"spangate/handler/route"
)

// TestCanaryAndMirrorOfARoute holds what is said of variables that only a route has.
func TestCanaryAndMirrorOfARoute(t *testing.T) {
	for _, test := range []struct {
		name      string
		variables string // beside those of a route "read"
		want      string
	}{
		{"a canary and a mirror", "CANARY_BACKENDS=http://v2 CANARY=5% CANARY_BY=cookie:sid CANARY_HEADER=X-Canary CANARY_ABORT=errors>5%/1m MIRROR_BACKENDS=http://shadow MIRROR=1%", ""},
		{"shares of nothing", "CANARY=5% MIRROR=1%", "ROUTE_READ_CANARY: is of no use without ROUTE_READ_CANARY_BACKENDS\nROUTE_READ_MIRROR: is of no use without ROUTE_READ_MIRROR_BACKENDS"},
		{"backends of no share", "CANARY_BACKENDS=http://v2 MIRROR_BACKENDS=http://shadow", "ROUTE_READ_CANARY_BACKENDS: is of no use without ROUTE_READ_CANARY or ROUTE_READ_CANARY_HEADER\nROUTE_READ_MIRROR_BACKENDS: is of no use without ROUTE_READ_MIRROR"},
		{"files that are not there", "CANARY_BACKENDS=https://v2;ca-file=/no/such CANARY=5% MIRROR_BACKENDS=https://shadow;ca-file=/nor/this MIRROR=1%",
			"ROUTE_READ_CANARY_BACKENDS: backend \"https://v2\": ca-file: open /no/such: no such file or directory\nROUTE_READ_MIRROR_BACKENDS: backend \"https://shadow\": ca-file: open /nor/this: no such file or directory"},
		{"a key that a door takes", "CANARY_BACKENDS=http://v2 CANARY=5% CANARY_BY=header:X-Api-Key AUTH_API_KEYS=somebody:0123456789abcdef0123456789abcdef",
			"ROUTE_READ_CANARY_BY=\"header:X-Api-Key\": is not there any more when a side is chosen"},
		{"what only a canary needs", "CANARY_BACKENDS=https://v2,dns+http://v3 CANARY=5% BACKEND_SERVER_NAME=b BALANCER_DNS_REFRESH=5s", ""},
		{"what only a mirror needs", "MIRROR_BACKENDS=https://shadow,dns+http://other MIRROR=1% BACKEND_SERVER_NAME=b BALANCER_DNS_REFRESH=5s RETRY_ATTEMPTS=0 RETRY_BODY_LIMIT=1MiB", ""},
		{"what neither needs", "MIRROR_BACKENDS=http://shadow MIRROR=1% BACKEND_SERVER_NAME=b BALANCER_DNS_REFRESH=5s", "ROUTE_READ_BACKEND_SERVER_NAME: is of no use without https: in ROUTE_READ_BACKENDS, ROUTE_READ_CANARY_BACKENDS or ROUTE_READ_MIRROR_BACKENDS\nROUTE_READ_BALANCER_DNS_REFRESH: is of no use without dns+ in ROUTE_READ_BACKENDS, ROUTE_READ_CANARY_BACKENDS or ROUTE_READ_MIRROR_BACKENDS"},
		{"a rule that is none", "CANARY_BACKENDS=http://v2 CANARY=5% CANARY_ABORT=5%/1m", "ROUTE_READ_CANARY_ABORT=\"5%/1m\": must be a share of failures and a time, such as errors>5%/1m"},
	} {
		t.Run(test.name, func(t *testing.T) {
			var cfg struct {
				Route  route.Config
				Routes route.Routes
			}
			environ := []string{"BACKENDS=http://v1", "ROUTES=read", "ROUTE_READ_MATCH=/*"}
			for variable := range strings.FieldsSeq(test.variables) {
				environ = append(environ, "ROUTE_READ_"+variable)
			}
			got := ""
			if _, _, err := config.Load(&cfg, environ, func() error { return cfg.Routes.Check(&cfg.Route, false) }); err != nil {
				got = err.Error()
			}
			if diff := cmp.Diff(test.want, got); diff != "" {
				t.Errorf("(-want +got):\n%s", diff)
			}
			if fields := cfg.Routes.Fields(); strings.Contains(test.variables, "X-Canary") && !slices.Contains(fields, "X-Canary") {
				t.Errorf("the fields that mean something are %q", fields)
			}
		})
	}
}
