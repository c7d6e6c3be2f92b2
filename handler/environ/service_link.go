package environ

import "regexp"

// isServiceLink reports whether Kubernetes or Docker tell of a neighbour by this
// variable: one called backend, or admin, has names like ours.
func isServiceLink(name, text string) bool { return serviceLink.MatchString(name + "=" + text) }

var serviceLink = regexp.MustCompile(`^[^=]+_(SERVICE_HOST|SERVICE_PORT(_[^=]+)?|PORT_\d+_(TCP|UDP|SCTP)(_[^=]+)?)=|^[^=]+_PORT=(tcp|udp|sctp)://`)
