package logline_test

import (
	"bytes"
	"io"
	"os"
	"testing"
	"time"

	"spangate/telemetry/logline"
)

func TestColoured(t *testing.T) {
	device, err := os.OpenFile(os.DevNull, os.O_WRONLY, 0) // as a terminal is one
	if err != nil {
		t.Fatal(err)
	}
	defer device.Close()
	r, pipe, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	defer pipe.Close()
	for _, test := range []struct {
		w       io.Writer
		environ []string
		want    bool
	}{
		{device, []string{"TERM=xterm-256color"}, true},
		{device, []string{"TERM=linux", "NO_COLOR="}, true},
		{device, []string{"NO_COLOR=1", "TERM=xterm"}, false},
		{device, []string{"TERM=xterm", "NO_COLOR=1", "NO_COLOR="}, true}, // the last of two counts
		{device, []string{"TERM=dumb"}, false},
		{device, []string{"TERM="}, false},
		{device, nil, false},
		{pipe, []string{"TERM=xterm"}, false},
		{&bytes.Buffer{}, []string{"TERM=xterm"}, false},
	} {
		if got := logline.Coloured(test.w, test.environ); got != test.want {
			t.Errorf("%T, %q: %t", test.w, test.environ, got)
		}
	}
}

// What is coloured is written as it is, between lines in which nothing is.
func TestShownLines(t *testing.T) {
	var out bytes.Buffer
	lines := logline.NewLines(&out)
	written := make(chan struct{})
	go func() { defer close(written); lines.Run() }()
	for _, w := range []io.Writer{lines, lines.Shown(), lines} {
		if _, err := io.WriteString(w, "\x1b[31mred\x1b[0m\n"); err != nil {
			t.Error(err)
		}
	}
	lines.Close(time.Minute)
	<-written
	const plain = `\u001b[31mred\u001b[0m` + "\n"
	if want := plain + "\x1b[31mred\x1b[0m\n" + plain; out.String() != want {
		t.Errorf("%q, want %q", &out, want)
	}
}
