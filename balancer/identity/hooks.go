package identity

import (
	"context"
	"net/url"
)

// Purpose is what tokens are for.
type Purpose struct {
	Kind     Kind
	Audience string // whom they are shown to; with [OAuth2] empty where nobody has said
}

// Request is what a fetch asks, and of whom.
type Request struct {
	Purpose
	Method string
	URL    *url.URL // may hold credentials
}

// Fetch gets a token within ctx. Its error is a *[FetchError].
type Fetch func(ctx context.Context) (Token, error)

// Hooks are how others listen to sources. The zero value is silent: a nil hook is not
// called. All are called concurrently.
type Hooks struct {
	// Fetch returns what makes the fetches of r in place of next.
	Fetch func(r Request, next Fetch) Fetch

	// Caused returns ctx, which is that of a fetch, with what the fetch is to know of the
	// request that cause is the context of, and that waits for it if waits. What is that
	// request's own must not be kept: it may end before the fetch.
	Caused func(ctx, cause context.Context, waits bool) context.Context

	// Joined says that the request that waiter is the context of waits for a fetch, of the
	// context that Caused returned, which was begun because of another one.
	Joined func(fetch, waiter context.Context)

	// Wait calls next, which waits for a token on behalf of the request that ctx is of,
	// with ctx or one that is made of it, and returns what that returns.
	Wait func(ctx context.Context, p Purpose, next func(context.Context) error) error
}

func (h *Hooks) fetch(r Request, next Fetch) Fetch {
	if h.Fetch == nil {
		return next
	}
	return h.Fetch(r, next)
}

func (h *Hooks) caused(ctx, cause context.Context, waits bool) context.Context {
	if h.Caused == nil {
		return ctx
	}
	return h.Caused(ctx, cause, waits)
}

func (h *Hooks) joined(fetch, waiter context.Context) {
	if h.Joined != nil {
		h.Joined(fetch, waiter)
	}
}

func (h *Hooks) wait(ctx context.Context, p Purpose, next func(context.Context) error) error {
	if h.Wait == nil {
		return next(ctx)
	}
	return h.Wait(ctx, p, next)
}
