package export

import (
	"cmp"
	"strconv"
	"strings"
	"time"
)

// InForce returns, by its address, what comes of fields that are not set, or are of
// no effect, once all are seen together. It shows no secret, but that there is one.
func (c *Config) InForce() map[any]string {
	s, _ := c.settings() // faults are for Check
	limits := c.spanLimits()
	length, count := c.recordLimits()
	text := map[any]string{
		&c.ServiceName:                 c.serviceName(),
		&c.OTLP.Endpoint:               cmp.Or(withoutUser(c.OTLP.Endpoint), map[bool]string{true: defaultGRPC, false: defaultHTTP}[c.OTLP.Protocol == "grpc"]),
		&c.AttributeLimits.ValueLength: strconv.Itoa(c.AttributeLimits.ValueLength.or(defaultLength)),
		&c.AttributeLimits.Count:       strconv.Itoa(c.AttributeLimits.Count.or(defaultCount)),
		&c.RecordLimits.Count:          strconv.Itoa(count),
		&c.RecordLimits.ValueLength:    strconv.Itoa(length),
		&c.SpanLimits.Count:            strconv.Itoa(limits.AttributeCountLimit),
		&c.SpanLimits.ValueLength:      strconv.Itoa(limits.AttributeValueLengthLimit),
	}
	switch sampler := strings.TrimPrefix(string(c.Sampler), "parentbased_"); {
	case c.SamplerArg != "":
	case sampler == "traceidratio":
		text[&c.SamplerArg] = "1"
	case sampler == "rate_limited":
		text[&c.SamplerArg] = strconv.Itoa(defaultRate)
	}
	if c.Sampler == "always_off" {
		text[&c.Keep] = "none"
	}
	interval := defaultMetricInterval
	if on := c.MetricsExporter; !on.has("otlp") && (on.has("console") || on.has("console_json")) {
		interval = consoleMetricInterval
	}
	text[&c.MetricInterval] = inMilliseconds(c.MetricInterval.or(interval))
	c.SpanBatch.inForce(text, spanDelay, c.TracesExporter)
	c.RecordBatch.inForce(text, recordDelay, c.LogsExporter)
	for _, signal := range []struct {
		exporters *Exporters
		own       *OTLP
		target    target
	}{{&c.TracesExporter, &c.OTLPTraces, s.traces}, {&c.MetricsExporter, &c.OTLPMetrics, s.metrics}, {&c.LogsExporter, &c.OTLPLogs, s.logs}} {
		if c.Disabled == "true" {
			text[signal.exporters] = "none"
		}
		signal.target.inForce(text, &c.OTLP, signal.own)
	}
	return text
}

func (b *Batch) inForce(text map[any]string, delay time.Duration, exporters Exporters) {
	bounds := b.bounds(new(faults), delay, exporters)
	text[&b.Delay] = inMilliseconds(bounds.delay)
	text[&b.Timeout] = inMilliseconds(bounds.timeout)
	text[&b.QueueSize] = strconv.Itoa(bounds.queue)
	text[&b.Size] = strconv.Itoa(bounds.batch)
}

// inForce adds what holds for one signal.
func (t target) inForce(text map[any]string, general, own *OTLP) {
	text[&own.Endpoint] = cmp.Or(t.url, "none")
	if t.url == "" {
		return
	}
	text[&own.Protocol] = string(t.protocol)
	text[&own.Timeout] = inMilliseconds(t.timeout)
	text[&own.Compression] = map[bool]string{true: "gzip", false: "none"}[t.gzip]
	if len(t.headers) > 0 {
		text[&own.Headers] = "***"
	}
	for field, value := range map[any]string{
		&own.Certificate:       cmp.Or(own.Certificate, general.Certificate),
		&own.ClientCertificate: cmp.Or(own.ClientCertificate, general.ClientCertificate),
		&own.ClientKey:         cmp.Or(own.ClientKey, general.ClientKey),
		&own.Insecure:          string(cmp.Or(own.Insecure, general.Insecure)),
	} {
		if value != "" {
			text[field] = value
		}
	}
}

func inMilliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// withoutUser returns a URL without credentials, which it must not have, but may
// where nothing is exported.
func withoutUser(endpoint string) string {
	if before, after, ok := strings.Cut(endpoint, "//"); ok && strings.Contains(after, "@") {
		return before + "//***@" + after[strings.LastIndexByte(after, '@')+1:]
	}
	return endpoint
}
