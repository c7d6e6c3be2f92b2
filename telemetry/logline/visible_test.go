package logline_test

import (
	"bytes"
	"context"
	"log/slog"
	"strings"
	"testing"
	"time"
	"unicode"

	"spangate/telemetry/logline"
)

// Lines show all that is in them, in each form.
func TestLinesAreVisible(t *testing.T) {
	const obeyed = "a\u0085b\u009b31mc\u202ed\u2066e\u200ef\u00adg\U000e0041h\x1bi\x7fj\xffk"
	for _, cfg := range []logline.Config{{AccessLog: "json"}, {AccessLog: "text"}} {
		var out bytes.Buffer
		lines := logline.NewLines(&out)
		written := make(chan struct{})
		go func() { defer close(written); lines.Run() }()
		log := slog.New(logline.NewHandler(cfg, lines))
		log.LogAttrs(context.Background(), slog.LevelInfo, obeyed, slog.String("value", obeyed), slog.String(obeyed, "name"), slog.Any("list", []string{obeyed}), slog.Group("group", obeyed, obeyed))
		lines.Close(time.Minute)
		<-written
		line := strings.TrimSuffix(out.String(), "\n")
		if at := strings.IndexFunc(line, func(r rune) bool { return !unicode.IsPrint(r) }); at >= 0 {
			t.Errorf("%s: %.40q is hidden in %q", cfg.AccessLog, line[at:], line)
		}
		if !strings.Contains(out.String(), `\u202e`) {
			t.Errorf("%s: nothing is escaped in %q", cfg.AccessLog, &out)
		}
	}
}
