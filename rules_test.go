package main

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

// TestConfigurationHoldsWhatTheUserWrote checks that no struct of variables has a
// field that is none: whoever wants to be told of something is no configuration.
func TestConfigurationHoldsWhatTheUserWrote(t *testing.T) {
	t.Parallel()
	var walk func(reflect.Type)
	walk = func(of reflect.Type) {
		for field := range of.Fields() {
			name, isVariable := field.Tag.Lookup("env")
			switch {
			case isVariable && name != "-":
			case field.Type.Kind() == reflect.Struct:
				walk(field.Type)
			default:
				t.Errorf("%v.%s is no variable", of, field.Name)
			}
		}
	}
	walk(reflect.TypeFor[Config]())
}

// TestConfigurationIsNotChanged checks that nobody but package config assigns to a
// variable's field.
func TestConfigurationIsNotChanged(t *testing.T) {
	t.Parallel()
	for _, p := range typeChecked(t) {
		if p.path == "spangate/handler/config" {
			continue
		}
		for _, file := range p.files {
			ast.Inspect(file, func(n ast.Node) bool {
				var changed []ast.Expr
				switch n := n.(type) {
				case *ast.AssignStmt:
					changed = n.Lhs
				case *ast.IncDecStmt:
					changed = []ast.Expr{n.X}
				}
				for _, expr := range changed {
					if field := variableIn(p.info, expr); field != "" {
						t.Errorf("%s: %s is changed after it was loaded", p.fset.Position(expr.Pos()), field)
					}
				}
				return true
			})
		}
	}
}

// variableIn returns the field of a configuration that expr, or what it is a part
// of, is, or "".
func variableIn(info *types.Info, expr ast.Expr) string {
	for {
		selector, ok := ast.Unparen(expr).(*ast.SelectorExpr)
		if !ok {
			return ""
		}
		selection := info.Selections[selector]
		if selection == nil || selection.Kind() != types.FieldVal {
			return ""
		}
		owner := selection.Recv()
		for _, i := range selection.Index() {
			if pointer, ok := owner.Underlying().(*types.Pointer); ok {
				owner = pointer.Elem()
			}
			fields := owner.Underlying().(*types.Struct)
			if _, ok := reflect.StructTag(fields.Tag(i)).Lookup("env"); ok {
				return types.TypeString(owner, nil) + "." + fields.Field(i).Name()
			}
			owner = fields.Field(i).Type()
		}
		expr = selector.X
	}
}

type checkedPackage struct {
	path  string
	fset  *token.FileSet
	files []*ast.File
	info  *types.Info
}

// typeChecked returns the packages of the program, without their tests.
func typeChecked(t *testing.T) (all []checkedPackage) {
	t.Helper()
	var stderr bytes.Buffer
	list := exec.CommandContext(t.Context(), "go", "list", "-export", "-deps", "-json=ImportPath,Dir,GoFiles,Export", ".")
	list.Stderr = &stderr
	out, err := list.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, &stderr)
	}
	exports := map[string]string{}
	type listed struct {
		ImportPath, Dir, Export string
		GoFiles                 []string
	}
	var ours []listed
	for decoder := json.NewDecoder(bytes.NewReader(out)); decoder.More(); {
		var p listed
		if err := decoder.Decode(&p); err != nil {
			t.Fatal(err)
		}
		exports[p.ImportPath] = p.Export
		if within(p.ImportPath, "spangate") || strings.HasPrefix(p.ImportPath, "spangate/") {
			ours = append(ours, p)
		}
	}
	fset := token.NewFileSet()
	imports := importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) })
	for _, p := range ours {
		checked := checkedPackage{path: p.ImportPath, fset: fset, info: &types.Info{Selections: map[*ast.SelectorExpr]*types.Selection{}}}
		for _, name := range p.GoFiles {
			file, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.SkipObjectResolution)
			if err != nil {
				t.Fatal(err)
			}
			checked.files = append(checked.files, file)
		}
		if _, err := (&types.Config{Importer: imports}).Check(p.ImportPath, fset, checked.files, checked.info); err != nil {
			t.Fatal(err)
		}
		all = append(all, checked)
	}
	return all
}

// TestSizes checks that what a reader has to hold in mind at once stays small.
func TestSizes(t *testing.T) {
	t.Parallel()
	const mostOfMain, mostOfFile, mostOfTests, mostOfFunction = 200, 400, 800, 60
	fset := token.NewFileSet()
	err := filepath.WalkDir(".", func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !strings.HasSuffix(path, ".go") {
			return err
		}
		file, err := parser.ParseFile(fset, path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		isTest := strings.HasSuffix(path, "_test.go")
		most := mostOfFile
		switch {
		case isTest:
			most = mostOfTests
		case path == "main.go":
			most = mostOfMain
		}
		if lines := fset.File(file.Pos()).LineCount(); lines > most {
			t.Errorf("%s has %d lines, want at most %d", path, lines, most)
		}
		for _, decl := range file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && !isTest {
				if lines := fset.Position(f.End()).Line - fset.Position(f.Pos()).Line + 1; lines > mostOfFunction {
					t.Errorf("%s: %s has %d lines, want at most %d", path, f.Name.Name, lines, mostOfFunction)
				}
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}
