package main

import (
	"io"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// When garbage is collected is shown with its origin, and what the user set is
// heeded; what the runtime would not understand is refused.
func TestMemoryInTheConfiguration(t *testing.T) {
	for name, test := range map[string]struct {
		environ     []string
		gogc, limit string // pattern of origin and value
		wantFaults  []string
	}{
		"by default":      {gogc: "default 400, at most [0-9]+MiB", limit: `default ([0-9]+MiB|off)`},
		"set":             {environ: []string{"GOGC=200", "GOMEMLIMIT=300MiB"}, gogc: "set 200", limit: "set 300MiB"},
		"off":             {environ: []string{"GOGC=off", "GOMEMLIMIT=off"}, gogc: "set off", limit: "set off"},
		"one of both set": {environ: []string{"GOGC=100"}, gogc: "set 100", limit: `default ([0-9]+MiB|off)`},
		"at fault": {
			environ:    []string{"GOGC=x", "GOMEMLIMIT=300MB"},
			wantFaults: []string{`GOGC="x": must be a whole number of percent, such as 400, auto or off`, `GOMEMLIMIT="300MB": must be bytes, such as 400MiB, or off`},
		},
	} {
		t.Run(name, func(t *testing.T) {
			var stdout strings.Builder
			err := command(t.Context(), []string{"config"}, append([]string{backends}, test.environ...), &stdout)
			if diff := cmp.Diff(test.wantFaults, lines(err)); diff != "" {
				t.Errorf("faults (-want +got):\n%s", diff)
			}
			for variable, want := range map[string]string{"GOGC": test.gogc, "GOMEMLIMIT": test.limit} {
				pattern := `(?m)^` + variable + ` +` + strings.ReplaceAll(want, " ", " +") + `$`
				if want != "" && !regexp.MustCompile(pattern).MatchString(stdout.String()) {
					t.Errorf("config shows no line %s:\n%s", pattern, &stdout)
				}
			}
		})
	}
	if err := run(t.Context(), []string{backends, "GOGC=x"}, io.Discard); err == nil {
		t.Error("it starts all the same")
	}
}
