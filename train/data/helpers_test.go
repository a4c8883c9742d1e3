package data

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"io"
	"maps"
	"math/rand/v2"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"
)

// A made set in CIFAR's form. Its pixels are drawn from a fixed seed, so that
// archives of it do not shrink and transfers can be broken in the middle.
const (
	tinySeed  = 7
	tinyTrain = 60
	tinyTest  = 30
	tinyBytes = 1 + 32*32*3 // a record
)

// tinyContents returns the files of the made set, which nobody may change.
var tinyContents = sync.OnceValue(func() map[string][]byte {
	random := rand.New(rand.NewPCG(tinySeed, 0))
	contents := map[string][]byte{}
	for _, f := range []struct {
		name  string
		count int
	}{{"train.bin", tinyTrain}, {"test.bin", tinyTest}} {
		content := make([]byte, f.count*tinyBytes)
		for i := range content {
			content[i] = uint8(random.UintN(256))
			if i%tinyBytes == 0 {
				content[i] %= 10 // the label
			}
		}
		contents[f.name] = content
	}
	return contents
})

// tinyLibrary returns a library with the made set "tiny" alone, the given sources,
// and times short enough for a test.
func tinyLibrary(sources ...source) library {
	contents := tinyContents()
	fast := newClient()
	fast.pause = time.Millisecond
	fast.progress = 1
	return library{client: fast, entries: []entry{{
		shape: Set{Name: "tiny", Height: 32, Width: 32, Channels: 3, Classes: 10, Divisor: 255},
		train: tinyTrain, test: tinyTest,
		files: []file{
			{name: "train.bin", size: tinyTrain * tinyBytes, sha256: hashOf(contents["train.bin"]), count: tinyTrain, decode: decodeCIFAR(1)},
			{name: "test.bin", size: tinyTest * tinyBytes, sha256: hashOf(contents["test.bin"]), test: true, count: tinyTest, decode: decodeCIFAR(1)},
		},
		folders: []string{"tiny-bin"},
		sources: sources,
	}}}
}

// tinySource returns a source that downloads the made set as a .tar.gz from url.
func tinySource(name, url string) source {
	return source{name: name, downloads: []download{{
		url: url, archive: "tiny.tar.gz", sha256: hashOf(tinyArchive()),
		holds: []string{"train.bin", "test.bin"}, unpack: unpackTar,
	}}}
}

// tinyArchive returns the made set as a .tar.gz, which nobody may change.
var tinyArchive = sync.OnceValue(func() []byte { return tarOf("tiny-bin/", tinyContents()) })

func hashOf(content []byte) string {
	sum := sha256.Sum256(content)
	return hex.EncodeToString(sum[:])
}

// altered returns a copy of content with its last byte changed.
func altered(content []byte) []byte {
	other := bytes.Clone(content)
	other[len(other)-1] ^= 1
	return other
}

func tarOf(folder string, contents map[string][]byte) []byte {
	var archive bytes.Buffer
	zipper := gzip.NewWriter(&archive)
	files := tar.NewWriter(zipper)
	for _, name := range sortedNames(contents) {
		must(files.WriteHeader(&tar.Header{Name: folder + name, Typeflag: tar.TypeReg, Mode: 0o644, Size: int64(len(contents[name]))}))
		must2(files.Write(contents[name]))
	}
	must(files.Close())
	must(zipper.Close())
	return archive.Bytes()
}

func zipOf(folder string, contents map[string][]byte) []byte {
	var archive bytes.Buffer
	files := zip.NewWriter(&archive)
	for _, name := range sortedNames(contents) {
		out, err := files.Create(folder + name)
		must(err)
		must2(out.Write(contents[name]))
	}
	must(files.Close())
	return archive.Bytes()
}

func gzipOf(content []byte) []byte {
	var archive bytes.Buffer
	zipper := gzip.NewWriter(&archive)
	must2(zipper.Write(content))
	must(zipper.Close())
	return archive.Bytes()
}

func sortedNames(contents map[string][]byte) []string {
	return slices.Sorted(maps.Keys(contents))
}

// must is for writes to memory, which cannot fail.
func must(err error) {
	if err != nil {
		panic(err)
	}
}

func must2[T any](_ T, err error) { must(err) }

// writeFile writes a file and the folders above it.
func writeFile(t *testing.T, path string, content []byte) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, content, 0o644); err != nil {
		t.Fatal(err)
	}
}

// checkTiny fails the test unless the made set is in place, whole and alone.
func checkTiny(t *testing.T, dir string) {
	t.Helper()
	for name, want := range tinyContents() {
		found, err := os.ReadFile(filepath.Join(dir, "tiny", name))
		if err != nil || !bytes.Equal(found, want) {
			t.Errorf("%s is not in place: %d bytes, error %v", name, len(found), err)
		}
	}
	if _, err := os.Stat(filepath.Join(dir, "tiny.part")); err == nil {
		t.Error("the folder for unfinished downloads is still there")
	}
}

// checkNothing fails the test if a file of the made set is in place.
func checkNothing(t *testing.T, dir string) {
	t.Helper()
	for name := range tinyContents() {
		if _, err := os.Stat(filepath.Join(dir, "tiny", name)); err == nil {
			t.Errorf("%s is in place", name)
		}
	}
}

// checkContains fails the test unless an error says all of parts.
func checkContains(t *testing.T, err error, parts ...string) {
	t.Helper()
	if err == nil {
		t.Fatal("no error")
	}
	for _, part := range parts {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("the error does not say %q:\n%v", part, err)
		}
	}
}

// server is an HTTP server that logs what it was asked and counts what it sent.
type server struct {
	*httptest.Server
	mutex  sync.Mutex
	ranges []string // the Range of each request, "" for a whole file
	sent   int64    // bytes of all bodies
}

// newServer starts a server that answers with handle; request counts from 1.
func newServer(t *testing.T, handle func(w http.ResponseWriter, r *http.Request, request int)) *server {
	s := &server{}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mutex.Lock()
		s.ranges = append(s.ranges, r.Header.Get("Range"))
		request := len(s.ranges)
		s.mutex.Unlock()
		handle(countingWriter{w, s}, r, request)
	}))
	t.Cleanup(s.Close)
	return s
}

// asked returns the Range of each request so far and the bytes sent.
func (s *server) asked() ([]string, int64) {
	s.mutex.Lock()
	defer s.mutex.Unlock()
	return append([]string{}, s.ranges...), s.sent
}

type countingWriter struct {
	http.ResponseWriter
	server *server
}

func (w countingWriter) Write(p []byte) (int, error) {
	n, err := w.ResponseWriter.Write(p)
	w.server.mutex.Lock()
	w.server.sent += int64(n)
	w.server.mutex.Unlock()
	return n, err
}

func (w countingWriter) Unwrap() http.ResponseWriter { return w.ResponseWriter }

// serveFile answers with content, or the asked range of it.
func serveFile(w http.ResponseWriter, r *http.Request, content []byte) {
	w.Header().Set("ETag", fmt.Sprintf("%q", hashOf(content)))
	http.ServeContent(w, r, "", time.Time{}, bytes.NewReader(content))
}

// serveFirst announces all of content, sends its first n bytes, and returns
// when they are on their way.
func serveFirst(w http.ResponseWriter, content []byte, n int) {
	w.Header().Set("ETag", fmt.Sprintf("%q", hashOf(content)))
	w.Header().Set("Content-Length", fmt.Sprint(len(content)))
	must2(io.Copy(w, bytes.NewReader(content[:n])))
	must(http.NewResponseController(w).Flush())
}
