package telemetry

// From builds decorators around providers that a test can look into.
var From = from
