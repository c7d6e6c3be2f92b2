package wire

import (
	"context"
	"net/http"
)

// Interim is told of the interim responses to a request, one after the other as they
// come, and keeps none of them. An error ends the request.
type Interim interface {
	Interim(status int, header http.Header) error
}

// InterimKey is the key of the [Interim] in the context of a request, if there is one
// that a [Transport] is to tell.
type InterimKey struct{}

func interimOf(ctx context.Context) Interim {
	i, _ := ctx.Value(InterimKey{}).(Interim)
	return i
}
