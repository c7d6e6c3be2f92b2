//go:build !race

package logline

import (
	"io"
	"testing"
)

// TestAllocations holds that a line takes no memory but what is used again.
func TestAllocations(t *testing.T) {
	lines := NewLines(io.Discard)
	log := NewAccessLog(Config{AccessLog: asJSON}, lines)
	write := func() {
		writeUsual(log)
		lines.writeOut()
	}
	write()
	if n := testing.AllocsPerRun(1000, write); n > 0 {
		t.Errorf("%v allocations for a line", n)
	}
}
