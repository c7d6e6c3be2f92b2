package telemetry_test

import (
	"bytes"
	"errors"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"spangate/telemetry"
	"spangate/telemetry/export"
	"spangate/telemetry/logline"
)

// TestNew holds that what New starts ends with Flush, or with New when it fails,
// and that no line of the log is left behind. Goroutines that stay would keep the
// bubble from ending.
func TestNew(t *testing.T) {
	console := export.Exporters{"console"}
	for _, test := range []struct {
		name  string
		cfg   telemetry.Config
		cause error
		fault string
		want  string // messages on stdout, in their order
	}{
		{"disabled", telemetry.Config{Export: export.Config{Disabled: "true"}}, nil, "", "here"},
		{"nothing exported", telemetry.Config{Log: logline.Config{AccessLog: "text"}}, errors.New("enough"), "", "here request stopped"},
		{"to the console", telemetry.Config{Export: export.Config{TracesExporter: console, MetricsExporter: console, LogsExporter: console}}, errors.New("enough"), "", "here stopped"},
		{"refused", telemetry.Config{Export: export.Config{MetricsExporter: console, SamplerArg: "7", SpanBatch: export.Batch{QueueSize: "0"}}}, nil, "must be at least 1", ""},
	} {
		t.Run(test.name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				var out bytes.Buffer
				tel, err := telemetry.New(test.cfg, telemetry.Process{}, &out)
				if err != nil {
					if test.fault == "" || !strings.Contains(err.Error(), test.fault) || !strings.Contains(err.Error(), "must be a number from 0 to 1") {
						t.Error(err)
					}
					return
				}
				tel.Log.Info("here")
				tel.Server(http.NotFoundHandler()).ServeHTTP(httptest.NewRecorder(), httptest.NewRequest("GET", "/", nil))
				tel.Flush(time.Second, test.cause)
				var got []string
				for line := range strings.Lines(out.String()) {
					for _, message := range []string{"here", "request", "stopped"} {
						if strings.Contains(line, "msg="+message) || strings.Contains(line, `"msg":"`+message+`"`) {
							got = append(got, message)
						}
					}
				}
				if diff := cmp.Diff(test.want, strings.Join(got, " ")); diff != "" {
					t.Errorf("lines (-want +got):\n%s\n%s", diff, &out)
				}
			})
		})
	}
}
