package console

// The messages of opentelemetry/proto, as far as this program writes them. A member's
// place in its schema is its number.

// The requests: what is in them is the same as in TracesData, MetricsData and LogsData.
var (
	tracesRequest  = schema{1: many("resourceSpans", in(&resourceSpans))}
	metricsRequest = schema{1: many("resourceMetrics", in(&resourceMetrics))}
	logsRequest    = schema{1: many("resourceLogs", in(&resourceLogs))}
)

// resource/v1 and common/v1
var (
	resource = schema{1: many("attributes", in(&keyValue)), 2: one("droppedAttributesCount", number)}
	scope    = schema{1: one("name", text), 2: one("version", text), 3: many("attributes", in(&keyValue)), 4: one("droppedAttributesCount", number)}
	keyValue = schema{1: one("key", text), 2: one("value", in(&anyValue))}
	anyValue = schema{
		1: one("stringValue", text), 2: one("boolValue", boolean), 3: one("intValue", signed64), 4: one("doubleValue", double),
		5: {name: "arrayValue"}, 6: {name: "kvlistValue"}, 7: one("bytesValue", base64Text),
	}
	arrayValue   = schema{1: many("values", in(&anyValue))}
	keyValueList = schema{1: many("values", in(&keyValue))}
)

func init() { // a variable may not need itself
	anyValue[5].as, anyValue[6].as = in(&arrayValue), in(&keyValueList)
}

// trace/v1
var (
	resourceSpans = schema{1: one("resource", in(&resource)), 2: many("scopeSpans", in(&scopeSpans)), 3: one("schemaUrl", text)}
	scopeSpans    = schema{1: one("scope", in(&scope)), 2: many("spans", in(&spanMessage)), 3: one("schemaUrl", text)}
	spanMessage   = schema{
		1: one("traceId", hexText), 2: one("spanId", hexText), 3: one("traceState", text), 4: one("parentSpanId", hexText),
		5: one("name", text), 6: one("kind", number), 7: one("startTimeUnixNano", unsigned64), 8: one("endTimeUnixNano", unsigned64),
		9: many("attributes", in(&keyValue)), 10: one("droppedAttributesCount", number),
		11: many("events", in(&event)), 12: one("droppedEventsCount", number),
		13: many("links", in(&linkMessage)), 14: one("droppedLinksCount", number),
		15: one("status", in(&status)), 16: one("flags", number),
	}
	event = schema{
		1: one("timeUnixNano", unsigned64), 2: one("name", text),
		3: many("attributes", in(&keyValue)), 4: one("droppedAttributesCount", number),
	}
	linkMessage = schema{
		1: one("traceId", hexText), 2: one("spanId", hexText), 3: one("traceState", text),
		4: many("attributes", in(&keyValue)), 5: one("droppedAttributesCount", number), 6: one("flags", number),
	}
	status = schema{2: one("message", text), 3: one("code", number)}
)

// logs/v1
var (
	resourceLogs = schema{1: one("resource", in(&resource)), 2: many("scopeLogs", in(&scopeLogs)), 3: one("schemaUrl", text)}
	scopeLogs    = schema{1: one("scope", in(&scope)), 2: many("logRecords", in(&logRecord)), 3: one("schemaUrl", text)}
	logRecord    = schema{
		1: one("timeUnixNano", unsigned64), 2: one("severityNumber", number), 3: one("severityText", text), 5: one("body", in(&anyValue)),
		6: many("attributes", in(&keyValue)), 7: one("droppedAttributesCount", number), 8: one("flags", number),
		9: one("traceId", hexText), 10: one("spanId", hexText), 11: one("observedTimeUnixNano", unsigned64), 12: one("eventName", text),
	}
)

// metrics/v1
var (
	resourceMetrics = schema{1: one("resource", in(&resource)), 2: many("scopeMetrics", in(&scopeMetrics)), 3: one("schemaUrl", text)}
	scopeMetrics    = schema{1: one("scope", in(&scope)), 2: many("metrics", in(&metric)), 3: one("schemaUrl", text)}
	metric          = schema{
		1: one("name", text), 2: one("description", text), 3: one("unit", text),
		5: one("gauge", in(&gauge)), 7: one("sum", in(&sum)), 9: one("histogram", in(&histogram)), 10: one("exponentialHistogram", in(&exponential)),
		11: one("summary", in(&summary)),
		12: many("metadata", in(&keyValue)),
	}
	gauge       = schema{1: many("dataPoints", in(&numberPoint))}
	sum         = schema{1: many("dataPoints", in(&numberPoint)), 2: one("aggregationTemporality", number), 3: one("isMonotonic", boolean)}
	histogram   = schema{1: many("dataPoints", in(&histogramPoint)), 2: one("aggregationTemporality", number)}
	exponential = schema{1: many("dataPoints", in(&exponentialPoint)), 2: one("aggregationTemporality", number)}

	numberPoint = schema{
		2: one("startTimeUnixNano", unsigned64), 3: one("timeUnixNano", unsigned64), 4: one("asDouble", double),
		5: many("exemplars", in(&exemplar)), 6: one("asInt", signed64), 7: many("attributes", in(&keyValue)), 8: one("flags", number),
	}
	histogramPoint = schema{
		2: one("startTimeUnixNano", unsigned64), 3: one("timeUnixNano", unsigned64), 4: one("count", unsigned64), 5: one("sum", double),
		6: packed("bucketCounts", fixed64s, unsigned64), 7: packed("explicitBounds", fixed64s, double),
		8: many("exemplars", in(&exemplar)), 9: many("attributes", in(&keyValue)), 10: one("flags", number), 11: one("min", double), 12: one("max", double),
	}
	exponentialPoint = schema{
		1: many("attributes", in(&keyValue)), 2: one("startTimeUnixNano", unsigned64), 3: one("timeUnixNano", unsigned64),
		4: one("count", unsigned64), 5: one("sum", double), 6: one("scale", zigzag), 7: one("zeroCount", unsigned64),
		8: one("positive", in(&buckets)), 9: one("negative", in(&buckets)), 10: one("flags", number),
		11: many("exemplars", in(&exemplar)), 12: one("min", double), 13: one("max", double), 14: one("zeroThreshold", double),
	}
	summary      = schema{1: many("dataPoints", in(&summaryPoint))}
	summaryPoint = schema{
		2: one("startTimeUnixNano", unsigned64), 3: one("timeUnixNano", unsigned64), 4: one("count", unsigned64), 5: one("sum", double),
		6: many("quantileValues", in(&quantile)), 7: many("attributes", in(&keyValue)), 8: one("flags", number),
	}
	quantile = schema{1: one("quantile", double), 2: one("value", double)}
	buckets  = schema{1: one("offset", zigzag), 2: packed("bucketCounts", varints, unsigned64)}
	exemplar = schema{
		2: one("timeUnixNano", unsigned64), 3: one("asDouble", double), 4: one("spanId", hexText), 5: one("traceId", hexText),
		6: one("asInt", signed64), 7: many("filteredAttributes", in(&keyValue)),
	}
)
