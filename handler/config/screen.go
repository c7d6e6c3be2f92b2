package config

import (
	"io"
	"os"
	"strings"
)

// Groups are the questions that the program's variables answer, in the order in
// which a request meets what they are about.
var Groups = []Group{
	{Name: "listen", About: "where clients come in, and how long they may take", Of: []string{"HOST", "PORT", "PROXY_PROTOCOL", "READ_HEADER_TIMEOUT", "IDLE_TIMEOUT", "CLIENT_TIMEOUT", "MAX_HEADER*"}},
	{Name: "tls", About: "how clients are spoken to over TLS, and kept to it", Of: []string{"TLS_*", "HTTPS_*", "HSTS"}},
	{Name: "routes", About: "several ways, by host and path, each with its own backends and policies", Of: []string{"ROUTES", "ROUTE_*"}},
	{Name: "client", About: "who a request is from, and from where it may come", Of: []string{"TRUSTED_PROXIES", "CLIENT_IP_HEADER", "ALLOW_CIDRS", "DENY_CIDRS"}},
	{Name: "request", About: "how long one may take, how large it may be, what it is called", Of: []string{"REQUEST_TIMEOUT", "REQUEST_ID_HEADER", "MAX_REQUEST_BODY"}},
	{Name: "cors", About: "which pages in a browser may use the service", Of: []string{"CORS_*"}},
	{Name: "auth", About: "who is let in", Of: []string{"AUTH_*"}},
	{Name: "rate-limit", About: "how many requests one client may make", Of: []string{"RATE_LIMIT*"}},
	{Name: "concurrency", About: "how many requests are handled at once", Of: []string{"MAX_CONCURRENT_REQUESTS", "MAX_QUEUE*"}},
	{Name: "rewrite", About: "what backends see of a request, and clients of its answer", Of: []string{"REQUEST_HEADERS", "RESPONSE_HEADERS", "REWRITE_RESPONSES", "SECURITY_HEADERS"}},
	{Name: "backends", About: "where requests go, and over which connections", Of: []string{"BACKENDS", "BACKEND_*", "GCE_METADATA_HOST"}},
	{Name: "balancer", About: "how one backend is chosen among several", Of: []string{"BALANCER*", "PANIC_THRESHOLD"}},
	{Name: "retry", About: "when a failed attempt is followed by another one", Of: []string{"RETRY_*"}},
	{Name: "probe", About: "how backends are asked whether they are fit", Of: []string{"PROBE_*"}},
	{Name: "outlier", About: "when a backend is left out for failing requests", Of: []string{"OUTLIER_*"}},
	{Name: "process", About: "where it runs, how it ends, and its own endpoints", Of: []string{"PLATFORM", "SHUTDOWN_*", "ADMIN_*", "GOGC", "GOMEMLIMIT"}},
	{Name: "log", About: "what is written to stdout", Of: []string{"ACCESS_LOG", "LOG_*", "GOOGLE_CLOUD_PROJECT"}},
	{Name: "trace", About: "which requests are traced, and whose trace context is believed", Of: []string{"TRACE_*", "SERVER_TIMING", "OTEL_TRACES_SAMPLER*", "OTEL_PROPAGATORS"}},
	{Name: "otel", About: "what telemetry is sent where, as the OpenTelemetry specification says", Of: []string{"OTEL_*", "TELEMETRY_*"}},
}

// screen is what help says on one screen of 80 columns.
const screen = `Spangate is a reverse proxy that shows each of its decisions in OpenTelemetry.
Environment variables configure it, and nothing else:

    BACKENDS=http://app-1:3000,http://app-2:3000 spangate

What most people set:

    BACKENDS                     where requests go; all others can be left out
    PORT                         TCP port to listen on: 8080
    TLS_CERT_FILE                what HTTPS is spoken with: HTTP is
    OTEL_EXPORTER_OTLP_ENDPOINT  the collector: http://localhost:4318
    OTEL_SERVICE_NAME            what telemetry calls this service: spangate
    PROBE_PATH                   what to ask of backends: whether they connect
    BALANCER                     how one of them is chosen: round-robin
    RETRY_ATTEMPTS               further attempts, at other backends: 2
    REQUEST_TIMEOUT              deadline of a request: none
    TRUSTED_PROXIES              whose X-Forwarded-For is believed: nobody's
    RATE_LIMIT                   requests of one client, such as 100/s: any
    AUTH_API_KEYS                keys that let in: anybody is let in
    CORS_ALLOWED_ORIGINS         pages that browsers let ask: left to backends
    LOG_LEVEL                    debug, info, warn or error

Arguments:

    (none)                       serves
    config [--changed]           what is in force, and where each value is from
    route [METHOD ]URL           which route takes that, and why no other one
      [-H 'NAME: VALUE']         with that field; more may follow
      [--client ADDRESS]         from there: 127.0.0.1
    healthcheck                  asks the running instance whether it is live
    status                       what it says of its backends and limits
    version
    help GROUP | VARIABLE | all  more: help retry, help RETRY_BUDGET

`

// Explain writes what the variables of cfg, a pointer to a struct, are about: those
// of a topic, which is a group, a variable or all, or without one what there is. On
// a terminal lines are as long as that allows.
func Explain(cfg any, topic string, stdout io.Writer) error {
	width, isTerminal := 80, false
	if f, ok := stdout.(*os.File); ok {
		if columns := terminalWidth(f); columns > 0 {
			width, isTerminal = max(columns, 40), true
		}
	}
	text := ""
	switch {
	case topic == "":
		var names []string
		for _, g := range Groups {
			names = append(names, g.Name)
		}
		text = screen + wrap("Groups: "+strings.Join(names, ", "), "", min(width, 80))
	case topic == "all" && !isTerminal:
		text = Table(cfg, Groups)
	default:
		var err error
		if text, err = Help(cfg, Groups, topic, width); err != nil {
			return err
		}
	}
	_, err := io.WriteString(stdout, text)
	return err
}
