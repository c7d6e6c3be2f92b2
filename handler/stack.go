package handler

import (
	"net/http"
	"slices"
)

// Step is one step of a stack. A nil Wrap means that the step is off.
type Step struct {
	Name string
	Wrap func(http.Handler) http.Handler
}

// Stack is steps in the order in which a request meets them.
type Stack []Step

// Over returns h behind the steps of s.
func (s Stack) Over(h http.Handler) http.Handler {
	for _, step := range slices.Backward(s) {
		if step.Wrap != nil {
			h = step.Wrap(h)
		}
	}
	return h
}
