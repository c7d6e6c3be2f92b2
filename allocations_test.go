//go:build !race

package main

import (
	"bufio"
	"net"
	"testing"
)

// TestAllocations holds what the whole program allocates for a request that it
// forwards, over connections that are kept. A gate that is passed is either raised
// with a reason, or the change is mended.
func TestAllocations(t *testing.T) {
	for _, test := range []struct {
		name    string
		environ []string
		gate    float64
	}{
		{"telemetry is off", []string{"OTEL_SDK_DISABLED=true", "ACCESS_LOG=off"}, 4},
	} {
		backends := "BACKENDS=http://" + repeating(t, benchmarkAnswer) + ",http://" + repeating(t, benchmarkAnswer)
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
		for range 100 {
			ask()
		}
		if got := testing.AllocsPerRun(1000, ask); got > test.gate {
			t.Errorf("%s: %v allocations, gate %v", test.name, got, test.gate)
		}
		conn.Close()
		p.stop()
	}
}
