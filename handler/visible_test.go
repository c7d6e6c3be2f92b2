package handler_test

import (
	"bytes"
	"encoding/json"
	"log/slog"
	"strings"
	"testing"
	"time"
	"unicode"

	"spangate/handler"
)

func TestVisible(t *testing.T) {
	for name, test := range map[string]struct{ text, want string }{
		"nothing":                 {"", ""},
		"ASCII":                   {"{\"a\": \"b\\n\"}\n\t", "{\"a\": \"b\\n\"}\n\t"},
		"letters of all kinds":    {"äß日本語 שלום é", "äß日本語 שלום é"},
		"an emoji":                {"🚀", "🚀"},
		"C0":                      {"a\x1b[31m\x00b\r", `a\u001b[31m\u0000b\u000d`},
		"DEL":                     {"\x7f", `\u007f`},
		"C1":                      {"\u0080\u009b31m\u009f", `\u0080\u009b31m\u009f`},
		"overrides of direction":  {"\u202a\u202b\u202c\u202d\u202e", `\u202a\u202b\u202c\u202d\u202e`},
		"isolates":                {"\u2066\u2067\u2068\u2069", `\u2066\u2067\u2068\u2069`},
		"marks of direction":      {"\u200e\u200f\u061c", `\u200e\u200f\u061c`},
		"what has no width":       {"\u200b\u2060\ufeff\u00ad", `\u200b\u2060\ufeff\u00ad`},
		"ends of lines":           {"\u0085\u2028\u2029", `\u0085\u2028\u2029`},
		"tags, beyond 16 bits":    {"\U000e0041", `\udb40\udc41`},
		"no UTF-8":                {"a\xffb\xc2", `a\ufffdb\ufffd`},
		"a replacement character": {"\ufffd", "\ufffd"},
	} {
		t.Run(name, func(t *testing.T) {
			if got := string(handler.Visible([]byte(test.text))); got != test.want {
				t.Errorf("%q, want %q", got, test.want)
			}
		})
	}
}

// Strings are as encoding/json and log/slog have them, save that all is visible.
func FuzzAppendJSON(f *testing.F) {
	f.Add("a\"b\\c\n\r\t\x00\x1b\x7f<&>\u2028\u202e\u0085\U000e0001ü日\ufffd\xff\xc2")
	f.Fuzz(func(t *testing.T, text string) {
		var line bytes.Buffer
		record := slog.NewRecord(time.Time{}, 0, text, 0)
		if err := slog.NewJSONHandler(&line, nil).Handle(t.Context(), record); err != nil {
			t.Fatal(err)
		}
		want := `{"level":"INFO","msg":` + string(handler.AppendJSON(nil, text)) + "}\n"
		if got := string(handler.Visible(line.Bytes())); got != want {
			t.Errorf("%q, want %q", want, got)
		}
	})
}

func FuzzVisible(f *testing.F) {
	f.Add("a\u202eb\u0085\U000e0001\xff")
	f.Fuzz(func(t *testing.T, text string) {
		document, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		shown := handler.Visible(document)
		if hidden := strings.IndexFunc(string(shown), func(r rune) bool { return !unicode.IsPrint(r) }); hidden >= 0 {
			t.Errorf("%q is shown at %d", shown[hidden:], hidden)
		}
		var before, after string
		if json.Unmarshal(document, &before) != nil || json.Unmarshal(shown, &after) != nil || before != after {
			t.Errorf("%q became %q", before, after)
		}
	})
}
