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

	"spangate/handler/config"
)

// TestConfigurationHoldsWhatTheUserWrote checks that no struct of variables has a
// field that is none: whoever wants to be told of something is no configuration.
func TestConfigurationHoldsWhatTheUserWrote(t *testing.T) {
	t.Parallel()
	var walk func(reflect.Type)
	walk = func(of reflect.Type) {
		for field := range of.Fields() {
			name, _, _ := strings.Cut(field.Tag.Get("env"), ",")
			switch {
			case name != "" && name != "-" && field.Type.Kind() != reflect.Func:
			case field.Type == reflect.TypeFor[config.One](): // what Load says of the struct
			case name == "" && field.Type.Kind() == reflect.Struct:
				walk(field.Type)
			case field.Tag.Get("each") != "" && field.Type.Kind() == reflect.Slice:
				walk(field.Type.Elem())
			default:
				t.Errorf("%v.%s is no variable", of, field.Name)
			}
		}
	}
	walk(reflect.TypeFor[Config]())
}

// TestConfigurationIsNotChanged checks that nobody but package config assigns to a
// field with a variable, to a part of one, or to a struct of such fields. What is
// assigned through a pointer it does not see. A method of a configuration that is a
// value may make another one of it.
func TestConfigurationIsNotChanged(t *testing.T) {
	t.Parallel()
	for _, p := range typeChecked(t) {
		if p.path == "spangate/handler/config" {
			continue
		}
		for _, file := range p.files {
			var own types.Object // the receiver, where it is a value
			ast.Inspect(file, func(n ast.Node) bool {
				if f, ok := n.(*ast.FuncDecl); ok {
					own = p.value(f.Recv)
				}
				for _, expr := range changedBy(n) {
					if own != nil && p.info.ObjectOf(root(expr)) == own {
						continue
					}
					if field := p.variableIn(expr); field != "" {
						t.Errorf("%s: %s is changed after it was loaded", p.fset.Position(expr.Pos()), field)
					}
				}
				return true
			})
		}
	}
}

// value returns the receiver of a method, nil where it is a pointer or has no name.
func (p checkedPackage) value(recv *ast.FieldList) types.Object {
	if recv == nil || len(recv.List[0].Names) == 0 {
		return nil
	}
	of := p.info.ObjectOf(recv.List[0].Names[0])
	if _, ok := of.Type().Underlying().(*types.Struct); !ok {
		return nil
	}
	return of
}

// root returns what expr selects a field of, by selectors alone; nil where it is no
// variable's.
func root(expr ast.Expr) *ast.Ident {
	for {
		switch of := expr.(type) {
		case *ast.Ident:
			return of
		case *ast.SelectorExpr:
			expr = of.X
		default:
			return nil
		}
	}
}

// changedBy returns what n assigns to.
func changedBy(n ast.Node) []ast.Expr {
	switch n := n.(type) {
	case *ast.AssignStmt:
		if n.Tok != token.DEFINE {
			return n.Lhs
		}
	case *ast.RangeStmt:
		if n.Tok == token.ASSIGN {
			return []ast.Expr{n.Key, n.Value}
		}
	case *ast.IncDecStmt:
		return []ast.Expr{n.X}
	case *ast.CallExpr:
		if method, ok := n.Fun.(*ast.SelectorExpr); ok && method.Sel.Name == "UnmarshalText" {
			return []ast.Expr{method.X}
		}
	}
	return nil
}

// variableIn returns the field of a configuration that expr, or what it is a part
// of, is, or the struct with such fields that it is, or "".
func (p checkedPackage) variableIn(expr ast.Expr) string {
	if expr == nil {
		return ""
	}
	if of := p.info.TypeOf(expr); of != nil && isConfiguration(of) {
		return types.TypeString(of, nil)
	}
	for {
		switch of := ast.Unparen(expr).(type) {
		case *ast.StarExpr:
			expr = of.X
		case *ast.IndexExpr:
			expr = of.X
		case *ast.SelectorExpr:
			if field := p.variable(of); field != "" {
				return field
			}
			expr = of.X
		default:
			return ""
		}
	}
}

func (p checkedPackage) variable(selector *ast.SelectorExpr) string {
	selection := p.info.Selections[selector]
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
	return ""
}

// isConfiguration reports whether of is a struct of variables, and of structs of
// them, alone.
func isConfiguration(of types.Type) bool {
	fields, ok := of.Underlying().(*types.Struct)
	if !ok || fields.NumFields() == 0 {
		return false
	}
	for i := range fields.NumFields() {
		if _, ok := reflect.StructTag(fields.Tag(i)).Lookup("env"); !ok && !isConfiguration(fields.Field(i).Type()) {
			return false
		}
	}
	return true
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
		checked := checkedPackage{path: p.ImportPath, fset: fset, info: &types.Info{
			Types: map[ast.Expr]types.TypeAndValue{}, Defs: map[*ast.Ident]types.Object{}, Uses: map[*ast.Ident]types.Object{}, Selections: map[*ast.SelectorExpr]*types.Selection{},
		}}
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
		ast.Inspect(file, func(n ast.Node) bool {
			switch n.(type) {
			case *ast.FuncDecl, *ast.FuncLit:
				from, to := fset.Position(n.Pos()), fset.Position(n.End())
				if lines := to.Line - from.Line + 1; lines > mostOfFunction && !isTest {
					t.Errorf("%s: a function has %d lines, want at most %d", from, lines, mostOfFunction)
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
