package telemetry

import (
	"log/slog"
	"strconv"
)

// httpRequest is what Google Cloud shows of a request beside its line.
// https://cloud.google.com/logging/docs/reference/v2/rest/v2/LogEntry#HttpRequest
func (s *served) httpRequest() slog.Attr {
	r := s.target.request
	request := []any{
		slog.String("requestMethod", r.Method), slog.String("requestUrl", fullURL(s.target.scheme, s.target.host, r.URL)), slog.Int("status", s.answer.status),
		slog.String("responseSize", strconv.FormatInt(s.answer.sent, 10)),
		slog.String("latency", strconv.FormatFloat(s.answer.took.Seconds(), 'f', 9, 64)+"s"), slog.String("protocol", r.Proto),
	}
	if s.caller.client.IsValid() {
		request = append(request, slog.String("remoteIp", s.caller.client.String()))
	}
	if agent := s.caller.agent(); agent != "" {
		request = append(request, slog.String("userAgent", agent))
	}
	return slog.Group("httpRequest", request...)
}
