package export

import (
	"cmp"
	"strconv"
	"strings"
	"time"
)

// InForce returns, by the name of its variable, what comes of those that are not
// set, or are of no effect, once all are seen together. It shows no secret, but
// that there is one.
func (c Config) InForce() map[string]string {
	s, _ := c.settings() // faults are for Check
	limits := c.spanLimits()
	length, count := c.recordLimits()
	text := map[string]string{
		"OTEL_SERVICE_NAME":                           cmp.Or(c.ServiceName, c.Resource["service.name"], name),
		"OTEL_EXPORTER_OTLP_ENDPOINT":                 cmp.Or(withoutUser(c.OTLP.Endpoint), map[bool]string{true: defaultGRPC, false: defaultHTTP}[c.OTLP.Protocol == "grpc"]),
		"OTEL_ATTRIBUTE_VALUE_LENGTH_LIMIT":           strconv.Itoa(c.AttributeLimits.ValueLength.or(defaultLength)),
		"OTEL_ATTRIBUTE_COUNT_LIMIT":                  strconv.Itoa(c.AttributeLimits.Count.or(defaultCount)),
		"OTEL_LOGRECORD_ATTRIBUTE_COUNT_LIMIT":        strconv.Itoa(count),
		"OTEL_LOGRECORD_ATTRIBUTE_VALUE_LENGTH_LIMIT": strconv.Itoa(length),
		"OTEL_SPAN_ATTRIBUTE_COUNT_LIMIT":             strconv.Itoa(limits.AttributeCountLimit),
		"OTEL_SPAN_ATTRIBUTE_VALUE_LENGTH_LIMIT":      strconv.Itoa(limits.AttributeValueLengthLimit),
	}
	switch sampler := strings.TrimPrefix(string(c.Sampler), "parentbased_"); {
	case c.SamplerArg != "":
	case sampler == "traceidratio":
		text["OTEL_TRACES_SAMPLER_ARG"] = "1"
	case sampler == "rate_limited":
		text["OTEL_TRACES_SAMPLER_ARG"] = strconv.Itoa(defaultRate)
	}
	if c.Sampler == "always_off" {
		text["TRACE_KEEP"] = "none"
	}
	for prefix, b := range map[string]bounds{
		"OTEL_BSP_":  c.SpanBatch.bounds(new(faults), "", spanDelay),
		"OTEL_BLRP_": c.RecordBatch.bounds(new(faults), "", recordDelay),
	} {
		text[prefix+"SCHEDULE_DELAY"] = milliseconds(b.delay)
		text[prefix+"EXPORT_TIMEOUT"] = milliseconds(b.timeout)
		text[prefix+"MAX_QUEUE_SIZE"] = strconv.Itoa(b.queue)
		text[prefix+"MAX_EXPORT_BATCH_SIZE"] = strconv.Itoa(b.batch)
	}
	for _, signal := range []struct {
		name   string
		own    OTLP
		target target
	}{{"TRACES", c.OTLPTraces, s.traces}, {"METRICS", c.OTLPMetrics, s.metrics}, {"LOGS", c.OTLPLogs, s.logs}} {
		if c.Disabled == "true" {
			text["OTEL_"+signal.name+"_EXPORTER"] = "none"
		}
		signal.target.inForce(text, "OTEL_EXPORTER_OTLP_"+signal.name+"_", c.OTLP, signal.own)
	}
	return text
}

// inForce adds what holds for one signal, whose variables begin with prefix.
func (t target) inForce(text map[string]string, prefix string, general, own OTLP) {
	text[prefix+"ENDPOINT"] = cmp.Or(t.url, "none")
	if t.url == "" {
		return
	}
	text[prefix+"PROTOCOL"] = string(t.protocol)
	text[prefix+"TIMEOUT"] = milliseconds(t.timeout)
	text[prefix+"COMPRESSION"] = map[bool]string{true: "gzip", false: "none"}[t.gzip]
	if len(t.headers) > 0 {
		text[prefix+"HEADERS"] = "***"
	}
	for suffix, value := range map[string]string{
		"CERTIFICATE":        cmp.Or(own.Certificate, general.Certificate),
		"CLIENT_CERTIFICATE": cmp.Or(own.ClientCertificate, general.ClientCertificate),
		"CLIENT_KEY":         cmp.Or(own.ClientKey, general.ClientKey),
		"INSECURE":           string(cmp.Or(own.Insecure, general.Insecure)),
	} {
		if value != "" {
			text[prefix+suffix] = value
		}
	}
}

func milliseconds(d time.Duration) string { return strconv.FormatInt(d.Milliseconds(), 10) }

// withoutUser returns a URL without credentials, which it must not have, but may
// where nothing is exported.
func withoutUser(endpoint string) string {
	if before, after, ok := strings.Cut(endpoint, "//"); ok && strings.Contains(after, "@") {
		return before + "//***@" + after[strings.LastIndexByte(after, '@')+1:]
	}
	return endpoint
}
