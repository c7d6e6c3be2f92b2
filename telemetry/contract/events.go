package contract

// Events are the log records that have a name. Others are for people: nothing
// should be built on their text and attributes.
var Events = []Event{
	{
		Name: "spangate.backend.state_changed", Severity: "INFO, WARN", Meaning: "a backend went from one state to another; WARN when it is lost",
		Attributes: []string{"spangate.backend", "spangate.backend.state", "spangate.backend.previous_state", "spangate.backend.reason", "spangate.backend.error_type", "spangate.ejection.failures", "spangate.ejection.duration", "spangate.route", "exception.message"},
	},
	{
		Name: "spangate.canary.state_changed", Severity: "INFO, WARN", Meaning: "a canary went from one state to another; WARN when it loses its share",
		Attributes: canaryChange,
	},
	{
		Name: "spangate.policy.rejected", Severity: "INFO", Meaning: "a policy refused a request; not on standard output, where the access log says so",
		Attributes: []string{"spangate.policy.rejection", "spangate.policy.reason", "spangate.route"},
	},
	{
		Name: "spangate.upgrade.ended", Severity: "INFO", Meaning: "a connection that went on in another protocol has ended; not on standard output, where the access log says so",
		Attributes: []string{"spangate.upgrade.protocol", "spangate.upgrade.duration", "spangate.upgrade.received", "spangate.upgrade.sent", "spangate.upgrade.closed_by", "spangate.upgrade.close_reason", "spangate.upgrade.close_code", "spangate.upgrade.farewell"},
	},
	{
		Name: "spangate.request.refused", Severity: "INFO", Meaning: "a request was answered and not handled, as it could not be read; once a second at most",
		Attributes: []string{"http.response.status_code", "error.type", "network.peer.address", "network.peer.port", "exception.message", "spangate.request.count"},
	},
	{
		Name: "spangate.flood.stopped", Severity: "WARN", Meaning: "a connection of HTTP/2 was closed for a flood of frames; once a minute at most",
		Attributes: []string{"network.peer.address", "network.peer.port", "exception.message", "spangate.flood.count"},
	},
	{
		Name: "spangate.rate_limit.store_lost", Severity: "WARN", Meaning: "rate limits are not shared with other instances any more",
		Attributes: []string{"spangate.rate_limit.on_store_error", "spangate.route", "exception.message"},
	},
	{
		Name: "spangate.rate_limit.store_reached", Severity: "INFO", Meaning: "rate limits are shared again",
		Attributes: []string{"spangate.route"},
	},
	{
		Name: "spangate.identity.fetch_failed", Severity: "WARN", Meaning: "a token for backends could not be fetched; one that there is stays in use until it expires",
		Attributes: []string{"spangate.identity.type", "spangate.identity.audience", "spangate.route", "error.type", "exception.message"},
	},
	{
		Name: "spangate.identity.fetched", Severity: "INFO", Meaning: "a token for backends could be fetched again",
		Attributes: []string{"spangate.identity.type", "spangate.identity.audience", "spangate.route"},
	},
	{
		Name: "spangate.tls.handshake_failed", Severity: "INFO", Meaning: "a handshake of TLS came to nothing; once a second at most",
		Attributes: []string{"spangate.tls.peer", "error.type", "spangate.backend", "spangate.backend.address", "spangate.route", "spangate.tls.server_name", "network.peer.address", "network.peer.port", "exception.message", "spangate.tls.handshake.count"},
	},
	{
		Name: "spangate.tls.certificate_reloaded", Severity: "INFO", Meaning: "files of certificates, keys or authorities have changed, and are in force",
		Attributes: []string{"spangate.route"},
	},
	{
		Name: "spangate.tls.certificate_rejected", Severity: "WARN", Meaning: "they have changed and cannot be used: what they said before stays in force",
		Attributes: []string{"spangate.route", "exception.message"},
	},
	{
		Name: "spangate.tls.certificate_expiring", Severity: "WARN", Meaning: "a certificate that clients or backends are shown, or that a backend shows, expires within 14 days, or has; once a day",
		Attributes: []string{"spangate.tls.certificate", "spangate.tls.certificate.expires_in", "spangate.backend", "spangate.route"},
	},
	{
		Name: "spangate.tls.certificate_issued", Severity: "INFO", Meaning: "an authority has issued a certificate, which clients are shown from now on",
		Attributes: []string{"spangate.tls.certificate", "spangate.tls.certificate.expires_in", "spangate.acme.renewal", "spangate.acme.challenge"},
	},
	{
		Name: "spangate.tls.certificate_order_failed", Severity: "WARN", Meaning: "an authority was to issue a certificate and has not; a certificate that there was before stays in use",
		Attributes: []string{"spangate.tls.certificate", "spangate.acme.renewal", "error.type", "exception.message", "spangate.acme.next_order"},
	},
	{
		Name: "spangate.tls.certificate_loaded", Severity: "INFO", Meaning: "a certificate that an authority issued to an earlier process, or to another instance, is shown from now on",
		Attributes: []string{"spangate.tls.certificate", "spangate.tls.certificate.expires_in"},
	},
	{
		Name: "spangate.acme.state_failed", Severity: "WARN", Meaning: "something of the state of certificates, in TLS_ACME_DIR or TLS_ACME_REDIS_URL, cannot be read or written, or makes no sense and is made anew",
		Attributes: []string{"spangate.acme.state", "exception.message"},
	},
}
