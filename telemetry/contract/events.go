package contract

// Events are the log records that have a name. Others are for people: nothing
// should be built on their text and attributes.
var Events = []Event{
	{
		Name: "spangate.backend.state_changed", Severity: "INFO, WARN", Meaning: "a backend went from one state to another; WARN when it is lost",
		Attributes: []string{"spangate.backend", "spangate.backend.state", "spangate.backend.previous_state", "spangate.backend.reason", "spangate.backend.error_type", "spangate.ejection.failures", "spangate.ejection.duration", "exception.message"},
	},
	{
		Name: "spangate.policy.rejected", Severity: "INFO", Meaning: "a policy refused a request; not on standard output, where the access log says so",
		Attributes: []string{"spangate.policy.rejection", "spangate.policy.reason"},
	},
	{
		Name: "spangate.rate_limit.store_lost", Severity: "WARN", Meaning: "rate limits are not shared with other instances any more",
		Attributes: []string{"spangate.rate_limit.on_store_error", "exception.message"},
	},
	{
		Name: "spangate.rate_limit.store_reached", Severity: "INFO", Meaning: "rate limits are shared again",
	},
}
