package main

import (
	"os"
	"regexp"
	"strings"
	"testing"

	"spangate/handler/config"
)

// TestNamesOfOthers loads what README says to those who come from other proxies, each
// row by itself.
func TestNamesOfOthers(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("README.md")
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, v := range config.Variables(&Config{}) {
		known[v.Name] = true
	}
	_, table, _ := strings.Cut(string(readme), "| | nginx | Caddy | Traefik | HAProxy | here |\n")
	table, _, _ = strings.Cut(table, "\n\n")
	rows := strings.Split(table, "\n")[1:]
	if len(rows) < 30 {
		t.Fatalf("%d rows in README", len(rows))
	}
	for _, row := range rows {
		cells := strings.Split(row, " | ")
		environ := []string{"BACKENDS=http://a:3000"}
		for _, code := range regexp.MustCompile("`[A-Z][^`]*`").FindAllString(cells[len(cells)-1], -1) {
			code = strings.Trim(code, "`")
			if strings.Contains(code, "=") {
				environ = append(environ, code)
			} else if !known[code] {
				t.Errorf("%s: %s is no variable", cells[0], code)
			}
		}
		if _, warnings, err := config.Load(&Config{}, environ); err != nil || len(warnings) > 0 {
			t.Errorf("%s: %v: %v %q", cells[0], environ, err, warnings)
		}
	}
}
