package fault

import "net/http"

// StatusClientClosedRequest is what log and span say of a request whose client
// went away; it is never sent. The number is nginx's.
const StatusClientClosedRequest = 499

// Status returns the status code of a failure of this type: the one place where an
// error becomes one.
func (t Type) Status() int {
	switch t {
	case NoHealthyBackend, Overloaded, Shutdown:
		return http.StatusServiceUnavailable
	case ConnectTimeout, ResponseTimeout, Timeout:
		return http.StatusGatewayTimeout
	case BodyTooLarge:
		return http.StatusRequestEntityTooLarge
	case MalformedRequest:
		return http.StatusBadRequest
	case HeaderTooLarge:
		return http.StatusRequestHeaderFieldsTooLarge
	case ClientTimeout:
		return http.StatusRequestTimeout
	case ClientDisconnected:
		return StatusClientClosedRequest
	case InternalError:
		return http.StatusInternalServerError
	}
	return http.StatusBadGateway
}
