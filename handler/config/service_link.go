package config

import (
	"regexp"
	"strings"
	"sync"
)

// isServiceLink reports whether Kubernetes or Docker tell of a neighbour by this
// variable: one called backend, or admin, has names like ours.
func isServiceLink(name, text string) bool {
	may := strings.Contains(name, "_SERVICE_") || strings.Contains(name, "_PORT")
	return may && serviceLink().MatchString(name+"="+text)
}

var serviceLink = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[^=]+_(SERVICE_HOST|SERVICE_PORT(_[^=]+)?|PORT_\d+_(TCP|UDP|SCTP)(_[^=]+)?)=|^[^=]+_PORT=(tcp|udp|sctp)://`)
})

// isContainerLink reports whether docker run --link tells of a neighbour by this
// variable: who links to whom, or what is set there. Variables of ours can look
// like that too.
func isContainerLink(name, text string) bool {
	may := strings.Contains(name, "_NAME") || strings.Contains(name, "_ENV_")
	return may && containerLink().MatchString(name+"="+text)
}

var containerLink = sync.OnceValue(func() *regexp.Regexp {
	return regexp.MustCompile(`^[^=]+_NAME=/[^/]+/[^/]+$|^[^=]+_ENV_[^=]+=`)
})
