package acme_test

import (
	"os"
	"testing"

	"spangate/handler/wire/wiretest"
)

func TestMain(m *testing.M) {
	wiretest.Parallel()
	os.Exit(m.Run())
}
