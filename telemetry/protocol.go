package telemetry

// protocolVersion returns a version of HTTP as the conventions write it: 1.0, 1.1, 2.
func protocolVersion(major, minor int) string {
	switch {
	case major == 2:
		return "2"
	case minor == 0:
		return "1.0"
	}
	return "1.1"
}
