package handler_test

import (
	"fmt"
	"net/http"
	"net/http/httptest"

	"spangate/handler"
)

func ExampleStack() {
	say := func(word string) func(http.Handler) http.Handler {
		return func(next http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				fmt.Print(word, " ")
				next.ServeHTTP(w, r)
			})
		}
	}
	h := handler.Stack{
		{Name: "first", Wrap: say("first")},
		{Name: "off"},
		{Name: "second", Wrap: say("second")},
	}.Over(http.NotFoundHandler())
	w := httptest.NewRecorder()
	h.ServeHTTP(w, httptest.NewRequest("GET", "/", nil))
	fmt.Println(w.Code)
	// Output: first second 404
}
