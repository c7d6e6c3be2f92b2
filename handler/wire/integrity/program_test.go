package integrity

import (
	"bufio"
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"
)

// patience bounds each wait: far longer than any of them takes, so that it ends
// a test that is stuck and never one that is slow.
const patience = 30 * time.Second

// buildProgram builds it as just build and the Containerfile do.
func buildProgram(dir string) (path string, err error) {
	path = filepath.Join(dir, "spangate")
	cmd := exec.Command("go", "build", "-o", path, "-buildvcs=false", "-trimpath", "-ldflags=-s -w", ".")
	cmd.Dir = "../../.."
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("%v: %w\n%s", cmd, err, out)
	}
	return path, nil
}

// startProgram returns the address that it listens on. Its environment is what is
// given and nothing else.
func startProgram(t *testing.T, env ...string) string {
	t.Helper()
	cmd := exec.Command(*binary)
	cmd.Env = append([]string{"HOST=127.0.0.1", "PORT=0", "OTEL_SDK_DISABLED=true"}, env...)
	var stderr bytes.Buffer
	cmd.Stderr = &stderr
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	listening := make(chan string, 1)
	var alarming []string
	var reading sync.WaitGroup
	reading.Go(func() {
		for lines := bufio.NewScanner(stdout); lines.Scan(); {
			var line struct{ Msg, Address, Level string }
			json.Unmarshal(lines.Bytes(), &line)
			if line.Msg == "listening" {
				listening <- line.Address
			}
			if line.Level == "ERROR" || strings.Contains(lines.Text(), "panic") {
				alarming = append(alarming, lines.Text())
			}
		}
	})
	t.Cleanup(func() {
		cmd.Process.Signal(os.Interrupt)
		stuck := time.AfterFunc(patience, func() { cmd.Process.Kill() })
		reading.Wait()
		if err := cmd.Wait(); err != nil {
			t.Errorf("the program ended with %v", err)
		}
		stuck.Stop()
		if stderr.Len() > 0 || len(alarming) > 0 {
			t.Errorf("the program wrote: %.4000s %.4000s", &stderr, strings.Join(alarming, "\n"))
		}
	})
	select {
	case address := <-listening:
		return address
	case <-time.After(patience):
		t.Fatalf("the program never said that it listens: %s", &stderr)
		return ""
	}
}
