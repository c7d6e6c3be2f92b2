package telemetry

// scope names the instrumentation in traces and metrics.
const scope = "spangate"
