//go:build linux && (prometheus || jaeger)

package e2e

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// story is what deploy/compose/story.sh printed: the ids of traces by the chapter that
// each is of.
type story map[string][]string

// tell runs it to its end.
func tell(t *testing.T, spangate, jaeger string) story {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), "bash", "../../deploy/compose/story.sh")
	cmd.Env = []string{"PATH=" + os.Getenv("PATH"), "SPANGATE=" + spangate, "JAEGER=" + jaeger}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("the story: %v\n%s", err, out)
	}
	t.Logf("the story:\n%s", out)
	told := story{}
	for _, line := range regexp.MustCompile(`(?m)^(\w+) .*/trace/([0-9a-f]{32})  \S`).FindAllStringSubmatch(string(out), -1) {
		told[line[1]] = append(told[line[1]], line[2])
	}
	return told
}

// answered is what there is to see of a request that an application answers at once.
const answered = `
GET SERVER Unset http.response.status_code=200 spangate.retry.stop_reason=success
  rate_limit INTERNAL Unset spangate.rate_limit.result=allowed
  GET CLIENT Unset http.response.status_code=200
    GET SERVER Unset http.response.status_code=200 spangate.retry.stop_reason=success
      GET CLIENT Unset http.response.status_code=200
`

// chapters are the trees of the story's traces, one for each that it tells of.
var chapters = map[string][]string{
	"success": {answered, answered},
	"retry": {`
GET SERVER Unset http.response.status_code=200 spangate.retry.stop_reason=success
  rate_limit INTERNAL Unset spangate.rate_limit.result=allowed
  GET CLIENT Error http.response.status_code=503 error.type=503
    GET SERVER Error http.response.status_code=503 error.type=503 spangate.retry.stop_reason=max_attempts
      GET CLIENT Error http.response.status_code=503 error.type=503
  retry INTERNAL Unset spangate.retry.reason=503 spangate.retry.attempt=1
  GET CLIENT Unset http.response.status_code=200 http.request.resend_count=1 link=3
    GET SERVER Unset http.response.status_code=200 spangate.retry.stop_reason=success
      GET CLIENT Unset http.response.status_code=200
`},
	"slow": {answered},
	"failure": {`
GET SERVER Error http.response.status_code=503 error.type=503 spangate.retry.stop_reason=max_attempts
  rate_limit INTERNAL Unset spangate.rate_limit.result=allowed
  GET CLIENT Error http.response.status_code=503 error.type=503
    GET SERVER Error http.response.status_code=503 error.type=503 spangate.retry.stop_reason=max_attempts
      GET CLIENT Error http.response.status_code=503 error.type=503
  retry INTERNAL Unset spangate.retry.reason=503 spangate.retry.attempt=1
  GET CLIENT Error http.response.status_code=503 error.type=503 http.request.resend_count=1 link=3
    GET SERVER Error http.response.status_code=503 error.type=503 spangate.retry.stop_reason=max_attempts
      GET CLIENT Error http.response.status_code=503 error.type=503
  retry INTERNAL Unset spangate.retry.reason=503 spangate.retry.attempt=2
  GET CLIENT Error http.response.status_code=503 error.type=503 http.request.resend_count=2 link=7
    GET SERVER Error http.response.status_code=503 error.type=503 spangate.retry.stop_reason=max_attempts
      GET CLIENT Error http.response.status_code=503 error.type=503
`},
	"limited": {`
GET SERVER Unset http.response.status_code=429
  rate_limit INTERNAL Unset spangate.rate_limit.result=denied
`},
	"ejected": {answered, `
backend_state_change INTERNAL Unset spangate.backend.state=ejected spangate.backend.reason=outlier link=elsewhere link=elsewhere link=elsewhere
`},
	"back": {answered, `
backend_state_change INTERNAL Unset spangate.backend.state=ready spangate.backend.reason=ejection_ended
`},
}

// testChapters holds that the traces which the story tells of are there and as they
// should be, of which a trace has the spans that find returns for its id.
func testChapters(t *testing.T, told story, want map[string][]string, find func(t *testing.T, trace string) []span) {
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	t.Cleanup(cancel)
	for chapter, trees := range want {
		t.Run(chapter, func(t *testing.T) {
			if len(told[chapter]) != len(trees) {
				t.Fatalf("it tells of %d traces, want %d", len(told[chapter]), len(trees))
			}
			for i, want := range trees {
				var got string
				if err := eventually(ctx, func() error {
					if got = tree(find(t, told[chapter][i])); got != want {
						return fmt.Errorf("trace %s is another one", told[chapter][i])
					}
					return nil
				}); err != nil {
					t.Errorf("%v (-want +got):\n%s", err, cmp.Diff(want, got))
				}
			}
		})
	}
}
