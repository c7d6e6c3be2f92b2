package main

import "testing"

// Here the limit is sent: a process of its own has one.
func init() { delete(notEmitted, "metric go.memory.limit") }

// The process's heap is bounded as the configuration says: by what the user set,
// or else by the defaults, which follow what lives and differ from Go's own, 100,
// at the start of any program.
func TestMemoryOfTheProcess(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		environ     []string
		least, most float64 // percent
		limit       float64 // 0: whatever the machine has
	}{
		"by default": {least: 200, most: 400},
		"set":        {environ: []string{"GOGC=150", "GOMEMLIMIT=100MiB"}, least: 150, most: 150, limit: 100 << 20},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			p := startLimited(t, "true", append([]string{"BACKENDS=echo:a", "PROBE_MODE=off"}, test.environ...)...)
			p.stop()
			if gogc := p.counted("go.config.gogc"); gogc < test.least || gogc > test.most {
				t.Errorf("GOGC is %v, want %v to %v", gogc, test.least, test.most)
			}
			if limit := p.counted("go.memory.limit"); limit == 0 || test.limit != 0 && limit != test.limit {
				t.Errorf("the limit is %v, want %v", limit, test.limit)
			}
		})
	}
}
