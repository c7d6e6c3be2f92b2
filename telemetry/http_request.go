package telemetry

import (
	"strconv"

	"spangate/telemetry/logline"
)

// httpRequest adds what Google Cloud shows of a request beside its line.
// https://cloud.google.com/logging/docs/reference/v2/rest/v2/LogEntry#HttpRequest
func (s *served) httpRequest(line *logline.Line) {
	r := s.target.request
	line.String("requestMethod", r.Method)
	line.String("requestUrl", fullURL(s.target.scheme, s.target.host, r.URL))
	line.Int("status", int64(s.answer.status))
	line.String("responseSize", strconv.FormatInt(s.answer.sent, 10))
	line.String("latency", strconv.FormatFloat(s.answer.took.Seconds(), 'f', 9, 64)+"s")
	line.String("protocol", r.Proto)
	if s.caller.client.IsValid() {
		line.Addr("remoteIp", s.caller.client)
	}
	if agent := s.caller.agent(); agent != "" {
		line.String("userAgent", agent)
	}
}
