package config_test

import (
	"fmt"
	"math"
	"testing"

	"spangate/handler/config"
)

func ExampleBytes() {
	var limit config.Bytes
	fmt.Println(limit.UnmarshalText([]byte("64KiB")), int64(limit))
	fmt.Println(limit.UnmarshalText([]byte("64k")))
	// Output:
	// <nil> 65536
	// unit "k" must be B, KB, MB, GB, KiB, MiB or GiB
}

func TestBytes(t *testing.T) {
	for text, want := range map[string]config.Bytes{
		"0": 0, "1": 1, "10B": 10, "2KB": 2000, "2KiB": 2048, "3MB": 3e6, "1GiB": 1 << 30, "9223372036854775807": math.MaxInt64,
	} {
		var got config.Bytes
		if err := got.UnmarshalText([]byte(text)); err != nil || got != want {
			t.Errorf("%q: got %d, %v, want %d", text, got, err, want)
		}
	}
	for _, text := range []string{"", "KiB", "-1", "1.5MiB", "1 KiB", "1kb", "1TiB", "9223372036854775808", "9223372036854775807KiB", "KiB1"} {
		var got config.Bytes
		if err := got.UnmarshalText([]byte(text)); err == nil {
			t.Errorf("%q: got %d, want an error", text, got)
		}
	}
}

func FuzzBytes(f *testing.F) {
	f.Add("64KiB")
	f.Fuzz(func(t *testing.T, text string) {
		var b, again config.Bytes
		if b.UnmarshalText([]byte(text)) != nil {
			return
		}
		if b < 0 {
			t.Fatalf("%q is %d", text, b)
		}
		written, _ := b.MarshalText()
		if err := again.UnmarshalText(written); err != nil || again != b {
			t.Errorf("%q is %d, written as %q and read again it is %d, %v", text, b, written, again, err)
		}
	})
}
