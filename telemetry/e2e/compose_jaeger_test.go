//go:build linux && jaeger

package e2e

import "testing"

// TestJaegerStory holds that Jaeger shows what the story of compose.yaml tells of, where
// it says.
func TestJaegerStory(t *testing.T) {
	var jaeger *jaeger
	topology := startTopology(t, func(t *testing.T, address string) {
		jaeger = startJaeger(t, address+":4317", address+":16686")
	})
	told := tell(t, topology.url("spangate", "8080"), topology.url("jaeger", "16686"))
	testChapters(t, told, chapters, func(t *testing.T, trace string) []span {
		spans, err := jaeger.spans(t.Context(), "/"+trace, "")
		if err != nil {
			t.Fatal(err)
		}
		return spans
	})
}
