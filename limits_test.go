package cloudlicenses_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"
)

// constants are the names of a file's constants, in lower case, without those that
// are made of another package's.
func constants(t *testing.T, path string) (names []string) {
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
	require.NoError(t, err)
	for _, d := range file.Decls {
		group, ok := d.(*ast.GenDecl)
		if !ok || group.Tok != token.CONST {
			continue
		}
		for _, spec := range group.Specs {
			value := spec.(*ast.ValueSpec)
			borrowed := false
			for _, v := range value.Values {
				ast.Inspect(v, func(n ast.Node) bool {
					of, ok := n.(*ast.Ident)
					borrowed = borrowed || ok && of.Name == "cloudlicenses"
					return true
				})
			}
			for _, name := range value.Names {
				if !borrowed {
					names = append(names, strings.ToLower(name.Name))
				}
			}
		}
	}
	return names
}

// TestLimitsStandOnce: what limits.go has is not said again anywhere. Clients have
// a module of their own.
func TestLimitsStandOnce(t *testing.T) {
	limits := make(map[string]bool)
	for _, name := range constants(t, "limits.go") {
		limits[name] = true
	}
	require.NotEmpty(t, limits)
	require.NoError(t, filepath.WalkDir(".", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (path == "clients" || path == "portal" || path == "bench" || path == "test" || strings.HasPrefix(d.Name(), ".") && path != "."):
			return filepath.SkipDir
		case path == "limits.go" || !strings.HasSuffix(path, ".go") || strings.HasSuffix(path, "_test.go"):
			return nil
		}
		for _, name := range constants(t, path) {
			if limits[name] {
				t.Errorf("%s: %s stands in limits.go: use that one", path, name)
			}
		}
		return nil
	}))
}
