package telemetry

// Exhausted tells the log, at most once a minute, when err is of something that this
// process or its host has run out of. Of other errors, and of nil, it takes no
// notice.
func (t *Telemetry) Exhausted(err error) { t.notice.Saw(err) }
