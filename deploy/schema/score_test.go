package schema

import (
	"bytes"
	"maps"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

// TestScore holds that kube-score finds nothing critical in the overlays, but for what
// is meant. It has a module file of its own, as it is for other versions of Kubernetes's
// types.
func TestScore(t *testing.T) {
	meant := map[string]string{
		"ImagePullPolicy is not set to Always":          "a tag is one image, which may have been put on the node",
		"The services selector does not match any pods": "the applications are the user's",
	}
	kubeScore := tool(t, "score.mod", "kube-score")
	eachBuild(t, func(t *testing.T, b build) {
		if !strings.Contains(t.Name(), "/overlays/") {
			return
		}
		// That there is no limit of the CPU is said in the Deployment.
		score := exec.CommandContext(t.Context(), kubeScore, "score", "--output-format=ci", "--ignore-container-cpu-limit", "-")
		score.Stdin = bytes.NewReader(bytes.Join(slices.Collect(maps.Values(b)), []byte("---\n")))
		var stderr strings.Builder
		score.Stderr = &stderr
		out, _ := score.Output() // fails where anything is critical
		if !strings.Contains(string(out), "[OK] spangate apps/v1/Deployment") {
			t.Fatalf("kube-score: %s\n%s", &stderr, out)
		}
		for line := range strings.Lines(string(out)) {
			if strings.HasPrefix(line, "[CRITICAL]") && !slices.ContainsFunc(slices.Collect(maps.Keys(meant)), func(m string) bool { return strings.Contains(line, m) }) {
				t.Error(line)
			}
		}
	})
}
