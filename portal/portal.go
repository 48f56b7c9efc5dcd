package portal

import (
	"bytes"
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"strings"
	"sync"
)

// dist is what `make build` leaves there; without it, .keep alone.
//
//go:embed all:web/dist
var dist embed.FS

// App is the application, ready to be sent. It does not change and is safe for
// concurrent use.
type App struct {
	files map[string]*file // by path, such as /assets/main-1a2b3c.js
	index *template        // nil: the application is not built in
}

// file is one file of the application.
type file struct {
	contentType  string
	cacheControl string
	etag         string
	plain        []byte
	packed       []byte // by gzip; nil: that would save nothing
}

// Embedded returns the application that this binary was built with.
var Embedded = sync.OnceValue(func() *App {
	built, err := fs.Sub(dist, "web/dist")
	if err != nil {
		panic(err) // the path is a constant
	}
	app, err := New(built)
	if err != nil {
		panic(fmt.Sprintf("the portal that is built in: %v", err)) // caught by the first start of a build
	}
	return app
})

// New takes up the application as vite left it: index.html, assets/ of hashed
// names, and what else is in the folder. One without index.html is not built.
func New(built fs.FS) (*App, error) {
	a := &App{files: make(map[string]*file)}
	err := fs.WalkDir(built, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil || name == ".":
			return err
		case strings.HasPrefix(entry.Name(), ".") && entry.IsDir(): // what tools keep there
			return fs.SkipDir
		case strings.HasPrefix(entry.Name(), ".") || entry.IsDir():
			return nil
		}
		content, err := fs.ReadFile(built, name)
		if err != nil {
			return err
		}
		if name == "index.html" {
			a.index, err = newTemplate(content)
			return err
		}
		a.files["/"+name] = newFile(name, content)
		return nil
	})
	if err != nil {
		return nil, err
	}
	return a, nil
}

// assets is where files lie whose names change with their content.
const assets = "/assets/"

func newFile(name string, content []byte) *file {
	f := &file{
		contentType:  contentType(name),
		cacheControl: "no-cache",
		etag:         etagOf(content),
		plain:        content,
	}
	if strings.HasPrefix("/"+name, assets) {
		f.cacheControl = "public, max-age=31536000, immutable"
	}
	if packed := pack(content); len(packed) < len(content) {
		f.packed = packed
	}
	return f
}

// contentTypes are those of what vite makes. The system's own table is not
// asked, since it differs from machine to machine.
var contentTypes = map[string]string{
	".css":         "text/css; charset=utf-8",
	".html":        typeHTML,
	".ico":         "image/x-icon",
	".jpg":         "image/jpeg",
	".js":          "text/javascript; charset=utf-8",
	".json":        "application/json",
	".map":         "application/json",
	".png":         "image/png",
	".svg":         "image/svg+xml",
	".txt":         "text/plain; charset=utf-8",
	".webmanifest": "application/manifest+json",
	".webp":        "image/webp",
	".woff2":       "font/woff2",
}

const typeHTML = "text/html; charset=utf-8"

func contentType(name string) string {
	if known := contentTypes[path.Ext(name)]; known != "" {
		return known
	}
	return "application/octet-stream"
}

// etagOf is a weak one, for the plain and the packed form share it.
func etagOf(content []byte) string {
	sum := sha256.Sum256(content)
	return `W/"` + hex.EncodeToString(sum[:12]) + `"`
}

// template is index.html, cut where it says which portal it is.
type template struct{ before, after []byte }

// blanks are the attributes that index.html leaves to the server.
const blanks = `data-site="" data-tenant="" data-domain=""`

func newTemplate(index []byte) (*template, error) {
	before, after, found := bytes.Cut(index, []byte(blanks))
	if !found || bytes.Contains(after, []byte(blanks)) {
		return nil, errors.New("index.html does not have " + blanks + " exactly once")
	}
	return &template{before: before, after: after}, nil
}
