package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"spangate/handler/config"
)

// What a variable is called depends on where the struct of its field stands. So a
// complaint does not begin with a name that somebody wrote into it: [config.Wrong]
// finds out.
func TestComplaintsTakeNamesFromFields(t *testing.T) {
	t.Parallel()
	var names []string
	for _, v := range config.Variables(&Config{}) {
		names = append(names, v.Name)
	}
	name := `(` + strings.Join(names, "|") + `)`
	named := regexp.MustCompile(`^` + name + `(, ` + name + `)*(: |=[%"])`)
	files := token.NewFileSet()
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go") {
			return err
		}
		file, err := parser.ParseFile(files, path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			if literal, ok := n.(*ast.BasicLit); ok && literal.Kind == token.STRING {
				if text, _ := strconv.Unquote(literal.Value); named.MatchString(text) {
					t.Errorf("%s: %s", files.Position(literal.Pos()), literal.Value)
				}
			}
			return true
		})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
