package export

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"strings"
	"testing"

	"github.com/go-logr/logr"
	"github.com/google/go-cmp/cmp"
	"go.opentelemetry.io/otel"
	"go.opentelemetry.io/otel/baggage"
)

func TestSDKSpeaksThroughTheLog(t *testing.T) {
	for _, tt := range []struct {
		level logLevel
		want  string
	}{
		{"none", ""},
		{"error", "ERROR ERROR "},
		{"", "ERROR ERROR WARN "},
		{"warn", "ERROR ERROR WARN "},
		{"info", "ERROR ERROR WARN INFO "},
		{"debug", "ERROR ERROR WARN INFO DEBUG "},
	} {
		t.Run(string(tt.level), func(t *testing.T) {
			var levels bytes.Buffer
			log := slog.New(slog.NewTextHandler(&levels, &slog.HandlerOptions{
				Level: slog.LevelDebug,
				ReplaceAttr: func(_ []string, a slog.Attr) slog.Attr {
					if a.Key == slog.LevelKey {
						fmt.Fprint(&levels, a.Value, " ")
					}
					return slog.Attr{}
				},
			}))
			listen(log, tt.level)
			otel.Handle(errors.New("lost"))
			otel.Handle(fmt.Errorf("collecting: %w", context.Canceled))
			for _, sent := range []string{"a=\xff", "a b=c", "a", "a=b;c d", "a=%zz", strings.Repeat("x=y,", 3000)} {
				if _, err := baggage.Parse(sent); err != nil {
					otel.Handle(err)
				}
			}

			// The verbosities at which the SDK logs.
			sdk := logr.FromSlogHandler(selfHandler{log.Handler(), selfLevel(tt.level)}).WithName("sdk").WithValues("a", 1)
			sdk.Error(errors.New("wrong"), "error")
			sdk.V(1).Info("warning")
			sdk.V(4).Info("information")
			sdk.V(8).Info("detail")
			got := string(bytes.ReplaceAll(levels.Bytes(), []byte("\n"), nil))
			if diff := cmp.Diff(tt.want, got); diff != "" {
				t.Errorf("levels (-want +got):\n%s", diff)
			}
		})
	}
}
