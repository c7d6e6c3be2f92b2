package export_test

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"log/slog"
	"os"
	"time"

	"spangate/telemetry/export"
)

// onlyNames writes the names of the spans that the console exporter prints.
type onlyNames struct{ io.Writer }

func (w onlyNames) Write(p []byte) (int, error) {
	var span struct{ Name string }
	if err := json.Unmarshal(p, &span); err != nil {
		return 0, err
	}
	fmt.Fprintln(w.Writer, span.Name)
	return len(p), nil
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
