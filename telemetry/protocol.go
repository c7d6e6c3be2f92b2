package telemetry

// protocolVersion returns a version of HTTP as the conventions write it: 1.0, 1.1, 2.
// One that is not spoken here is refused over HTTP/1.1.
func protocolVersion(major, minor int) string {
	switch {
	case major == 2:
		return "2"
	case major == 1 && minor == 0:
		return "1.0"
	}
	return "1.1"
}
