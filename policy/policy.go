// Package policy answers: may this request come in, and under which terms?
//
// Each policy is a file and a function that returns a wrapper around an
// [http.Handler], or nil when its configuration turns it off. Two that have more to
// tell or to do than that are types with such a wrapper: [Auth] and [Concurrency]. Policies know
// neither each other nor what lies behind them.
package policy
