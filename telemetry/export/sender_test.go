package export

import (
	"bytes"
	"io"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"go.opentelemetry.io/otel/sdk/resource"

	"spangate/telemetry/export/otlp"
)

// scripted is a collector that answers exports one after the other, and takes all that
// come on top.
type scripted struct {
	answers []http.Header // of refusals that ask to come again
	asked   int
}

func (s *scripted) RoundTrip(r *http.Request) (*http.Response, error) {
	io.Copy(io.Discard, r.Body)
	s.asked++
	resp := &http.Response{StatusCode: http.StatusOK, Status: "200 OK", Header: http.Header{}, Body: http.NoBody, Request: r}
	if s.asked <= len(s.answers) {
		resp.StatusCode, resp.Status, resp.Header = http.StatusServiceUnavailable, "503 Service Unavailable", s.answers[s.asked-1]
	}
	return resp, nil
}

// of returns a sender of one signal to the collector.
func (s *scripted) of(signal string, lines *bytes.Buffer) *sender {
	d := testDelivery(lines, nothingLost)
	d.target.signal = signal
	sender := newSender(d, resource.Empty())
	sender.client = &http.Client{Transport: readAnswers{s}}
	return sender
}

// An export that is larger than what collectors take is not sent, one that is as large is.
func TestLargestRequest(t *testing.T) {
	of := func(size int) []otlp.Item { return []otlp.Item{{Scope: &otlp.Scope{}, Bytes: make([]byte, size)}} }
	const almost = largestRequest - 1<<10
	around := len(otlp.NewResource(resource.Empty()).Request(of(almost))) - almost
	for _, signal := range []string{"traces", "metrics", "logs"} {
		var collector scripted
		var lines bytes.Buffer
		if err := collector.of(signal, &lines).send(t.Context(), of(largestRequest-around)); err != nil || collector.asked != 1 {
			t.Errorf("%s of 64 MiB: %v, sent %d times", signal, err, collector.asked)
		}
		err := collector.of(signal, &lines).send(t.Context(), of(largestRequest-around+1))
		if err == nil || !strings.Contains(err.Error(), "has 67108865 bytes, of which 67108864 can be sent at once") || collector.asked != 1 {
			t.Errorf("%s of a byte more: %v, sent %d times", signal, err, collector.asked)
		}
		if !strings.Contains(lines.String(), "telemetry is not delivered") {
			t.Errorf("%s: it is not told: %q", signal, lines.String())
		}
	}
}

// A collector that says when to come again is not asked before, in either form of the
// field (RFC 9110 §10.2.3); what is neither is as if it said nothing.
func TestRetryAfter(t *testing.T) {
	in := func(d time.Duration) string { return time.Now().Add(d).UTC().Format(http.TimeFormat) }
	for name, tt := range map[string]struct {
		field func() string
		want  time.Duration // 0: as it suits us
	}{
		"seconds":               {func() string { return "7" }, 7 * time.Second},
		"no seconds":            {func() string { return "0" }, 0},
		"a date":                {func() string { return in(9 * time.Second) }, 9 * time.Second},
		"a date of RFC 850":     {func() string { return time.Now().Add(9 * time.Second).UTC().Format("Monday, 02-Jan-06 15:04:05 GMT") }, 9 * time.Second},
		"a date that is over":   {func() string { return in(-time.Hour) }, 0},
		"seconds with a sign":   {func() string { return "-7" }, 0},
		"seconds with decimals": {func() string { return "7.5" }, 0},
		"a duration":            {func() string { return "7s" }, 0},
		"too many seconds":      {func() string { return "99999999999999999999" }, 0},
		"nothing":               {func() string { return "" }, 0},
	} {
		for _, signal := range []string{"traces", "metrics", "logs"} {
			t.Run(name+"/"+signal, func(t *testing.T) {
				synctest.Test(t, func(t *testing.T) {
					collector := scripted{answers: []http.Header{{"Retry-After": {tt.field()}}}}
					began := time.Now()
					err := collector.of(signal, new(bytes.Buffer)).send(t.Context(), nil)
					took := time.Since(began)
					if err != nil || collector.asked != 2 {
						t.Errorf("asked %d times: %v", collector.asked, err)
					}
					if tt.want > 0 && took != tt.want || tt.want == 0 && (took < firstWait/2 || took >= firstWait) {
						t.Errorf("it came again after %v, want %v", took, tt.want)
					}
				})
			})
		}
	}
}

func TestPartialSuccessIsRead(t *testing.T) {
	for answer, want := range map[string]string{
		"":                               "",
		"\x0a\x00":                       "",
		"\x0a\x02\x08\x00":               "",
		"\x0a\x02\x08\x05":               "partial success: empty message (5 rejected)",
		"\x0a\x05\x12\x03why":            "partial success: why (0 rejected)",
		"\x0a\x07\x08\x05\x12\x03why":    "partial success: why (5 rejected)",
		"\x12\x01x\x0a\x02\x08\x05\x18a": "partial success: empty message (5 rejected)",
		"\x0a\x0b\x08\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01": "partial success: empty message (-1 rejected)",
		"\x0a\x05\x08":     "the answer is no message: unexpected EOF",
		"<html>not found":  "the answer is no message: proto:",
		"\x0a\x02\x12\x05": "the answer is no message: unexpected EOF",
	} {
		var got string
		if err := partialSuccess([]byte(answer)); err != nil {
			got = err.Error()
		}
		if !strings.HasPrefix(got, want) || want == "" && got != "" {
			t.Errorf("%q says %q, want %q", answer, got, want)
		}
	}
}
