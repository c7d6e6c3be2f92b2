package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"io"
	"net"
	"os"
	"regexp"
	"strings"
	"sync"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"
)

// recording returns the first block of README that begins like that.
func recording(t *testing.T, readme, begin string) string {
	t.Helper()
	var block strings.Builder
	for line := range strings.Lines(readme) {
		text, isCode := strings.CutPrefix(line, "    ")
		switch {
		case isCode && (block.Len() > 0 || strings.HasPrefix(text, begin)):
			block.WriteString(text)
		case block.Len() > 0:
			return block.String()
		}
	}
	t.Fatalf("README has no block that begins with %q", begin)
	return ""
}

var changing = regexp.MustCompile(`\d+\.\d ms +|\b(trace[= ])[0-9a-f]{8}`)

// timeless returns lines as they are each time: without durations and identifiers.
func timeless(lines string) string { return changing.ReplaceAllString(lines, "$1… ") }

// trees returns what of the output is no line of the log.
func (l *logLines) trees() string {
	l.mu.Lock()
	defer l.mu.Unlock()
	var trees bytes.Buffer
	for line := range bytes.Lines(l.text.Bytes()) {
		if !json.Valid(line) {
			trees.Write(line)
		}
	}
	return trees.String()
}

// TestFirstTrace runs what README tells a newcomer to, and holds that what README shows
// of it is what is printed, at once and not when the program ends.
func TestFirstTrace(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	command := regexp.MustCompile(`(?m)^    (OTEL_TRACES_EXPORTER=console .*) go run \.$`).FindSubmatch(readme)
	if command == nil {
		t.Fatal("README has no such command")
	}
	p := start(t, strings.Fields(string(command[1]))...)
	p.once(t.Context(), "GET", "/hello", nil)
	p.await("← attempt 0\n")
	p.stop()
	if diff := cmp.Diff(timeless(recording(t, string(readme), "GET ")), timeless(p.log.trees())); diff != "" {
		t.Errorf("trees (-README +printed):\n%s", diff)
	}
}

// TestFirstProbes does the same for the probes that take a backend out.
func TestFirstProbes(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	p := start(t, "OTEL_TRACES_EXPORTER=console", "BACKENDS=http://localhost:1,echo:a")
	p.await("spangate.backend.state=down")
	p.stop()
	var first strings.Builder
	for line := range strings.Lines(p.log.trees()) {
		if strings.Contains(line, "spangate.backend=http://localhost:1") {
			first.WriteString(line)
		}
		if strings.Contains(line, "spangate.backend.state=down") {
			break
		}
	}
	if diff := cmp.Diff(timeless(recording(t, string(readme), "probe ")), timeless(first.String())); diff != "" {
		t.Errorf("trees (-README +printed):\n%s", diff)
	}
}

// TestConsoleLines holds that lines of the log and of trees stay lines, each whole,
// whatever clients send, and that a trace which is kept for its failure is shown too.
func TestConsoleLines(t *testing.T) {
	t.Parallel()
	refused := refusing(t)
	p := start(t, "OTEL_TRACES_EXPORTER=console", "OTEL_TRACES_SAMPLER=traceidratio", "OTEL_TRACES_SAMPLER_ARG=0", "PROBE_MODE=off",
		"BACKENDS=http://"+refused+",echo:a", "RETRY_ATTEMPTS=0", "RATE_LIMIT=100000/s")
	hostile := []string{
		"GET /a%0aGET%20SERVER%1b[31m%e2%80%ae HTTP/1.1\r\nHost: a\r\n\r\n",
		"GET /\xe2\x80\xae\xff\xc2\x9b31m?q=\xe2\x80\xa8\x85 HTTP/1.1\r\nHost: a\r\nUser-Agent: \xe2\x80\xae\x9b\xff\"\\<&>\r\n\r\n",
		"G!#$%&'*+-.^_`|~ / HTTP/1.1\r\nHost: \xe2\x80\xae\r\n\r\n",
	}
	var clients sync.WaitGroup
	for i := range 8 {
		clients.Go(func() {
			for j := range 30 {
				conn, err := net.Dial("tcp", p.addr)
				if err != nil {
					t.Error(err)
					return
				}
				io.WriteString(conn, hostile[(i+j)%len(hostile)])
				bufio.NewReader(conn).ReadString('\n') // is answered
				conn.Close()
			}
		})
	}
	clients.Wait()
	p.stop()
	p.log.mu.Lock()
	text := p.log.text.String()
	p.log.mu.Unlock()
	tree := regexp.MustCompile(`^(?:[│├└ ]. )*\S+ +(?:SERVER|CLIENT|INTERNAL) +\d+\.\d m?s`)
	kept := 0
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if strings.ContainsFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }) || !json.Valid([]byte(line)) && !tree.MatchString(line) {
			t.Errorf("what line is %q?", line)
		}
		if strings.Contains(line, " SERVER ") && strings.Contains(line, "spangate.sampling.reason=error") {
			kept++
		}
	}
	if children := strings.Count(text, "└─ "); kept == 0 || children != kept {
		t.Errorf("%d traces are kept, with %d attempts", kept, children)
	}
}
