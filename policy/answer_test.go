package policy_test

import (
	"net/http"

	"spangate/handler"
	"spangate/handler/fault"
)

// identified returns r as policies see it.
func identified(r *http.Request) (seen *http.Request) {
	handler.Identify(handler.Origin{})(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) { seen = r })).ServeHTTP(nil, r)
	return seen
}

// refuse refuses a request as [handler.Failures] does, without a body.
func refuse(w http.ResponseWriter, r *http.Request, why fault.Refusal) {
	handler.AnswerOf(r).Apply(w.Header())
	w.WriteHeader(why.Status)
}

// answering answers with a status and with what policies say in the answer.
func answering(status int) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		handler.AnswerOf(r).Apply(w.Header())
		w.WriteHeader(status)
	})
}
