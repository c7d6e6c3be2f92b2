package policy

import (
	"strconv"
	"time"
)

// The fields of draft-ietf-httpapi-ratelimit-headers-11 (May 2026), lists of
// structured fields (RFC 9651), as [http.Header] writes their names:
//
//	RateLimit-Policy: "10/s";q=10;w=1, "1000/h";q=1000;w=3600
//	RateLimit: "10/s";r=9;t=1
//
// A policy is named by the text of its limit. Its partition key (pk), which is
// optional, is left out: a client knows whom it is, and nobody else who sees
// the response should learn a hash of what may be a credential.
const (
	policyField    = "Ratelimit-Policy"
	rateLimitField = "Ratelimit"
)

// Parameters of our own have to be prefixed.
const (
	burstParameter  = ";spangate-burst="  // how many may come at once, where it is not q
	dryRunParameter = ";spangate-dry-run" // the limit is not enforced
)

// policies renders limits for RateLimit-Policy: the quota q of each and its
// window w in seconds.
func policies(limits Limits) string {
	var b []byte
	for i, l := range limits {
		if i > 0 {
			b = append(b, ", "...)
		}
		b = l.appendQuoted(b)
		b = strconv.AppendInt(append(b, ";q="...), l.Requests, 10)
		b = strconv.AppendInt(append(b, ";w="...), int64(l.Per/time.Second), 10)
		if l.Burst != l.Requests {
			b = strconv.AppendInt(append(b, burstParameter...), l.Burst, 10)
		}
	}
	return string(b)
}

// available renders d for RateLimit: that r requests are available for the next
// t seconds.
func available(d Decision, dryRun bool) string {
	var room [64]byte
	b := d.Limit.appendQuoted(room[:0])
	b = strconv.AppendInt(append(b, ";r="...), d.Remaining, 10)
	b = strconv.AppendInt(append(b, ";t="...), seconds(window(d)), 10)
	if dryRun {
		b = append(b, dryRunParameter...)
	}
	return string(b)
}

// window returns for how long a client should make do with what remains. Many
// divide the one by the other for a rate to keep: it is the limit's. Where
// nothing remains it is the time until something does, which is Retry-After's
// too, as the draft wants it.
func window(d Decision) time.Duration {
	switch {
	case !d.Allowed:
		return d.RetryAfter
	case d.Remaining > 0:
		return time.Duration(d.Remaining) * d.Limit.Interval()
	}
	return d.Reset - time.Duration(d.Limit.Burst-1)*d.Limit.Interval()
}

// seconds rounds up, to at least 1.
func seconds(d time.Duration) int64 {
	return max(int64((d+time.Second-1)/time.Second), 1)
}
