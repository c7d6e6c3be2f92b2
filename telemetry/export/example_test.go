package export_test

import (
	"context"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"spangate/telemetry/export"
)

// onlyNames writes the names of the spans that the console exporter prints.
type onlyNames struct{ io.Writer }

func (w onlyNames) Write(p []byte) (int, error) {
	name, _, _ := strings.Cut(string(p), " ")
	_, err := fmt.Fprintln(w.Writer, name)
	return len(p), err
}

func Example() {
	pipelines, err := export.New(export.Config{TracesExporter: export.Exporters{"console"}}, export.Process{}, slog.New(slog.DiscardHandler), onlyNames{os.Stdout})
	if err != nil {
		fmt.Println(err)
		return
	}
	_, span := pipelines.Tracer.Tracer("shop").Start(context.Background(), "buy")
	span.End()

	ctx, cancel := context.WithTimeout(context.Background(), time.Second)
	defer cancel()
	if err := pipelines.Shutdown(ctx); err != nil {
		fmt.Println(err)
	}
	// Output: buy
}
