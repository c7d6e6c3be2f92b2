package clients

import (
	"bufio"
	"encoding/json"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// installed returns a directory with what dir/package.json asks for, and the files
// beside it.
func installed(t *testing.T, dir string) string {
	t.Helper()
	if _, err := exec.LookPath("npm"); err != nil {
		if os.Getenv("CI") != "" {
			t.Fatal("no npm, which this needs")
		}
		t.Skip("no npm")
	}
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	npm := exec.CommandContext(t.Context(), "npm", "install", "--no-audit", "--no-fund")
	npm.Dir = to
	if out, err := npm.CombinedOutput(); err != nil {
		t.Fatalf("npm install: %v\n%s", err, out)
	}
	return to
}

// outcomes runs a script of the directory npm behind the program, which speaks
// HTTPS, and returns what its checks came to.
func outcomes(t *testing.T, dir, script string, env ...string) map[string]string {
	t.Helper()
	certFile, keyFile, _ := certificate(t)
	node := exec.CommandContext(t.Context(), "node", filepath.Join(dir, script))
	node.Env = append(os.Environ(), "NODE_EXTRA_CA_CERTS="+certFile)
	node.Stderr = os.Stderr
	in, err := node.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	pipe, err := node.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := node.Start(); err != nil {
		t.Fatal(err)
	}
	out := bufio.NewReader(pipe)
	port, err := out.ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	s := startSpangate(t, append(env, "BACKENDS=http://127.0.0.1:"+strings.TrimSpace(port), "PROBE_MODE=off", "TLS_CERT_FILE="+certFile, "TLS_KEY_FILE="+keyFile)...)
	io.WriteString(in, "https"+strings.TrimPrefix(s.url, "http")+"\n")
	var got map[string]string
	if err := json.NewDecoder(out).Decode(&got); err != nil {
		t.Fatal(err)
	}
	io.Copy(io.Discard, out) // Wait closes the pipe
	if err := node.Wait(); err != nil {
		t.Error(err)
	}
	return got
}

func TestPackages(t *testing.T) {
	dir := installed(t, "npm")
	for script, want := range map[string]map[string]string{
		"websocket.mjs": {
			"sizes":                "",
			"fragments":            "one two three; 3 pings; 1000 bye",
			"ping of the client":   "abc",
			"ping of the server":   "pong of abc",
			"closed by the server": "last words, 4001 the server's reason",
			"ended by the server":  "last words, 1006",
			"broken by the server": "last words, 1006",
			"ended by the client":  "1006",
			"broken by the client": "1006",
		},
		"socketio.mjs": {
			"polling":   "polling: text, 1,2,3",
			"websocket": "websocket: text, 1,2,3",
			"upgrade":   "websocket: text",
			"reconnect": "true: again",
		},
	} {
		t.Run(script, func(t *testing.T) {
			t.Parallel()
			if diff := cmp.Diff(want, outcomes(t, dir, script)); diff != "" {
				t.Errorf("outcomes (-want +got):\n%s", diff)
			}
		})
	}
}
