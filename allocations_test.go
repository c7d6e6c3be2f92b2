//go:build !race

package main

import (
	"bufio"
	"net"
	"testing"
	"time"
)

// TestAllocations holds what the whole program allocates for a request that it
// forwards, over connections that are kept. A gate that is passed is either raised
// with a reason, or the change is mended.
func TestAllocations(t *testing.T) {
	for _, test := range []struct {
		name    string
		environ []string
		wait    time.Duration // of the backend's
		runs    int
		gate    float64
	}{
		{"telemetry is off", []string{"OTEL_SDK_DISABLED=true", "ACCESS_LOG=off"}, 0, 1000, 4},
		{"telemetry is off, a wait", []string{"OTEL_SDK_DISABLED=true", "ACCESS_LOG=off"}, 50 * time.Millisecond, 20, 6},
	} {
		backends := "BACKENDS=http://" + repeatingAfter(t, test.wait, benchmarkAnswer) + ",http://" + repeatingAfter(t, test.wait, benchmarkAnswer)
		p := start(t, append(test.environ, backends)...)
		conn, err := net.Dial("tcp", p.addr)
		if err != nil {
			t.Fatal(err)
		}
		r := bufio.NewReader(conn)
		ask := func() {
			if err := askAgain(conn, r); err != nil {
				t.Fatal(err)
			}
		}
		for range test.runs / 10 {
			ask()
		}
		if got := testing.AllocsPerRun(test.runs, ask); got > test.gate {
			t.Errorf("%s: %v allocations, gate %v", test.name, got, test.gate)
		}
		conn.Close()
		p.stop()
	}
}
